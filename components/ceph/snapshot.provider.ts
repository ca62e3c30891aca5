import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { type ClusterInputs, onCluster, orForget } from "./cluster.ts";

export interface SubvolumeSnapshotInputs extends ClusterInputs {
  fileSystem: string;
  /** Name of the subvolume. */
  volume: string;
  /** Its directory in the file system. */
  directory: string;
  name: string;
  /** It may go. */
  allowDataLoss: boolean;
}

export interface SubvolumeSnapshotOutputs {
  /** Where its files are, below the volume's top. */
  path: string;
  /** When it was taken, UTC. */
  time: string;
}

/** A client sees a snapshot of what is above its own top by another name, which only a look tells. */
const SHOW = `
is_fs "$FS" || exit 0
info=$(ask fs subvolume snapshot info "$FS" "$VOLUME" "$NAME")
if [ -z "$info" ]; then exit 0; fi
place=$(mktemp -d -p /run)
trap 'umount -l "$place" 2>/dev/null || :; rmdir "$place" 2>/dev/null || :' EXIT
timeout -k 5 120 ceph-fuse --id admin --client_fs "$FS" -r "$DIRECTORY" "$place" >/dev/null
for each in "$place"/.snap/*; do
  seen=\${each##*/}
  if [ "\${seen#_}" != "$seen" ] && [ "\${seen%_*}" = "_$NAME" ]; then echo ".snap/$seen"; fi
done
printf '%s\\n' "$info" | sed -n 's/.*"created_at": "\\([^"]*\\)".*/\\1/p'
`;

const TAKE = `
known=$(ask fs subvolume snapshot info "$FS" "$VOLUME" "$NAME")
if [ -z "$known" ]; then
  ceph fs subvolume snapshot create "$FS" "$VOLUME" "$NAME" >&2
fi
${SHOW}
`;

const REMOVE = `
is_fs "$FS" || exit 0
known=$(ask fs subvolume snapshot info "$FS" "$VOLUME" "$NAME")
if [ -n "$known" ]; then ceph fs subvolume snapshot rm "$FS" "$VOLUME" "$NAME" >&2; fi
`;

const IS_THERE = `
is_fs "$FS" || exit 0
ask fs subvolume snapshot info "$FS" "$VOLUME" "$NAME"
`;

const valuesOf = ({ fileSystem, volume, directory, name }: SubvolumeSnapshotInputs) => ({
  FS: fileSystem,
  VOLUME: volume,
  DIRECTORY: directory,
  NAME: name,
});

function parsed(printed: string): SubvolumeSnapshotOutputs | undefined {
  const [path, time] = printed.trim().split("\n");
  return path && time ? { path, time } : undefined;
}

/** A volume as it was at one moment. */
export const subvolumeSnapshot: ResourceType<SubvolumeSnapshotInputs, SubvolumeSnapshotOutputs> = {
  token: "spillway:ceph:SubvolumeSnapshot",
  computed: ["path", "time"],
  unfinishedId: ({ name }) => name,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, {
      ignore: ["monitors", "store"],
      replaceOn: ["fileSystem", "volume", "directory", "name", "fsid"],
    }),

  async create(context, inputs) {
    const { volume, name } = inputs;
    const question = { name: `take the snapshot ${name} of ${volume}`, text: TAKE, values: valuesOf(inputs) };
    const taken = parsed(await onCluster(inputs, context, question));
    if (!taken) throw new Error(`the snapshot ${name} of ${volume} is not to be seen; run again`);
    return { id: name, outputs: taken };
  },

  async read(context, { inputs }) {
    const question = { name: `look at the snapshot ${inputs.name}`, text: SHOW, values: valuesOf(inputs) };
    const found = parsed(await onCluster(inputs, context, question, false));
    return found && { inputs, outputs: found };
  },

  update: async (_context, old) => old.outputs,

  delete: (context, { inputs }) => orForget(context, inputs, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: SubvolumeSnapshotInputs): Promise<void> {
  const { store, volume, name, allowDataLoss } = inputs;
  const look = { name: `look for the snapshot ${name}`, text: IS_THERE, values: valuesOf(inputs) };
  if ((await onCluster(inputs, context, look)).trim() === "") return;
  if (!allowDataLoss) {
    const found = `the volume "${volume}" as it was then is nowhere else`;
    refuse(`CephStore "${store}", snapshot "${name}"`, [dataLossProblem(found)]);
  }
  const removal = { name: `remove the snapshot ${name}`, text: REMOVE, values: valuesOf(inputs) };
  await onCluster(inputs, context, removal);
}
