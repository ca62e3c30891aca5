import { refuse } from "../model/problem.ts";
import { dataLossProblem } from "../model/store.ts";
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
if ! ceph fs subvolume info "$FS" "$NAME" >/dev/null 2>&1; then
  ceph fs subvolume create "$FS" "$NAME" --mode 0777 --namespace-isolated >&2
fi
ceph fs subvolume resize "$FS" "$NAME" "$SIZE" $SHRINK >&2
ceph fs subvolume info "$FS" "$NAME"
`;

const LOOK = `
if ceph fs get "$FS" >/dev/null 2>&1; then
  if found=$(ceph fs subvolume info "$FS" "$NAME" 2>&1); then printf '%s\\n' "$found"
  else case $found in *ENOENT*) ;; *) printf '%s\\n' "$found" >&2; exit 1 ;; esac
  fi
fi
`;

const IMPORT = `
ceph auth import -i "$KEYRING" >&2
`;

/** Entries at the top of the directory: a look by a mount, since the sums of a directory lag behind. */
const COUNT = `
place=$(mktemp -d -p /run)
trap 'umount -l "$place" 2>/dev/null || :; rmdir "$place" 2>/dev/null || :' EXIT
timeout -k 5 120 ceph-fuse --id admin --client_fs "$FS" -r "$DIRECTORY" "$place" >/dev/null
find "$place" -mindepth 1 -maxdepth 1 | head -n 1000 | wc -l
`;

const REMOVE = `
if ceph fs subvolume info "$FS" "$NAME" >/dev/null 2>&1; then ceph fs subvolume rm "$FS" "$NAME" >&2; fi
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
  const printed = await onCluster(inputs, context, {
    name: `make the volume ${name}`,
    text: MAKE,
    values: {
      ...self(inputs),
      SIZE: capacity === undefined ? "inf" : String(capacity),
      SHRINK: allowDataLoss ? "" : "--no_shrink",
    },
  });
  const { path, pool_namespace: namespace, data_pool: pool } = parsed<Info>(printed);
  const caps = {
    mon: "allow r",
    // `s` lets it make snapshots below.
    mds: `allow rws fsname=${fileSystem} path=${path}`,
    osd: `allow rw pool=${pool} namespace=${namespace}`,
  };
  await onCluster(inputs, context, {
    name: `admit ${client}`,
    text: IMPORT,
    secretFiles: { KEYRING: cephKeyring([{ name: client, key, caps }]) },
  });
  return { directory: path };
}

async function look(context: Context, inputs: SubvolumeInputs, change: boolean): Promise<Info | undefined> {
  const question = { name: `look at the volume ${inputs.name}`, text: LOOK, values: self(inputs) };
  const printed = await onCluster(inputs, context, question, change);
  return printed.trim() === "" ? undefined : parsed<Info>(printed);
}

/** A directory of a store's file system with a quota, objects of its own and a client that sees no other. */
export const subvolume: ResourceType<SubvolumeInputs, SubvolumeOutputs> = {
  token: "spillway:ceph:Subvolume",
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
