import { createRequire } from "node:module";
import { StandIn } from "./server.ts";

// The npm package's version: the engine warns when a plugin's differs.
const { version } = createRequire(import.meta.url)("@pulumi/kubernetes/package.json") as { version: string };

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const standIn = new StandIn(version, engineAddress);

// A terminal's Ctrl-C reaches the plugin as well as the engine, which ends an idle plugin the same way
// and waits seconds for one that stays.
process.on("SIGINT", () => {
  if (standIn.interrupt()) process.exit(0);
});
process.on("SIGTERM", () => process.exit(0));

// An engine that was killed says nothing to its plugins.
const engine = process.ppid;
setInterval(() => {
  if (process.ppid !== engine) process.exit(0);
}, 2000).unref();

console.log(await standIn.listen());
