import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { cephKeyring } from "../render/ceph.ts";
import { type ClusterInputs, onCluster, orForget } from "./cluster.ts";

export interface ClientInputs extends ClusterInputs {
  /** Such as `client.shared-vms`. */
  name: string;
  /** In Ceph's form; secret. */
  key: string;
  /** What it may do, by the kind of daemon it asks. */
  caps: Record<string, string>;
}

const ADMIT = `
ceph auth import -i "$KEYRING" >&2
`;

const LOOK = `
known=$(ceph auth ls -f json)
case $known in *"\\"entity\\":\\"$NAME\\""*) echo known ;; esac
`;

const REMOVE = `
ceph auth rm "$NAME" >&2
`;

async function admit(context: Context, { name, key, caps, ...cluster }: ClientInputs): Promise<void> {
  const keyring = cephKeyring([{ name, key, caps }]);
  await onCluster(cluster, context, {
    name: `admit ${name}`,
    text: ADMIT,
    secretFiles: { KEYRING: keyring },
  });
}

/** A client of a Ceph cluster, its key and what that may do. */
export const client: ResourceType<ClientInputs, Record<never, never>> = {
  token: "spillway:ceph:Client",
  computed: [],
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["monitors", "store"], replaceOn: ["name", "fsid"] }),

  async create(context, inputs) {
    await admit(context, inputs);
    return { id: inputs.name, outputs: {} };
  },

  async read(context, { inputs }) {
    const question = { name: `look for ${inputs.name}`, text: LOOK, values: { NAME: inputs.name } };
    const known = (await onCluster(inputs, context, question, false)).trim() === "known";
    return known ? { inputs, outputs: {} } : undefined;
  },

  async update(context, _old, inputs) {
    await admit(context, inputs);
    return {};
  },

  // It holds no data.
  delete: (context, { inputs }) => orForget(context, { allowDataLoss: true }, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: ClientInputs): Promise<void> {
  const { name } = inputs;
  await onCluster(inputs, context, { name: `remove ${name}`, text: REMOVE, values: { NAME: name } });
}
