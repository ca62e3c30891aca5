import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { cephKeyring } from "../render/ceph.ts";
import { type ClusterInputs, onCluster, orForget, parsed } from "./cluster.ts";

export interface SubvolumeInputs extends ClusterInputs {
  fileSystem: string;
  name: string;
  /** Most bytes that it may hold. @default as many as the store has */
  capacity?: number;
  /** Who mounts it, such as `client.shared-data`. */
  client: string;
  /** In Ceph's form; secret. */
  key: string;
  /** It may go, or shrink, with what is in it. */
  allowDataLoss: boolean;
}

export interface SubvolumeOutputs {
  /** Its directory in the file system. */
  directory: string;
}

/* A mkdir and a quota would need a mount; the manager's volumes module makes both. */
const MAKE = `
known=$(ask fs subvolume info "$FS" "$NAME")
if [ -n "$known" ]; then
  ceph fs subvolume resize "$FS" "$NAME" "$SIZE" $SHRINK >&2
else
  size=
  if [ "$SIZE" != inf ]; then size="--size $SIZE"; fi
  ceph fs subvolume create "$FS" "$NAME" $size --mode 0777 --namespace-isolated >&2
fi
info=$(ceph fs subvolume info "$FS" "$NAME")
place=$(printf '%s\\n' "$info" | sed -n 's/^ *"path": "\\(.*\\)",*$/\\1/p')
# A keyring's caps name the directory, which the cluster has chosen.
sed "s|@DIRECTORY@|$place|" "$KEYRING" | ceph auth import -i - >&2
printf '%s\\n' "$info"
`;

const LOOK = `
if is_fs "$FS"; then ask fs subvolume info "$FS" "$NAME"; fi
`;

/** Entries at the top of the directory: a look by a mount, since the sums of a directory lag behind. */
const COUNT = `
place=$(mktemp -d -p /run)
trap 'umount -l "$place" 2>/dev/null || :; rmdir "$place" 2>/dev/null || :' EXIT
timeout -k 5 120 ceph-fuse --id admin --client_fs "$FS" -r "$DIRECTORY" "$place" >/dev/null
entries=$(find "$place" -mindepth 1 -maxdepth 1 -printf .)
printf '%s' "$entries" | wc -c
`;

const REMOVE = `
if is_fs "$FS"; then
  known=$(ask fs subvolume info "$FS" "$NAME")
  if [ -n "$known" ]; then ceph fs subvolume rm "$FS" "$NAME" >&2; fi
fi
ceph auth rm "$CLIENT" >&2
`;

interface Info {
  path: string;
  pool_namespace: string;
  data_pool: string;
  bytes_quota: number | "infinite";
}

const self = ({ fileSystem, name }: SubvolumeInputs) => ({ FS: fileSystem, NAME: name });

async function make(context: Context, inputs: SubvolumeInputs): Promise<SubvolumeOutputs> {
  const { fileSystem, name, capacity, client, key, allowDataLoss } = inputs;
  const caps = {
    mon: "allow r",
    // `s` lets it make snapshots below.
    mds: `allow rws fsname=${fileSystem} path=@DIRECTORY@`,
    osd: `allow rw pool=${fileSystem}-data namespace=fsvolumens_${name}`,
  };
  const printed = await onCluster(inputs, context, {
    name: `make the volume ${name}`,
    text: MAKE,
    values: {
      ...self(inputs),
      SIZE: capacity === undefined ? "inf" : String(capacity),
      SHRINK: allowDataLoss ? "" : "--no_shrink",
    },
    secretFiles: { KEYRING: cephKeyring([{ name: client, key, caps }]) },
  });
  return { directory: parsed<Info>(printed).path };
}

async function look(context: Context, inputs: SubvolumeInputs, change: boolean): Promise<Info | undefined> {
  const question = { name: `look at the volume ${inputs.name}`, text: LOOK, values: self(inputs) };
  const printed = await onCluster(inputs, context, question, change);
  return printed.trim() === "" ? undefined : parsed<Info>(printed);
}

/** A directory of a store's file system with a quota, objects of its own and a client that sees no other. */
export const subvolume: ResourceType<SubvolumeInputs, SubvolumeOutputs> = {
  token: "spillway:ceph:Subvolume",
  words: ["allowDataLoss"],
  computed: ["directory"],
  unfinishedId: ({ name }) => name,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, {
      ignore: ["monitors", "store"],
      replaceOn: ["fileSystem", "name", "client", "fsid"],
    }),

  async create(context, inputs) {
    return { id: inputs.name, outputs: await make(context, inputs) };
  },

  async read(context, old) {
    const info = await look(context, old.inputs, false);
    if (!info) return undefined;
    const capacity = info.bytes_quota === "infinite" ? undefined : info.bytes_quota;
    return { inputs: { ...old.inputs, capacity }, outputs: { directory: info.path } };
  },

  update: (context, _old, inputs) => make(context, inputs),

  delete: (context, { inputs }) => orForget(context, inputs, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: SubvolumeInputs): Promise<void> {
  const { store, name, client, allowDataLoss } = inputs;
  const info = await look(context, inputs, true);
  if (info && !allowDataLoss) {
    const question = {
      name: `look into ${name}`,
      text: COUNT,
      values: { ...self(inputs), DIRECTORY: info.path },
    };
    const entries = Number((await onCluster(inputs, context, question)).trim());
    if (entries > 0)
      refuse(`CephStore "${store}", volume "${name}"`, [
        dataLossProblem(`it holds data (${entries} at its top)`),
      ]);
  }
  const removal = {
    name: `remove the volume ${name}`,
    text: REMOVE,
    values: { ...self(inputs), CLIENT: client },
  };
  await onCluster(inputs, context, removal);
}
