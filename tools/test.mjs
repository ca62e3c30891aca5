// `npm test`: every test of the named vitest projects, from a fresh clone as well.
import process from "node:process";
import { main, runTypeScript, setUp } from "./setup.mjs";

await main(() => {
  setUp();
  return runTypeScript("test.ts", process.argv.slice(2));
});
