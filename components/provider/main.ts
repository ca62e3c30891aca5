import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { engineAddress, serve } from "./protocol.ts";
import type { ResourceType } from "./resource.ts";
import { PluginServer } from "./server.ts";
import { resourceTypes } from "./types.ts";

const manifest = createRequire(import.meta.url).resolve("spillway/package.json");
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };

const types = resourceTypes as unknown as ResourceType<object, object>[];
await serve(new PluginServer(types, version, engineAddress()));
