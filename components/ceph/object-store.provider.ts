import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { type ClusterInputs, onCluster, orForget } from "./cluster.ts";
import { copies, POOL } from "./pool.ts";

export interface ObjectStoreInputs extends ClusterInputs {
  /** Copies of each object. */
  replicas: number;
  /** It may go with the buckets in it. */
  allowDataLoss: boolean;
}

/** What a gateway of Ceph's default zone looks for; it would make them itself, and need the right to. */
const pools = [
  ".rgw.root",
  ...["log", "control", "meta", "buckets.index", "buckets.data", "buckets.non-ec"].map(
    (part) => `default.rgw.${part}`,
  ),
];

const MAKE = `${POOL}
pools ${pools.map((name) => `${name} 8`).join(" ")}
for name in ${pools.join(" ")}; do
  ceph osd pool application enable "$name" rgw >&2
done
`;

const LOOK = `
if is_pool default.rgw.meta; then ceph osd pool get default.rgw.meta size; fi
`;

const HOLDS = `
if is_pool default.rgw.meta; then
  buckets=$(timeout -k 5 120 radosgw-admin bucket list)
  printf '%s' "$buckets" | tr -d '[]", \\n' | head -c 100
fi
`;

const REMOVE = `${POOL}
for name in ${pools.join(" ")}; do remove_pool "$name"; done
`;

async function make(context: Context, inputs: ObjectStoreInputs): Promise<void> {
  const question = { name: "make the pools of objects", text: MAKE, values: copies(inputs.replicas) };
  await onCluster(inputs, context, question);
}

/** The pools of a cluster's object gateways. */
export const objectStore: ResourceType<ObjectStoreInputs, Record<never, never>> = {
  token: "spillway:ceph:ObjectStore",
  words: ["allowDataLoss"],
  computed: [],
  unfinishedId: () => "objects",
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["monitors", "store"], replaceOn: ["fsid"] }),

  async create(context, inputs) {
    await make(context, inputs);
    return { id: "objects", outputs: {} };
  },

  async read(context, { inputs }) {
    const question = { name: "look at the pools of objects", text: LOOK };
    const size = /\d+/.exec(await onCluster(inputs, context, question, false));
    return size ? { inputs: { ...inputs, replicas: Number(size[0]) }, outputs: {} } : undefined;
  },

  async update(context, _old, inputs) {
    await make(context, inputs);
    return {};
  },

  delete: (context, { inputs }) => orForget(context, inputs, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: ObjectStoreInputs): Promise<void> {
  if (!inputs.allowDataLoss) {
    const held = (await onCluster(inputs, context, { name: "look into buckets", text: HOLDS })).trim();
    if (held !== "") {
      refuse(`CephStore "${inputs.store}"`, [dataLossProblem(`the object store has the bucket ${held}`)]);
    }
  }
  await onCluster(inputs, context, { name: "remove the pools of objects", text: REMOVE });
}
