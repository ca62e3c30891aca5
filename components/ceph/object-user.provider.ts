import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { type ClusterInputs, onCluster, orForget, parsed } from "./cluster.ts";

export interface ObjectUserInputs extends ClusterInputs {
  /** Name of the user. */
  name: string;
  /** It may go with the buckets that it has. */
  allowDataLoss: boolean;
}

export interface ObjectUserOutputs {
  /** Secret. */
  accessKey: string;
  /** Secret. */
  secretKey: string;
}

/* A list tells who is there: another error than "no such user" ends the script. */
const ADMIN = `
admin() { timeout -k 5 300 radosgw-admin "$@"; }
is_user() {
  is_pool default.rgw.meta || return 1
  users=$(admin user list) || exit 1
  printf '%s' "$users" | grep -qF "\\"$NAME\\""
}
`;

/** The keys are the gateway's own choice: as arguments they would stand in a process list. */
const MAKE = `${ADMIN}
if is_user; then admin user info --uid "$NAME"; else admin user create --uid "$NAME" --display-name "$NAME"; fi
`;

const LOOK = `${ADMIN}
if is_user; then admin user info --uid "$NAME"; fi
`;

const BUCKETS = `${ADMIN}
if is_user; then
  buckets=$(admin bucket list --uid "$NAME")
  printf '%s' "$buckets" | tr -d '[]", \\n' | head -c 100
fi
`;

const REMOVE = `${ADMIN}
if is_user; then admin user rm --uid "$NAME" --purge-data >&2; fi
`;

interface User {
  keys: { access_key: string; secret_key: string }[];
}

async function ask(context: Context, inputs: ObjectUserInputs, text: string, change: boolean) {
  const question = { name: `the user ${inputs.name}`, text, values: { NAME: inputs.name } };
  const printed = (await onCluster(inputs, context, question, change)).trim();
  if (printed === "") return undefined;
  const [key] = parsed<User>(printed).keys;
  return key && { accessKey: key.access_key, secretKey: key.secret_key };
}

/** A user of a cluster's object gateways. */
export const objectUser: ResourceType<ObjectUserInputs, ObjectUserOutputs> = {
  token: "spillway:ceph:ObjectUser",
  computed: ["accessKey", "secretKey"],
  secret: ["accessKey", "secretKey"],
  unfinishedId: ({ name }) => name,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["monitors", "store"], replaceOn: ["name", "fsid"] }),

  async create(context, inputs) {
    const keys = await ask(context, inputs, MAKE, true);
    if (!keys)
      throw new Error(`the user ${inputs.name} has no keys; remove it with radosgw-admin, then run again`);
    return { id: inputs.name, outputs: keys };
  },

  async read(context, { inputs }) {
    const keys = await ask(context, inputs, LOOK, false);
    return keys && { inputs, outputs: keys };
  },

  async update(_context, old) {
    return old.outputs;
  },

  delete: (context, { inputs }) => orForget(context, inputs, () => remove(context, inputs)),
};

async function remove(context: Context, inputs: ObjectUserInputs): Promise<void> {
  const { store, name, allowDataLoss } = inputs;
  const values = { NAME: name };
  if (!allowDataLoss) {
    const question = { name: `look for buckets of ${name}`, text: BUCKETS, values };
    const held = (await onCluster(inputs, context, question)).trim();
    if (held !== "") {
      refuse(`CephStore "${store}"`, [dataLossProblem(`the user ${name} has the bucket ${held}`)]);
    }
  }
  await onCluster(inputs, context, { name: `remove the user ${name}`, text: REMOVE, values });
}
