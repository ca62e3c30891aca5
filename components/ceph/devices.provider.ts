import { isDeepStrictEqual } from "node:util";
import type { Connection } from "../model/connection.ts";
import { describe, messageOf, type Problem, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { HostError, onHost } from "../ssh/session.ts";
import { deviceProblems, LOOK_AT_DEVICE } from "./device.ts";
import { lifeOn } from "./life.ts";

export interface DevicesInputs {
  /** Name of the store, for messages. */
  store: string;
  /** Who takes them, over all stacks. */
  owner: string;
  /** Addresses of the monitors, by their hosts: they come and go, but not all at once. */
  monitors: Record<string, string>;
  /** How the monitors' hosts are reached. */
  connections: Record<string, Connection>;
  hosts: Record<string, { connection: Connection; devices: { device: string; wipe: boolean }[] }>;
}

const LOOK = `${LOOK_AT_DEVICE}
for note in /var/lib/spillway/ceph-osds/*; do
  if [ ! -e "$note" ]; then continue; fi
  holder=$(sed -n 1p "$note")
  if [ "$holder" = "$OWNER" ] || [ "$holder" = "$FORMER" ]; then
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
  former: string,
  context: Context,
): Promise<Problem[]> {
  const { connection, devices } = hosts[host]!;
  const script = {
    name: "look at devices",
    text: LOOK,
    values: { OWNER: owner, FORMER: former },
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

/**
 * What would leave a living cluster behind instead of changing it. Pure.
 *
 * @param living hosts that have a monitor of it, or may have
 */
export function monitorChanges(
  before: Record<string, string>,
  after: Record<string, string>,
  living: readonly string[],
): Problem[] {
  const moved = living.filter((host) => host in before && host in after && before[host] !== after[host]);
  return [
    ...(living.length === 0 || living.some((host) => host in after)
      ? []
      : [
          {
            path: "monitors",
            found: `none of ${living.join(", ")} stays, and the new ones have nobody to join`,
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
  if (!isDeepStrictEqual(old.monitors, inputs.monitors)) {
    const all = Object.values({ ...old.connections, ...inputs.connections });
    const { living, silent } = await lifeOn(all, context, { change: false });
    // The last run's list may tell of some that never came.
    const mayLive = [...living, ...silent.map(({ host }) => host)];
    const changes = monitorChanges(old.monitors, inputs.monitors, mayLive);
    refuse(`CephStore "${inputs.store}"`, changes);
  }
  await lookAtAll(context, inputs, old);
}

/** @param old what an earlier run found fit: its hosts may be down or broken, and the store goes on without */
async function lookAtAll(context: Context, inputs: DevicesInputs, old?: DevicesInputs): Promise<void> {
  const former = old?.owner ?? inputs.owner;
  const isNew = (host: string) =>
    inputs.hosts[host]!.devices.some(
      ({ device }) => !old?.hosts[host]?.devices.some((known) => known.device === device),
    );
  const hosts = Object.keys(inputs.hosts);
  const found = await Promise.all(hosts.map((host) => lookAtHost(host, inputs, former, context)));
  for (const problem of found.filter((_, i) => !isNew(hosts[i]!)).flat()) context.warn(describe(problem));
  const problems = found.filter((_, i) => isNew(hosts[i]!));
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
  preview: (context, inputs) => lookAtAll(context, inputs),
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
