import { createRequire } from "node:module";
import { engineAddress, serve } from "../../../components/provider/protocol.ts";
import { StandIn } from "./server.ts";

// The npm package's version: the engine warns when a plugin's differs.
const { version } = createRequire(import.meta.url)("@pulumi/kubernetes/package.json") as { version: string };

await serve(new StandIn(version, engineAddress()));
