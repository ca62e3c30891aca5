import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, onHost, type Session } from "../ssh/session.ts";
import { GIVE_UP, givesUp } from "../ssh/unreachable.ts";

/** How a Ceph cluster is asked: through any monitor's host, all of which hold the administrator's key. */
export interface ClusterInputs {
  /** Name of the store, for messages. */
  store: string;
  /** Identity of the cluster. */
  fsid: string;
  /** The monitors' hosts, by name. */
  monitors: Record<string, Connection>;
}

/**
 * Shell text that every script about the cluster begins with. Without a quorum a command of Ceph's
 * waits for ever, and takes TERM for nothing. A command that fails must never be taken for "there is no such
 * thing": what goes through a pipe, or is asked by `if`, is read into a variable first.
 */
export const CEPH = `
ceph() { timeout -k 5 60 /usr/bin/ceph --connect-timeout 30 "$@"; }
is_pool() {
  pools=$(ceph osd pool ls) || exit 1
  printf '%s\\n' "$pools" | grep -qxF "$1"
}
is_fs() {
  systems=$(ceph fs ls) || exit 1
  printf '%s\\n' "$systems" | grep -qF "name: $1, "
}
# ask COMMAND...: prints what it says; says nothing where there is no such thing.
ask() {
  if said=$(ceph "$@" 2>&1); then printf '%s\\n' "$said"
  else
    case $said in *ENOENT*) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac
  fi
}
# Of JSON on one line on stdin.
quorum_names() { tr -d ' "' | sed 's/.*quorum_names:\\[\\([^]]*\\).*/\\1/' | tr ',' '\\n'; }
`;

/**
 * Shell text. `start_daemons TARGETS UNITS` starts units now and at boot, and Ceph's targets that they need then; it
 * notes those that nobody had enabled before. `release_targets` sets these back when none of our daemons is left on
 * the host.
 */
export const DAEMONS = `
enabled=/var/lib/spillway/ceph-targets
start_daemons() {
  fresh=; stopped=
  for target in ceph.target $1; do
    systemctl -q is-enabled "$target" 2>/dev/null || fresh="$fresh $target"
  done
  if [ -n "$fresh" ]; then printf '%s\\n' $fresh >>"$enabled"; fi
  systemctl -q enable $fresh $2 >&2
  for unit in $2; do systemctl -q is-active "$unit" || stopped="$stopped $unit"; done
  if [ -z "$stopped" ]; then return 0; fi
  # Ceph's units give up for half an hour after a few tries.
  systemctl reset-failed $stopped 2>/dev/null || :
  systemctl start $stopped
}
release_targets() {
  if [ ! -e "$enabled" ] || [ -e /var/lib/spillway/ceph-monitor ]; then return 0; fi
  if [ -n "$(ls -A /var/lib/spillway/ceph-osds 2>/dev/null)" ]; then return 0; fi
  xargs -r systemctl disable <"$enabled" >&2 2>/dev/null || :
  rm -f "$enabled"
  rmdir /etc/systemd/system/ceph*.target.wants 2>/dev/null || :
}
`;

const QUORUM = `
if timeout -k 2 "$LIMIT" /usr/bin/ceph --connect-timeout "$LIMIT" fsid 2>/dev/null | grep -qxF "$FSID"; then echo quorum; fi
`;

/** Nobody can change the cluster now. */
class NoQuorum extends Refusal {}

/** Seconds that monitors get to find each other, as after a loss of power. */
const QUORUM_SECONDS = 45;

/** Who answered last and when, by the cluster's identity: a run asks for each of a store's resources. */
const answered = new Map<string, { name: string; at: number }>();

/** An answer counts for so long. */
const FRESH_MS = 20_000;

/** Questions that wait for an answer, by whom they ask: resources that come at once ask once. */
const asking = new Map<string, Promise<string>>();

/** A monitor's host by which the cluster answers. */
async function liveMonitor(inputs: ClusterInputs, context: Context): Promise<Connection> {
  const before = answered.get(inputs.fsid);
  const known = before && inputs.monitors[before.name];
  if (known && Date.now() - before.at < FRESH_MS) return known;
  const asked = `${inputs.fsid} ${Object.keys(inputs.monitors).sort()} ${context.preview}`;
  let answer = asking.get(asked);
  if (!answer) {
    answer = askForQuorum(inputs, context).finally(() => asking.delete(asked));
    asking.set(asked, answer);
  }
  return inputs.monitors[await answer]!;
}

/** The first monitor by which the cluster answers; asked one after the other, since each knows of all. */
async function askForQuorum(inputs: ClusterInputs, context: Context): Promise<string> {
  const silent: string[] = [];
  const last = (name: string) => name === answered.get(inputs.fsid)?.name;
  const entries = Object.entries(inputs.monitors).sort(([a], [b]) => Number(last(b)) - Number(last(a)));
  for (const [name, connection] of entries) {
    const script = {
      name: "ask for a quorum",
      text: QUORUM,
      values: { FSID: inputs.fsid, LIMIT: String(QUORUM_SECONDS) },
      timeoutSeconds: QUORUM_SECONDS + 30,
    };
    const look = (session: Session) => session.run(script, context);
    const answer = await onHost(connection, context, look, { change: false }).catch((error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
      return "";
    });
    if (answer.trim() === "quorum") {
      answered.set(inputs.fsid, { name, at: Date.now() });
      return name;
    }
    silent.push(name);
  }
  throw new NoQuorum(`CephStore "${inputs.store}"`, [
    {
      path: "monitors",
      found: `no quorum answers (asked: ${silent.join(", ")}), and nothing is changed without one`,
      remedy:
        "bring back more than half of these hosts and see that ceph-mon runs on them (`systemctl status ceph-mon@HOST`), then run again",
    },
  ]);
}

/** A script about the cluster. */
export interface Question {
  name: string;
  text: string;
  values?: Record<string, string>;
  secretFiles?: Record<string, string>;
  /** @default 300 */
  timeoutSeconds?: number;
}

/** Runs a script on the host of a monitor that has a quorum. */
export async function onCluster(
  inputs: ClusterInputs,
  context: Context,
  { text, timeoutSeconds = 300, ...question }: Question,
  change = !context.preview,
): Promise<string> {
  const script = { ...question, text: `${CEPH}${text}`, timeoutSeconds };
  const ask = async () => {
    const live = await liveMonitor(inputs, context);
    const said = await onHost(live, context, (session) => session.run(script, context), { change });
    // What went well went through a quorum.
    const name = Object.keys(inputs.monitors).find((each) => inputs.monitors[each] === live);
    if (name) answered.set(inputs.fsid, { name, at: Date.now() });
    return said;
  };
  try {
    return await ask();
  } catch (error) {
    if (context.signal.aborted || error instanceof NoQuorum) throw error;
    // For some seconds monitors answer as if those that are gone were still there.
    answered.delete(inputs.fsid);
    await liveMonitor(inputs, context);
    if (!(error instanceof ConnectionError)) throw error;
    return ask();
  }
}

/**
 * Takes something out of the cluster. Without a quorum that fails, unless somebody gives the cluster up and
 * the data in it may go.
 */
export async function orForget(
  context: Context,
  { allowDataLoss }: { allowDataLoss: boolean },
  takeOut: () => Promise<unknown>,
): Promise<void> {
  try {
    await takeOut();
  } catch (error) {
    if (!(error instanceof NoQuorum)) throw error;
    if (!allowDataLoss || !givesUp()) {
      const word = allowDataLoss ? "" : "record `allowDataLoss: true` with an up, then ";
      throw new Error(`${error.message}\n  or, if the store is gone for good, ${word}run with ${GIVE_UP}`);
    }
    context.warn("given up: no quorum answers, and the data may go");
  }
}

/** The JSON that a script printed. */
export function parsed<T>(printed: string): T {
  return JSON.parse(printed) as T;
}
