import type { Connection } from "../model/connection.ts";
import { messageOf, refuse } from "../model/problem.ts";
import type { Context, Existing, ResourceType } from "../provider/resource.ts";
import { HostError } from "./error.ts";
import type { HostStateArgs, HostStateOutputs } from "./host-state.ts";
import { onHost, type Session } from "./session.ts";
import { type Action, application, warningsIn } from "./state/apply.ts";
import { checkHostState } from "./state/check.ts";
import { differenceOf } from "./state/difference.ts";
import { inputsAsFound, withLeftovers } from "./state/found.ts";
import { type Facts, observation, parseFacts } from "./state/observe.ts";
import { type Plan, planBase, planState } from "./state/plan.ts";
import { type Wanted, wantedOf } from "./state/wanted.ts";
import { orGiveUp } from "./unreachable.ts";

async function observe(session: Session, wanted: Wanted, context: Context): Promise<Facts> {
  const printed = await session.run(observation(wanted), context);
  try {
    return parseFacts(wanted, printed);
  } catch (error) {
    throw new HostError(session.connection.host, `state ${wanted.name}`, messageOf(error));
  }
}

async function perform(session: Session, name: string, actions: Action[], context: Context): Promise<void> {
  if (actions.length === 0) return;
  const printed = await session.run(application(name, actions, context.timeoutSeconds || undefined), context);
  for (const warning of warningsIn(printed)) context.warn(`${session.connection.host}: ${warning}`);
}

async function upload(session: Session, { uploads }: Plan, context: Context): Promise<void> {
  await Promise.all(
    uploads.map(async ({ path, bytes, sha256, mode }) => {
      if (Buffer.isBuffer(bytes)) return;
      context.progress(`${session.connection.host}: sending ${path}`);
      await session.upload(bytes.source, path, { mode, sha256 }, context);
    }),
  );
}

const turns = new Map<string, Promise<unknown>>();

/** States of one host change it one after the other: each decides by the ledgers of all. */
async function inTurn<T>({ address, port = 22 }: Connection, work: () => Promise<T>): Promise<T> {
  const key = `${address}:${port}`;
  const before = turns.get(key) ?? Promise.resolve();
  const mine = before.then(work, work);
  turns.set(key, mine);
  try {
    return await mine;
  } finally {
    if (turns.get(key) === mine) turns.delete(key);
  }
}

/** Makes the host as wanted: one round trip when nothing differs, two when something does. */
function apply(context: Context, inputs: HostStateArgs, isOurs: IsOurs): Promise<void> {
  const wanted = wantedOf(inputs);
  return inTurn(inputs.connection, () =>
    onHost(inputs.connection, context, async (session) => {
      let facts = await observe(session, wanted, context);
      refuseOthers(inputs, facts, isOurs);
      const base = planBase(wanted, facts, context.urn);
      if (base.length > 0) {
        await perform(session, wanted.name, base, context);
        facts = await observe(session, wanted, context);
      }
      const plan = planState(wanted, facts, context.urn);
      refuse(`host ${inputs.connection.host}, state ${inputs.name}`, plan.problems);
      if (plan.uploads.length === 0)
        return perform(session, wanted.name, [...plan.first, ...plan.last], context);
      await perform(session, wanted.name, plan.first, context);
      await upload(session, plan, context);
      await perform(session, wanted.name, plan.last, context);
    }),
  );
}

/** Whether a state that the host holds under our name is ours, by the resource that put it there. */
type IsOurs = (holder: string) => boolean;

/** A new resource goes on with its own work only: what another put under the name would be taken back with that one. */
const bySameResource =
  ({ urn }: Context): IsOurs =>
  (holder) =>
    holder === urn;

/**
 * A resource that was made before has another name than on the host where it moved in its program, or where its stack
 * or project was renamed. Somebody else's never gets here: its create was refused.
 */
const byKinship = ({ urn }: Context): IsOurs => {
  const [stackOf, nameOf] = [[0, 2], [2]].map(
    (part) => (text: string) =>
      text
        .split("::")
        .slice(...part)
        .join("::"),
  ) as [(text: string) => string, (text: string) => string];
  return (holder) => stackOf(holder) === stackOf(urn) || nameOf(holder) === nameOf(urn);
};

/** Two resources may not use one name on one host. */
function refuseOthers({ name, connection }: HostStateArgs, facts: Facts, isOurs: IsOurs): void {
  const holder = facts.ledgers.get(name)?.urn;
  if (holder === undefined || isOurs(holder)) return;
  refuse(`host ${connection.host}`, [
    {
      path: "name",
      found: `the state "${name}" belongs to ${holder}`,
      remedy: "take that one away with one `pulumi up` first, or choose another name",
    },
  ]);
}

async function look(context: Context, inputs: HostStateArgs): Promise<{ wanted: Wanted; facts: Facts }> {
  const wanted = wantedOf(inputs);
  const facts = await onHost(inputs.connection, context, (session) => observe(session, wanted, context), {
    change: false,
  });
  return { wanted, facts };
}

/** Throws what an application would refuse. */
async function foresee(context: Context, inputs: HostStateArgs, isOurs: IsOurs): Promise<void> {
  const { wanted, facts } = await look(context, inputs);
  refuseOthers(inputs, facts, isOurs);
  // What packages and modules will bring is not there to be judged yet.
  if (planBase(wanted, facts, context.urn).length > 0) return;
  const { problems } = planState(wanted, facts, context.urn);
  refuse(`host ${inputs.connection.host}, state ${inputs.name}`, problems);
}

function idOf({ connection, name }: HostStateArgs): string {
  return `${connection.host}/${name}`;
}

/** Declared state of one host. */
export const hostState: ResourceType<HostStateArgs, HostStateOutputs> = {
  token: "spillway:ssh:HostState",
  computed: [],
  check: checkHostState,
  diff: (old, inputs) => differenceOf(old.inputs, inputs),

  preview: (context, inputs) => foresee(context, inputs, bySameResource(context)),
  previewUpdate: (context, _old, inputs) => foresee(context, inputs, byKinship(context)),

  unfinishedId: idOf,

  async create(context, inputs) {
    await apply(context, inputs, bySameResource(context));
    return { id: idOf(inputs), outputs: {} };
  },

  async read(context, old) {
    const { wanted, facts } = await look(context, old.inputs);
    const ledger = facts.ledgers.get(wanted.name);
    if (!ledger) return undefined;
    return { inputs: withLeftovers(inputsAsFound(old.inputs, wanted, facts), wanted, ledger), outputs: {} };
  },

  async update(context, _old, inputs) {
    await apply(context, inputs, byKinship(context));
    return {};
  },

  delete: (context, old: Existing<HostStateArgs, HostStateOutputs>) => {
    const { connection, name } = old.inputs;
    const nothing = wantedOf({ connection, name });
    const takeBack = () =>
      onHost(connection, context, async (session) => {
        const facts = await observe(session, nothing, context);
        const holder = facts.ledgers.get(name)?.urn;
        // One that was refused beside the state's holder has put nothing there.
        if (holder === undefined || ("unfinished" in old.outputs && holder !== context.urn)) return;
        const plan = planState(nothing, facts, holder);
        await perform(session, name, [...plan.first, ...plan.last, { verb: "forget" }], context);
      });
    return inTurn(connection, () => orGiveUp(context, takeBack));
  },
};
