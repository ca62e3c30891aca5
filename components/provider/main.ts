import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { ResourceType } from "./resource.ts";
import { PluginServer } from "./server.ts";
import { resourceTypes } from "./types.ts";

const manifest = createRequire(import.meta.url).resolve("spillway/package.json");
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };

const engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
const server = new PluginServer(
  resourceTypes as unknown as ResourceType<object, object>[],
  version,
  engineAddress,
);

// A terminal's Ctrl-C reaches the plugin as well as the engine: what runs comes to a safe point first,
// so that the engine learns how far it came. The engine ends an idle plugin by the same signal.
process.on("SIGINT", () => {
  if (server.interrupt()) process.exit(0);
});
process.on("SIGTERM", () => process.exit(0));

console.log(await server.listen());
