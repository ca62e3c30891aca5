import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { type ClusterInputs, onCluster, orForget } from "./cluster.ts";
import { copies, POOL } from "./pool.ts";

export interface BlockPoolInputs extends ClusterInputs {
  /** Name of the pool. */
  name: string;
  /** Copies of each object. */
  replicas: number;
  /** It may go with the devices in it. */
  allowDataLoss: boolean;
}

const MAKE = `${POOL}
pools "$NAME" 8
timeout -k 5 120 rbd pool init "$NAME" >&2
`;

const LOOK = `
if is_pool "$NAME"; then ceph osd pool get "$NAME" size; fi
`;

/** Devices of every namespace, also those that wait in the trash. */
const HOLDS = `
in_pool() { timeout -k 5 120 rbd --pool "$NAME" "$@"; }
if is_pool "$NAME"; then
  spaces=$(in_pool namespace ls --format json)
  spaces=$(printf '%s' "$spaces" | tr -d ' ' | tr ',' '\\n' | sed -n 's/.*"name":"\\([^"]*\\)".*/\\1/p')
  devices=$(in_pool ls; in_pool trash ls --all)
  for space in $spaces; do
    more=$(in_pool --namespace "$space" ls; in_pool --namespace "$space" trash ls --all)
    devices=$(printf '%s\\n%s\\n' "$devices" "$more")
  done
  printf '%s\\n' "$devices" | sed -n '/./{p;q}'
fi
`;

const REMOVE = `${POOL}
remove_pool "$NAME"
`;

async function make(context: Context, inputs: BlockPoolInputs): Promise<void> {
  const { name, replicas } = inputs;
  const values = { NAME: name, ...copies(replicas) };
  await onCluster(inputs, context, { name: `make the pool ${name}`, text: MAKE, values });
}

/** A pool of block devices (RBD). */
export const blockPool: ResourceType<BlockPoolInputs, Record<never, never>> = {
  token: "spillway:ceph:BlockPool",
  words: ["allowDataLoss"],
  computed: [],
  unfinishedId: ({ name }) => name,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["monitors", "store"], replaceOn: ["name", "fsid"] }),

  async create(context, inputs) {
    await make(context, inputs);
    return { id: inputs.name, outputs: {} };
  },

  async read(context, { inputs }) {
    const question = { name: `look at the pool ${inputs.name}`, text: LOOK, values: { NAME: inputs.name } };
    const size = /\d+/.exec(await onCluster(inputs, context, question, false));
    return size ? { inputs: { ...inputs, replicas: Number(size[0]) }, outputs: {} } : undefined;
  },

  async update(context, _old, inputs) {
    await make(context, inputs);
    return {};
  },

  delete: (context, { inputs }) => orForget(context, inputs, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: BlockPoolInputs): Promise<void> {
  const { store, name, allowDataLoss } = inputs;
  const values = { NAME: name };
  if (!allowDataLoss) {
    const held = (
      await onCluster(inputs, context, { name: `look into ${name}`, text: HOLDS, values })
    ).trim();
    if (held !== "") {
      refuse(`CephStore "${store}"`, [dataLossProblem(`the pool ${name} holds the device ${held}`)]);
    }
  }
  await onCluster(inputs, context, { name: `remove the pool ${name}`, text: REMOVE, values });
}
