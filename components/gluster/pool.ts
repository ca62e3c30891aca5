import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, onHost } from "../ssh/session.ts";

/** A host of a trusted pool. */
export interface Member {
  connection: Connection;
  /** Name that the pool knows it by; every host resolves it. */
  name: string;
}

/** The hosts of a pool, by name of the host. */
export type Members = Record<string, Member>;

/** Every name of every peer, with `connected` or `away`. A peer has several once it was probed by another one. */
const PEERS = `
peers() {
  known=$(gluster --mode=script peer status 2>/dev/null) || return 1
  printf '%s\\n' "$known" | awk '
    /^Hostname: / { name = $2; next }
    /^State: / { state = /Peer in Cluster \\(Connected\\)/ ? "connected" : "away"; print name, state; next }
    NF == 1 && !/:/ { print $1, state }'
}
`;

/**
 * Shell text that every script begins with. glusterd takes one change of the pool at a time and refuses
 * a second one instead of letting it wait.
 */
export const PRELUDE = `
g() {
  turns=0
  until said=$(gluster --mode=script "$@" 2>&1); do
    case $said in
      *"nother transaction"*|*"Locking"*|*"in progress"*|*"try again"*|*"Connection failed"*|*"timed out"*) ;;
      *) printf '%s\\n' "$said" >&2; return 1 ;;
    esac
    turns=$((turns + 1))
    if [ "$turns" -ge 60 ]; then printf '%s\\n' "$said" >&2; return 1; fi
    sleep 1
  done
  printf '%s\\n' "$said"
}
${PEERS}`;

/** Prints the names of the peers that glusterd knows, itself left out, and whether it hears them. */
const LOOK = `${PEERS}
if systemctl -q is-active glusterd && said=$(peers); then
  echo live
  printf '%s\\n' "$said"
else echo silent
fi
`;

/** A member whose glusterd answers, and the peers it knows. */
export interface LiveMember extends Member {
  host: string;
  peers: string[];
  /** Those of them that it hears. */
  connected: string[];
}

/** The members whose glusterd answers, by name of the host. */
export async function liveMembers(members: Members, context: Context): Promise<LiveMember[]> {
  const script = { name: "ask glusterd", text: LOOK, timeoutSeconds: 60 };
  const answers = await Promise.all(
    Object.entries(members).map(async ([host, member]) => {
      const printed = await onHost(member.connection, context, (session) => session.run(script, context), {
        change: false,
      }).catch((error: unknown) => {
        if (error instanceof ConnectionError) return "silent";
        throw error;
      });
      const [state, ...lines] = printed.trim().split("\n");
      const known = lines.filter((line) => line !== "").map((line) => line.split(" "));
      const peers = known.map(([name]) => name!);
      const connected = known.flatMap(([name, how]) => (how === "connected" ? [name!] : []));
      return state === "live" ? [{ ...member, host, peers, connected }] : [];
    }),
  );
  return answers.flat();
}

/** One of the members that answer; any will do that has not lost its pool. */
export async function anyMember(of: string, members: Members, context: Context): Promise<LiveMember> {
  const live = await liveMembers(members, context);
  const [member] = live.sort((a, b) => b.peers.length - a.peers.length);
  if (member) return member;
  throw new Refusal(of, [
    {
      path: "bricks",
      found: `no glusterd answers on ${Object.keys(members).join(", ")}`,
      remedy: "see that the hosts and their glusterd.service are up, then run again",
    },
  ]);
}
