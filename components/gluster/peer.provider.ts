import type { Connection } from "../model/connection.ts";
import { Refusal, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { onHost } from "../ssh/session.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { type LiveMember, liveMembers, type Members, PRELUDE } from "./pool.ts";

export interface PeerInputs {
  connection: Connection;
  /** Name of the host. */
  host: string;
  /** Every host of the pool, this one too. */
  members: Members;
  /** Whose it is, for messages: `GlusterStore "shared"`. */
  of: string;
}

/*
 * Who probes is known to the others by its address until one of them probes it by name. A peer that is
 * there already is no error.
 */
const PROBE = `${PRELUDE}
for name in $NAMES; do g peer probe "$name" >&2; done
turns=0
for name in $NAMES $CONNECTED; do
  until peers | grep -qxF "$name connected"; do
    turns=$((turns + 1))
    if [ "$turns" -ge 60 ]; then gluster --mode=script peer status >&2; exit 1; fi
    sleep 1
  done
done
`;

const DETACH = `${PRELUDE}
if peers | grep -qF "$NAME "; then g peer detach "$NAME" force >&2; fi
`;

/**
 * What glusterd notes goes with its last pool; the package's own files come with the package. Its
 * daemons outlive it; a client's mounts are none of them.
 */
const LEAVE = `
# From the disk: a daemon that is silent has volumes all the same.
volumes=$(ls -A /var/lib/glusterd/vols 2>/dev/null || :)
if [ -n "$volumes" ]; then echo "it still has volumes that the program does not know: $volumes" >&2; exit 1; fi
systemctl stop glusterd
for file in /run/gluster/*/*.pid /run/gluster/*/*/*.pid; do
  if [ -e "$file" ]; then kill "$(cat "$file")" 2>/dev/null || :; fi
done
rm -rf /run/gluster
for entry in glusterd.info peers vols bitd scrub snaps ss_brick nfs quotad glustershd options; do
  rm -rf "/var/lib/glusterd/$entry"
done
`;

async function ensurePool(context: Context, inputs: PeerInputs): Promise<void> {
  const live = await liveMembers(inputs.members, context);
  const self = live.find(({ host }) => host === inputs.host);
  if (!self)
    throw new Refusal(inputs.of, [
      {
        path: `bricks.${inputs.host}`,
        found: "its glusterd does not answer",
        remedy: "see `journalctl -u glusterd` there, then run again",
      },
    ]);
  refuseForeign(inputs, self);
  const leader = live.find(({ peers }) => peers.length > 0) ?? self;
  const others = live.filter(({ host }) => host !== leader.host);
  if (others.length === 0 || isWhole(live)) return;
  context.progress(`${inputs.host}: joining the trusted pool`);
  // Probing a peer that is there already can time out while another joins.
  const isMissing = ({ name }: LiveMember) => !leader.peers.includes(name);
  const connected = others.filter((other) => !isMissing(other));
  await probe(context, leader, others.filter(isMissing), connected);
  // Asked anew: it may have become a peer just now.
  const back = (await liveMembers(inputs.members, context)).find(({ host }) => host === others[0]!.host);
  if (back && !back.peers.includes(leader.name)) await probe(context, back, [leader]);
}

/** Whether all of them know and hear each other by name: one forms the pool for all. */
const isWhole = (live: LiveMember[]): boolean =>
  live.every((one) => live.every(({ name }) => name === one.name || one.connected.includes(name)));

async function probe(
  context: Context,
  from: LiveMember,
  missing: LiveMember[],
  connected: LiveMember[] = [],
): Promise<void> {
  const namesOf = (members: LiveMember[]) => members.map(({ name }) => name).join(" ");
  const values = { NAMES: namesOf(missing), CONNECTED: namesOf(connected) };
  const script = { name: "gluster peer probe", text: PROBE, values, timeoutSeconds: 240 };
  await onHost(from.connection, context, (session) => session.run(script, context));
}

/** A host of somebody else's pool would bring that into ours. */
function refuseForeign({ of, members, host }: PeerInputs, self: LiveMember): void {
  const known = Object.values(members).flatMap(({ name, connection }) => [name, connection.address]);
  const foreign = self.peers.filter((peer) => !known.includes(peer));
  // Those that leave with this run are in the pool until it ends.
  if (foreign.length < self.peers.length || foreign.length === 0) return;
  const found = `the host is in a trusted pool with ${foreign.join(", ")}`;
  refuse(of, [{ path: `bricks.${host}`, found, remedy: "name another host, or take it out of that pool" }]);
}

/** A host that is a member of a store's trusted pool. */
export const peer: ResourceType<PeerInputs, Record<never, never>> = {
  token: "spillway:gluster:Peer",
  computed: [],
  unfinishedId: ({ host }) => host,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["connection", "members", "of"], replaceOn: ["host"] }),

  async create(context, inputs) {
    await ensurePool(context, inputs);
    return { id: inputs.host, outputs: {} };
  },

  async read(context, old) {
    const { members, host } = old.inputs;
    const live = await liveMembers(members, context);
    const name = members[host]!.name;
    const others = live.filter((member) => member.host !== host);
    return others.length === 0 || others.some(({ peers }) => peers.includes(name)) ? old : undefined;
  },

  async update(context, _old, inputs) {
    await ensurePool(context, inputs);
    return {};
  },

  async delete(context, { inputs }) {
    const { members, host, connection } = inputs;
    const live = await liveMembers(members, context);
    const other = live.find((member) => member.host !== host && member.peers.includes(members[host]!.name));
    const run = (to: Connection, name: string, text: string, values: Record<string, string> = {}) =>
      onHost(to, context, (session) => session.run({ name, text, values, timeoutSeconds: 180 }, context));
    if (other) await run(other.connection, `detach ${host}`, DETACH, { NAME: members[host]!.name });
    await orGiveUp(context, () => run(connection, "leave the trusted pool", LEAVE));
  },
};
