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
  /** Addresses of the monitors, by their hosts: they come and go, but not all at once. */
  monitors: Record<string, string>;
  hosts: Record<string, { connection: Connection; devices: { device: string; wipe: boolean }[] }>;
}

const LOOK = `${LOOK_AT_DEVICE}
for note in /var/lib/spillway/ceph-osds/*; do
  if [ -e "$note" ] && [ "$(sed -n 1p "$note")" = "$OWNER" ]; then
    echo "ours \${note##*/} $(sed -n 2p "$note")"
  fi
done
while IFS= read -r wanted; do
  if [ -n "$wanted" ]; then look_at_device "$wanted"; echo "real $(readlink -f -- "$wanted" || echo "$wanted")"; fi
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
    const after = (word: string) =>
      lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
    const ours = Object.fromEntries(after("ours").map((line) => line.split(" ")));
    const said = lines.filter((line) => !/^(ours|real) /.test(line));
    return [
      ...devices.flatMap((wanted, i) => deviceProblems({ host, ...wanted, said: said[i]!, ours })),
      ...twiceProblems(host, devices, after("real")),
    ];
  } catch (error) {
    const found = error instanceof HostError ? error.reason : messageOf(error);
    return [{ path: `osds.${host}`, found, remedy: "see to the host, then run again" }];
  }
}

/** One disk has several paths. */
function twiceProblems(host: string, devices: { device: string }[], real: string[]): Problem[] {
  return devices.flatMap(({ device }, i) => {
    const first = real.indexOf(real[i]!);
    if (first === i) return [];
    const found = `${device} is ${devices[first]!.device} by another path`;
    return [{ path: `osds.${host}`, found, remedy: "name each disk once" }];
  });
}

/** What would leave a living cluster behind instead of changing it. Pure. */
export function monitorChanges(before: Record<string, string>, after: Record<string, string>): Problem[] {
  const stay = Object.keys(before).filter((host) => host in after);
  const moved = stay.filter((host) => before[host] !== after[host]);
  return [
    ...(stay.length > 0
      ? []
      : [
          {
            path: "monitors",
            found: `none of ${Object.keys(before).join(", ")} stays, and the new ones have nobody to join`,
            remedy: "keep one of them in this run, and name another in its place in the next",
          },
        ]),
    ...moved.map((host) => ({
      path: "monitors",
      found: `the address of ${host} was ${before[host]} and shall be ${after[host]}`,
      remedy: "take it out of `monitors` first, then name it again",
    })),
  ];
}

async function lookAtChange(context: Context, old: DevicesInputs, inputs: DevicesInputs): Promise<void> {
  refuse(`CephStore "${inputs.store}"`, monitorChanges(old.monitors, inputs.monitors));
  await lookAtAll(context, inputs);
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
    const plain = ({ hosts, monitors }: DevicesInputs) => ({
      monitors,
      ...Object.fromEntries(Object.entries(hosts).map(([host, { devices }]) => [`at ${host}`, devices])),
    });
    return differenceOf(plain(old.inputs), plain(inputs));
  },
  preview: lookAtAll,
  async create(context, inputs) {
    await lookAtAll(context, inputs);
    return { id: "devices", outputs: {} };
  },
  previewUpdate: (context, old, inputs) => lookAtChange(context, old.inputs, inputs),
  async update(context, old, inputs) {
    await lookAtChange(context, old.inputs, inputs);
    return {};
  },
  async delete() {},
};
