import type { Connection } from "../model/connection.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { NOTE } from "../ssh/note.ts";
import { type ConnectionError, onHost } from "../ssh/session.ts";
import { givesUp, orGiveUp } from "../ssh/unreachable.ts";
import { type ClusterInputs, DAEMONS, onCluster, orForget } from "./cluster.ts";
import { lifeOn } from "./life.ts";

export interface MonitorInputs extends ClusterInputs {
  connection: Connection;
  /** Name of the store's file system. */
  fileSystem: string;
  /** Its host's name, which is the daemons' as well. */
  name: string;
  /** Addresses of all monitors, by name. */
  addresses: Record<string, string>;
  /** Everybody that the cluster knows from its first moment on; secret. */
  keyring: string;
  /** Keyrings of this host's manager and metadata server; secret. */
  managerKeyring: string;
  metadataKeyring: string;
}

const CREATE = `${DAEMONS}${NOTE}
claim=/var/lib/spillway/ceph-monitor
dir=/var/lib/ceph/mon/ceph-$NAME
if [ -s "$claim" ]; then
  if [ "$(cat "$claim")" != "$FSID" ]; then
    echo "this host is a monitor of another Ceph cluster ($(cat "$claim")); destroy that one first, or name another host" >&2
    exit 3
  fi
elif [ -n "$(ls -A /var/lib/ceph/mon 2>/dev/null)" ]; then
  echo "this host has a monitor that Spillway did not make (/var/lib/ceph/mon); name another host" >&2
  exit 3
fi
mkdir -p /var/lib/spillway
note "$claim" "$FSID"
if [ ! -e "$dir/spillway" ]; then
  # What a run left that was cut: no monitor has ever started from it.
  rm -rf "$dir"
  install -d -m 0750 -o ceph -g ceph "$dir"
  map=$(mktemp)
  if [ -s "$LIVING" ]; then base64 -d <"$LIVING" >"$map"
  else
    set --
    while read -r name address; do
      set -- "$@" --addv "$name" "[v2:$address:3300,v1:$address:6789]"
    done <"$MONITORS"
    monmaptool --create --clobber --fsid "$FSID" "$@" "$map" >/dev/null
  fi
  ceph-mon --mkfs -i "$NAME" --fsid "$FSID" --monmap "$map" --keyring "$KEYRING" >&2
  chown -R ceph:ceph "$dir"
  rm -f "$map"
  : >"$dir/spillway"
fi
put() {
  install -d -m 0750 -o ceph -g ceph "$1"
  install -m 0600 -o ceph -g ceph "$2" "$1/keyring"
}
put "/var/lib/ceph/mgr/ceph-$NAME" "$MANAGER"
put "/var/lib/ceph/mds/ceph-$NAME" "$METADATA"
start_daemons "ceph-mon.target ceph-mgr.target ceph-mds.target" "ceph-mon@$NAME ceph-mgr@$NAME ceph-mds@$NAME"
`;

const LOOK = `
if [ "$(cat /var/lib/spillway/ceph-monitor 2>/dev/null)" = "$FSID" ] && [ -e "/var/lib/ceph/mon/ceph-$NAME/spillway" ]; then
  stopped=
  for unit in mon mgr mds; do systemctl -q is-active "ceph-$unit@$NAME" || stopped=yes; done
  if [ -n "$stopped" ]; then echo stopped; else echo running; fi
fi
`;

const REMOVE = `${DAEMONS}
claim=/var/lib/spillway/ceph-monitor
if [ "$(cat "$claim" 2>/dev/null)" != "$FSID" ]; then exit 0; fi
for kind in mds mgr mon; do
  systemctl disable --now "ceph-$kind@$NAME" >&2 2>/dev/null || :
  rm -rf "/var/lib/ceph/$kind/ceph-$NAME"
done
rm -f "$claim" "$claim.new" "$claim.lives"
release_targets
rmdir /var/lib/spillway 2>/dev/null || :
`;

/**
 * Who joins a living cluster begins with that one's map: by one of its own, a majority of newcomers would be a
 * cluster by itself, and an empty one.
 */
const MAP = `
map=$(mktemp)
trap 'rm -f "$map"' EXIT
ceph mon getmap -o "$map" >&2
base64 "$map"
`;

/** Gives up its vote, where the others are enough to go on. */
const LEAVE = `
is_fs "$FS" || exit 0
map=$(ceph mon dump 2>/dev/null)
members=$(printf '%s\\n' "$map" | sed -n 's/^[0-9]*: .* mon\\.//p')
if ! printf '%s\\n' "$members" | grep -qxF "$NAME"; then exit 0; fi
status=$(ceph quorum_status -f json)
living=$(printf '%s' "$status" | tr -d '\\n' | quorum_names | grep -cvxF "$NAME" || :)
needed=$((($(printf '%s\\n' "$members" | wc -l) - 1) / 2 + 1))
if [ "$living" -lt "$needed" ]; then echo "short $living $needed"; exit 0; fi
ceph mon remove "$NAME" >&2
`;

const DISMISS = `
for kind in mgr mds; do ceph auth rm "$kind.$NAME" >&2; done
`;

const self = ({ fsid, name }: MonitorInputs) => ({ FSID: fsid, NAME: name });

/** A monitor of a Ceph cluster, with a manager and a metadata server beside it. */
export const monitor: ResourceType<MonitorInputs, Record<never, never>> = {
  token: "spillway:ceph:Monitor",
  computed: [],
  replaceOn: ["fsid", "name"],
  unfinishedId: ({ name }) => name,
  diff: (old, inputs) => {
    // The first moment is over.
    const ignore = ["connection", "keyring", "addresses", "monitors", "store"];
    return differenceOf(old.inputs, inputs, { ignore, replaceOn: ["fsid", "name"] });
  },

  async create(context, inputs) {
    await start(context, inputs, await livingMap(context, inputs));
    return { id: inputs.name, outputs: {} };
  },

  async read(context, old) {
    const script = { name: "look for a monitor", text: LOOK, values: self(old.inputs), timeoutSeconds: 60 };
    const look = await onHost(old.inputs.connection, context, (session) => session.run(script, context), {
      change: false,
    });
    if (look.trim() === "") return undefined;
    // As changed by others: the next update starts what stands still.
    const inputs = look.trim() === "running" ? old.inputs : { ...old.inputs, managerKeyring: "" };
    return { inputs, outputs: {} };
  },

  async update(context, _old, inputs) {
    await start(context, inputs);
    return {};
  },

  async delete(context, { inputs }) {
    const { connection, name } = inputs;
    // Its store lives on; only one that is given up may be out of reach.
    const living = async (work: () => Promise<unknown>) => {
      if (lives) await orForget(context, { allowDataLoss: true }, work);
    };
    const lives = await mustLeave(context, inputs);
    await living(() => leave(context, inputs));
    const script = { name: `remove monitor ${name}`, text: REMOVE, values: self(inputs) };
    await orGiveUp(context, () => onHost(connection, context, (session) => session.run(script, context)));
    await living(() => {
      const question = { name: `dismiss the daemons of ${name}`, text: DISMISS, values: { NAME: name } };
      return onCluster(withoutIt(inputs), context, question);
    });
  },
};

/** The cluster as it is asked when this monitor leaves. */
function withoutIt(inputs: MonitorInputs): ClusterInputs {
  const { [inputs.name]: _, ...monitors } = inputs.monitors;
  return { ...inputs, monitors };
}

/** Whether the store has come to life: one that has goes on without a monitor that leaves. */
async function isAlive(
  context: Context,
  { monitors, fsid }: MonitorInputs,
): Promise<{ alive: boolean; silent?: ConnectionError }> {
  const { living, silent } = await lifeOn(Object.values(monitors), context, { fsid, change: true });
  return { alive: living.length > 0, silent: silent[0]?.error };
}

/** A host that does not answer may be one that a living store does without already. */
async function mustLeave(context: Context, inputs: MonitorInputs): Promise<boolean> {
  const { alive, silent } = await isAlive(context, inputs);
  if (!alive && silent && !givesUp()) throw silent;
  return alive || silent !== undefined;
}

/** The living cluster's map of monitors, in base64; nothing for a store that begins. */
async function livingMap(context: Context, inputs: MonitorInputs): Promise<string> {
  const { alive, silent } = await isAlive(context, inputs);
  if (alive) return onCluster(inputs, context, { name: "fetch the map of monitors", text: MAP });
  if (silent) throw silent;
  return "";
}

async function leave(context: Context, inputs: MonitorInputs): Promise<void> {
  const { name, store, fileSystem } = inputs;
  const question = { name: `take monitor ${name} out`, text: LEAVE, values: { FS: fileSystem, NAME: name } };
  const [verdict, living, needed] = (await onCluster(withoutIt(inputs), context, question)).split(" ");
  if (verdict !== "short") return;
  const found = `without ${name} only ${living} monitors would answer, and ${Number(needed)} have to`;
  refuse(`CephStore "${store}"`, [
    { path: "monitors", found, remedy: "bring the others back, then run again" },
  ]);
}

/** @param living the map of a cluster that it joins; one that has been a member needs none */
async function start(context: Context, inputs: MonitorInputs, living = ""): Promise<void> {
  const { connection, name, addresses, keyring, managerKeyring, metadataKeyring } = inputs;
  context.progress(`${name}: starting a monitor`);
  const monitors = Object.entries(addresses).map(([each, address]) => `${each} ${address}\n`);
  const step = {
    name: `ceph-mon-${name}`,
    text: CREATE,
    values: self(inputs),
    files: { MONITORS: monitors.join(""), LIVING: living },
    secretFiles: {
      KEYRING: keyring,
      MANAGER: managerKeyring,
      METADATA: metadataKeyring,
    },
    timeoutSeconds: 300,
  };
  await onHost(connection, context, (session) => session.step(step, context));
}
