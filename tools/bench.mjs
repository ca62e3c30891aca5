// `npm run bench`: how fast and how large it is, beside a floor or a peer measured in the same run.
import process from "node:process";
import { main, runTypeScript, setUp } from "./setup.mjs";

await main(() => {
  if (process.platform !== "linux" || process.getuid() !== 0)
    throw new Error("the benchmark makes its hosts as systemd containers on this computer, which needs Linux and root");
  setUp();
  return runTypeScript("bench/main.ts", process.argv.slice(2));
});
