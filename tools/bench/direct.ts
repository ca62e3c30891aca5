// Declared state by the provider's functions, without an engine: direct.ts create|look|delete < connections
import { text } from "node:stream/consumers";
import type { Connection } from "../../components/model/connection.ts";
import { differenceOf } from "../../components/provider/difference.ts";
import { hostState } from "../../components/ssh/host-state.provider.ts";
import type { HostStateArgs } from "../../components/ssh/host-state.ts";
import { closeAll } from "../../components/ssh/pool.ts";
import { context } from "./context.ts";
import { hostStateArgs } from "./declared.ts";

const actions: Record<string, (inputs: HostStateArgs) => Promise<unknown>> = {
  create: (inputs) => hostState.create(context(), inputs),
  delete: (inputs) => hostState.delete(context(), { id: "bench", inputs, outputs: {} }),
  async look(inputs) {
    const found = await hostState.read!(context(), { id: "bench", inputs, outputs: {} });
    if (!found) throw new Error(`${inputs.connection.host}: nothing is there`);
    const { paths } = differenceOf(found.inputs, inputs);
    if (paths.length > 0) throw new Error(`${inputs.connection.host}: ${paths.join(", ")} differ`);
  },
};

const action = actions[process.argv[2] ?? ""];
if (!action) throw new Error(`${process.argv[2]} is none of ${Object.keys(actions).join(", ")}`);
const connections = JSON.parse(await text(process.stdin)) as Connection[];
await Promise.all(connections.map((connection) => action(hostStateArgs(connection))));
await closeAll();
