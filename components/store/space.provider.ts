import type { Connection } from "../model/connection.ts";
import type { Capacity } from "../model/store.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { onHost } from "../ssh/session.ts";

export interface SpaceInputs {
  /** Directories by host, and how it is reached. */
  hosts: Record<string, { connection: Connection; path: string }>;
}

export interface SpaceOutputs {
  health: string;
  capacity: Capacity;
}

const LOOK = `
if [ -d "$DIRECTORY" ]; then df -P -B1 "$DIRECTORY" | awk 'NR == 2 { print $2, $3, $4 }'; fi
`;

async function measure(context: Context, { hosts }: SpaceInputs): Promise<SpaceOutputs> {
  const found = await Promise.all(
    Object.entries(hosts).map(async ([host, { connection, path }]) => {
      const script = {
        name: `space of ${path}`,
        text: LOOK,
        values: { DIRECTORY: path },
        timeoutSeconds: 60,
      };
      const printed = await onHost(connection, context, (session) => session.run(script, context), {
        change: false,
      });
      const [total = 0, used = 0, available = 0] = printed.trim().split(" ").map(Number);
      return { total, used, available, lost: printed.trim() === "" ? [`${path} of ${host} is gone`] : [] };
    }),
  );
  const lost = found.flatMap((each) => each.lost);
  const sum = (key: keyof Capacity) => found.reduce((all, each) => all + each[key], 0);
  return {
    health: lost.length === 0 ? "HEALTH_OK" : `HEALTH_ERR: ${lost.join(", ")}`,
    capacity: { total: sum("total"), used: sum("used"), available: sum("available") },
  };
}

/** What the file systems below directories of hosts hold; changes nothing itself. */
export const space: ResourceType<SpaceInputs, SpaceOutputs> = {
  token: "spillway:store:Space",
  computed: ["health", "capacity"],
  diff: (old, { hosts }) => {
    const paths = (of: SpaceInputs["hosts"]) =>
      JSON.stringify(Object.entries(of).map(([host, { path }]) => [host, path]));
    return { paths: paths(old.inputs.hosts) === paths(hosts) ? [] : ["hosts"] };
  },
  async create(context, inputs) {
    return { id: "space", outputs: await measure(context, inputs) };
  },
  async read(context, { inputs }) {
    return { inputs, outputs: await measure(context, inputs) };
  },
  update: (context, _old, inputs) => measure(context, inputs),
  async delete() {},
};
