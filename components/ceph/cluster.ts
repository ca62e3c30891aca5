import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, onHost, type Session } from "../ssh/session.ts";

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
 * waits for ever, and takes TERM for nothing.
 */
export const CEPH = `
ceph() { timeout -k 5 60 /usr/bin/ceph --connect-timeout 30 "$@"; }
`;

const QUORUM = `
if timeout -k 2 "$LIMIT" /usr/bin/ceph --connect-timeout "$LIMIT" fsid 2>/dev/null | grep -qxF "$FSID"; then echo quorum; fi
`;

/** Seconds that monitors get to find each other, as after a loss of power. */
const QUORUM_SECONDS = 45;

/** The first monitor's host by which the cluster answers; asked one after the other, since each knows of all. */
async function liveMonitor(inputs: ClusterInputs, context: Context): Promise<Connection> {
  const silent: string[] = [];
  for (const [name, connection] of Object.entries(inputs.monitors)) {
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
    if (answer.trim() === "quorum") return connection;
    silent.push(name);
  }
  throw new Refusal(`CephStore "${inputs.store}"`, [
    {
      path: "monitors",
      found: `no quorum answers (asked: ${silent.join(", ")}), so nothing was changed`,
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
  const live = await liveMonitor(inputs, context);
  const script = { ...question, text: `${CEPH}${text}`, timeoutSeconds };
  return onHost(live, context, (session) => session.run(script, context), { change });
}

/** The JSON that a script printed. */
export function parsed<T>(printed: string): T {
  return JSON.parse(printed) as T;
}
