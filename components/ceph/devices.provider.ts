import type { Connection } from "../model/connection.ts";
import { messageOf, type Problem, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { HostError, onHost } from "../ssh/session.ts";
import { deviceProblems, LOOK_AT_DEVICE } from "./device.ts";

export interface DevicesInputs {
  /** Name of the store, for messages. */
  store: string;
  /** Who takes them, over all stacks. */
  owner: string;
  hosts: Record<string, { connection: Connection; devices: { device: string; wipe: boolean }[] }>;
}

const LOOK = `${LOOK_AT_DEVICE}
for note in /var/lib/spillway/ceph-osds/*; do
  if [ -e "$note" ] && [ "$(cat "$note")" = "$OWNER" ]; then echo "ours \${note##*/}"; fi
done
while IFS= read -r wanted; do
  if [ -n "$wanted" ]; then look_at_device "$wanted"; fi
done <"$DEVICES"
`;

async function lookAtHost(
  host: string,
  { hosts, owner }: DevicesInputs,
  context: Context,
): Promise<Problem[]> {
  const { connection, devices } = hosts[host]!;
  const script = {
    name: "look at devices",
    text: LOOK,
    values: { OWNER: owner },
    files: { DEVICES: devices.map(({ device }) => `${device}\n`).join("") },
    timeoutSeconds: 120,
  };
  try {
    const printed = await onHost(connection, context, (session) => session.run(script, context), {
      change: false,
    });
    const lines = printed.trim().split("\n");
    const ours = lines.filter((line) => line.startsWith("ours ")).map((line) => line.slice(5));
    const said = lines.filter((line) => !line.startsWith("ours "));
    return devices.flatMap((wanted, i) => deviceProblems({ host, ...wanted, said: said[i]!, ours }));
  } catch (error) {
    const found = error instanceof HostError ? error.reason : messageOf(error);
    return [{ path: `osds.${host}`, found, remedy: "see to the host, then run again" }];
  }
}

async function lookAtAll(context: Context, inputs: DevicesInputs): Promise<void> {
  const problems = await Promise.all(
    Object.keys(inputs.hosts).map((host) => lookAtHost(host, inputs, context)),
  );
  refuse(`CephStore "${inputs.store}"`, problems.flat());
}

/** Looks at the devices of all hosts before anything is changed; changes nothing itself. */
export const devices: ResourceType<DevicesInputs, Record<never, never>> = {
  token: "spillway:ceph:Devices",
  computed: [],
  diff: (old, inputs) => {
    const plain = ({ hosts }: DevicesInputs) =>
      Object.fromEntries(Object.entries(hosts).map(([host, { devices }]) => [host, devices]));
    return differenceOf(plain(old.inputs), plain(inputs));
  },
  preview: lookAtAll,
  async create(context, inputs) {
    await lookAtAll(context, inputs);
    return { id: "devices", outputs: {} };
  },
  previewUpdate: (context, _old, inputs) => lookAtAll(context, inputs),
  async update(context, _old, inputs) {
    await lookAtAll(context, inputs);
    return {};
  },
  async delete() {},
};
