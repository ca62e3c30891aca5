import type { Connection } from "../model/connection.ts";
import { refuse } from "../model/problem.ts";
import { type Capacity, dataLossProblem } from "../model/store.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { ConnectionError, onHost } from "../ssh/session.ts";
import { type ClusterInputs, onCluster, orForget, parsed } from "./cluster.ts";
import { copies, POOL } from "./pool.ts";

export interface FileSystemInputs extends ClusterInputs {
  name: string;
  /** Copies of each object. */
  replicas: number;
  /** UUIDs of the OSDs that have to be up. */
  osds: string[];
  /** It may go with what is in it. */
  allowDataLoss: boolean;
}

export interface FileSystemOutputs {
  health: string;
  capacity: Capacity;
}

/*
 * HEALTH_OK comes too early in a young cluster: before a manager and OSDs have reported there is
 * nothing to warn of.
 */
const CREATE = `${POOL}
pool "$NAME-metadata" 8
pool "$NAME-data" 16
if ! ceph fs get "$NAME" >/dev/null 2>&1; then ceph fs new "$NAME" "$NAME-metadata" "$NAME-data" >&2; fi
# One of the standbys follows the active server's journal: a lost one is replaced in less time.
ceph fs set "$NAME" allow_standby_replay true >&2
turns=0
members() {
  there=$(quorum_names)
  for name in $MONITORS; do
    printf '%s\\n' "$there" | grep -qxF "$name" || return 1
  done
}
ready() {
  members &&
  ceph mds stat | grep -q "$NAME:.*up:active" && ceph mgr stat | grep -q '"available": true' &&
    [ "$(ceph osd dump | grep -cE "^osd\\.[0-9]+ up .* ($OSDS)$")" = "$COUNT" ] &&
    ceph fs subvolume ls "$NAME" >/dev/null 2>&1 && { [ "$YOUNG" = no ] || ceph health | grep -q ^HEALTH_OK; }
}
until ready; do
  turns=$((turns + 1))
  if [ "$turns" -gt 120 ]; then echo "not healthy after minutes: $(ceph health | head -c 500)" >&2; break; fi
  ceph health | head -c 300 >&2; echo >&2
  sleep 2
done
`;

const LOOK = `
if ceph fs get "$NAME" >/dev/null 2>&1; then
  ceph status -f json | tr -d '\\n'; echo
  ceph df -f json | tr -d '\\n'; echo
  ceph osd pool get "$NAME-data" size
fi
`;

/** Regular files that lie in the file system, its own bookkeeping and what waits to be purged aside. */
const HOLDS = `
if ceph fs get "$NAME" >/dev/null 2>&1; then
  place=$(mktemp -d -p /run)
  trap 'umount -l "$place" 2>/dev/null || :; rmdir "$place" 2>/dev/null || :' EXIT
  timeout -k 5 120 ceph-fuse --id admin --client_fs "$NAME" "$place" >/dev/null
  find "$place" -mindepth 1 \\( -path "$place/volumes/_*" \\) -prune -o -type f -print | head -n 1 | sed "s|^$place||"
  ceph fs subvolume ls "$NAME" | grep '"name"' || :
fi
`;

const REMOVE = `${POOL}
if ceph fs get "$NAME" >/dev/null 2>&1; then
  ceph fs fail "$NAME" >&2
  ceph fs rm "$NAME" --yes-i-really-mean-it >&2
fi
remove_pool "$NAME-data"
remove_pool "$NAME-metadata"
`;

/*
 * Tells the monitors' hosts whether they have a store to answer for: one that leaves a living store gives up
 * its vote, one of a store that goes as a whole asks nobody.
 */
const LIVES = `
if [ "$(cat /var/lib/spillway/ceph-monitor 2>/dev/null)" = "$FSID" ]; then : >/var/lib/spillway/ceph-monitor.lives; fi
`;
/** Daemons of a monitor's host that came before the cluster knew them have given up by now. */
const WAKE = `
for kind in mgr mds; do
  systemctl -q is-active "ceph-$kind@$NAME" || {
    systemctl reset-failed "ceph-$kind@$NAME" 2>/dev/null || :
    systemctl start "ceph-$kind@$NAME"
  }
done
`;
const LIVES_NO_MORE = `
if [ "$(cat /var/lib/spillway/ceph-monitor 2>/dev/null)" = "$FSID" ]; then rm -f /var/lib/spillway/ceph-monitor.lives; fi
`;

/** On all monitors' hosts that answer. */
async function onMonitors(
  context: Context,
  { monitors, fsid }: FileSystemInputs,
  text: string,
): Promise<void> {
  const tell = async ([name, connection]: [string, Connection]) => {
    const script = {
      name: "tell the monitors",
      text,
      values: { FSID: fsid, NAME: name },
      timeoutSeconds: 60,
    };
    try {
      await onHost(connection, context, (session) => session.run(script, context));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
  };
  await Promise.all(Object.entries(monitors).map(tell));
}

interface Status {
  health: { status: string; checks: Record<string, unknown> };
}

interface Usage {
  pools: { name: string; stats: { stored: number; max_avail: number } }[];
}

/** What the cluster says of itself, in the terms of stores. Pure. */
export function outputsOf(name: string, status: Status, usage: Usage): FileSystemOutputs {
  const checks = Object.keys(status.health.checks).sort();
  const { stored = 0, max_avail: available = 0 } =
    usage.pools.find((pool) => pool.name === `${name}-data`)?.stats ?? {};
  const health = checks.length === 0 ? status.health.status : `${status.health.status}: ${checks.join(", ")}`;
  return { health, capacity: { total: stored + available, used: stored, available } };
}

const nameAlone = ({ name }: FileSystemInputs) => ({ NAME: name });

async function look(
  context: Context,
  inputs: FileSystemInputs,
): Promise<{ outputs: FileSystemOutputs; replicas: number } | undefined> {
  const question = { name: "look at the store", text: LOOK, values: nameAlone(inputs) };
  const [status, usage, size] = (await onCluster(inputs, context, question, false)).split("\n");
  if (!status || !usage) return undefined;
  const outputs = outputsOf(inputs.name, parsed<Status>(status), parsed<Usage>(usage));
  return { outputs, replicas: Number(/\d+/.exec(size ?? "")?.[0] ?? inputs.replicas) };
}

/** @param young it has never been healthy before; later on a dead OSD may still be there, which leaves last */
async function make(context: Context, inputs: FileSystemInputs, young: boolean): Promise<FileSystemOutputs> {
  context.progress("waiting until all of the store is up");
  await onMonitors(context, inputs, WAKE);
  const { name, replicas, osds, monitors } = inputs;
  await onCluster(inputs, context, {
    name: `make the file system ${name}`,
    text: CREATE,
    values: {
      NAME: name,
      ...copies(replicas),
      OSDS: osds.join("|"),
      COUNT: String(osds.length),
      YOUNG: young ? "yes" : "no",
      MONITORS: Object.keys(monitors).join(" "),
    },
    timeoutSeconds: 1200,
  });
  const found = await look(context, inputs);
  if (!found) throw new Error(`the file system ${name} is gone again; run again`);
  await onMonitors(context, inputs, LIVES);
  return found.outputs;
}

/** A store's file system, its two pools, and what the cluster tells of itself. */
export const fileSystem: ResourceType<FileSystemInputs, FileSystemOutputs> = {
  token: "spillway:ceph:FileSystem",
  computed: ["health", "capacity"],
  unfinishedId: ({ name }) => name,
  diff: (old, inputs) => {
    const plain = ({ monitors, ...rest }: FileSystemInputs) => ({
      ...rest,
      monitors: Object.keys(monitors).sort(),
    });
    return differenceOf(plain(old.inputs), plain(inputs), { ignore: ["store"], replaceOn: ["name", "fsid"] });
  },

  async create(context, inputs) {
    return { id: inputs.name, outputs: await make(context, inputs, true) };
  },

  async read(context, old) {
    const found = await look(context, old.inputs);
    return found && { inputs: { ...old.inputs, replicas: found.replicas }, outputs: found.outputs };
  },

  update: (context, _old, inputs) => make(context, inputs, false),

  delete: (context, { inputs }) => orForget(context, inputs, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: FileSystemInputs): Promise<void> {
  const { store, name, allowDataLoss } = inputs;
  if (!allowDataLoss) {
    const question = { name: `look into ${name}`, text: HOLDS, values: nameAlone(inputs) };
    const held = (await onCluster(inputs, context, question)).trim();
    if (held !== "") {
      const problem = dataLossProblem(`the file system ${name} holds data (${held.split("\n")[0]!.trim()})`);
      refuse(`CephStore "${store}"`, [problem]);
    }
  }
  const removal = { name: `remove the file system ${name}`, text: REMOVE, values: nameAlone(inputs) };
  await onCluster(inputs, context, removal);
  await onMonitors(context, inputs, LIVES_NO_MORE);
}
