import type { Connection } from "../model/connection.ts";
import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import type { Capacity } from "../model/store.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { ConnectionError, onHost } from "../ssh/session.ts";
import { type ClusterInputs, onCluster, orForget, parsed } from "./cluster.ts";
import { LIVES, LIVES_NO_MORE } from "./life.ts";
import { copies, POOL } from "./pool.ts";

export interface FileSystemInputs extends ClusterInputs {
  name: string;
  /** Copies of each object. */
  replicas: number;
  /** MiB that an OSD tries to keep to; running ones follow at once. */
  osdMemoryMiB: number;
  /** UUIDs of the OSDs that have to be up. */
  osds: string[];
  /**
   * Keyring of the managers and metadata servers; secret. A young cluster is born with it, and has to be told
   * of those that come later.
   */
  daemons: string;
  /** It may go with what is in it. */
  allowDataLoss: boolean;
}

export interface FileSystemOutputs {
  health: string;
  capacity: Capacity;
}

const CREATE = `${POOL}
ceph auth import -i "$DAEMONS" >&2 &
admitting=$!
pools "$NAME-metadata" 8 "$NAME-data" 16
wait "$admitting"
# Of one that is there this changes nothing.
ceph fs new "$NAME" "$NAME-metadata" "$NAME-data" >&2
`;

/*
 * HEALTH_OK comes too early in a young cluster: before a manager and OSDs have reported there is
 * nothing to warn of.
 */
const AWAIT = `
# One of the standbys follows the active server's journal: a lost one is replaced in less time.
{
  ceph fs set "$NAME" allow_standby_replay true
  ceph config set osd osd_memory_target "$MEMORY"
} >&2 &
setting=$!
members() {
  there=$(printf '%s' "$status" | quorum_names)
  for name in $MONITORS; do
    printf '%s\\n' "$there" | grep -qxF "$name" || return 1
  done
}
osds() {
  dump=$(ceph osd dump)
  [ "$(printf '%s\\n' "$dump" | grep -cE "^osd\\.[0-9]+ up .* ($OSDS)$")" = "$COUNT" ]
}
# A store that had its first day goes on without a host that is down: who is missing was there once.
known_members() {
  map=$(ceph mon dump 2>/dev/null)
  for name in $MONITORS; do
    printf '%s\\n' "$map" | grep -q " mon\\.$name$" || return 1
  done
}
known_osds() {
  osds || {
    [ "$(printf '%s\\n' "$dump" | grep -E "^osd\\.[0-9]+ down .* ($OSDS)$" | grep -c ' up_from 0 ')" = 0 ] &&
      [ "$(printf '%s\\n' "$dump" | grep -cE "^osd\\..* ($OSDS)$")" = "$COUNT" ]
  }
}
daemons() {
  case $status in *'"status":"up:active"'*) ;; *) return 1 ;; esac
  case $status in *'"mgrmap":{"available":true'*) ;; *) return 1 ;; esac
}
health() { printf '%s' "$status" | sed 's/.*"health":{"status":"\\([A-Z_]*\\)".*/\\1/'; }
ready() {
  status=$(ceph status -f json | tr -d '\\n')
  members && daemons && { [ "$YOUNG" = no ] || [ "$(health)" = HEALTH_OK ]; } &&
    osds && ceph fs subvolume ls "$NAME" >/dev/null 2>&1
}
turns=0
until ready; do
  turns=$((turns + 1))
  if [ "$turns" -gt 60 ] && [ "$YOUNG" = no ] && daemons && known_members && known_osds; then
    break
  fi
  if [ "$turns" -gt 400 ]; then
    echo "not healthy after minutes: $(ceph health | head -c 500)" >&2
    if osds; then break; fi
    echo "some of its OSDs are not up; see \\\`journalctl -u 'ceph-osd@*'\\\` on their hosts, then run again" >&2
    exit 1
  fi
  sleep 0.5
done
wait "$setting"
printf '%s\\n' "$status"
ceph df -f json | tr -d '\\n'
`;

const LOOK = `
if is_fs "$NAME"; then
  ceph status -f json | tr -d '\\n'; echo
  ceph df -f json | tr -d '\\n'; echo
  ceph osd pool get "$NAME-data" size
fi
`;

/** Regular files that lie in the file system, its own bookkeeping and what waits to be purged aside. */
const HOLDS = `
if is_fs "$NAME"; then
  place=$(mktemp -d -p /run)
  trap 'umount -l "$place" 2>/dev/null || :; rmdir "$place" 2>/dev/null || :' EXIT
  timeout -k 5 120 ceph-fuse --id admin --client_fs "$NAME" "$place" >/dev/null
  found=$(find "$place" -mindepth 1 \\( -path "$place/volumes/_*" \\) -prune -o -type f -print -quit)
  volumes=$(ceph fs subvolume ls "$NAME")
  printf '%s\\n' "$found" | sed "s|^$place||"
  printf '%s\\n' "$volumes" | grep '"name"' || :
fi
`;

const REMOVE = `${POOL}
if is_fs "$NAME"; then
  ceph fs fail "$NAME" >&2
  ceph fs rm "$NAME" --yes-i-really-mean-it >&2
fi
remove_pool "$NAME-data"
remove_pool "$NAME-metadata"
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

/** @param printed status and usage, a line each */
function outputsPrinted(name: string, printed: string): FileSystemOutputs {
  const [status = "", usage = ""] = printed.split("\n");
  return outputsOf(name, parsed<Status>(status), parsed<Usage>(usage));
}

const nameAlone = ({ name }: FileSystemInputs) => ({ NAME: name });

async function look(
  context: Context,
  inputs: FileSystemInputs,
): Promise<{ outputs: FileSystemOutputs; replicas: number } | undefined> {
  const question = { name: "look at the store", text: LOOK, values: nameAlone(inputs) };
  const printed = await onCluster(inputs, context, question, false);
  if (printed.trim() === "") return undefined;
  const replicas = Number(/^size: (\d+)/m.exec(printed)?.[1] ?? inputs.replicas);
  return { outputs: outputsPrinted(inputs.name, printed), replicas };
}

/** @param young it has never been healthy before; later on a dead OSD may still be there, which leaves last */
async function make(context: Context, inputs: FileSystemInputs, young: boolean): Promise<FileSystemOutputs> {
  const { name, replicas, osds, osdMemoryMiB, monitors, daemons } = inputs;
  await onCluster(inputs, context, {
    name: `make the file system ${name}`,
    text: CREATE,
    values: { NAME: name, ...copies(replicas) },
    secretFiles: { DAEMONS: daemons },
  });
  await onMonitors(context, inputs, WAKE);
  context.progress("waiting until all of the store is up");
  const printed = await onCluster(inputs, context, {
    name: `await the file system ${name}`,
    text: AWAIT,
    values: {
      NAME: name,
      MEMORY: String(osdMemoryMiB * 2 ** 20),
      OSDS: osds.join("|"),
      COUNT: String(osds.length),
      YOUNG: young ? "yes" : "no",
      MONITORS: Object.keys(monitors).join(" "),
    },
    timeoutSeconds: 1200,
  });
  await onMonitors(context, inputs, LIVES);
  const outputs = outputsPrinted(name, printed);
  if (outputs.health !== "HEALTH_OK")
    context.warn(`not all of CephStore "${inputs.store}" is well: ${outputs.health}`);
  return outputs;
}

/** A store's file system, its two pools, and what the cluster tells of itself. */
export const fileSystem: ResourceType<FileSystemInputs, FileSystemOutputs> = {
  token: "spillway:ceph:FileSystem",
  words: ["allowDataLoss"],
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
