import type { Connection } from "../model/connection.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, onHost } from "../ssh/session.ts";

/*
 * A note on the monitors' hosts tells whether they have a store to answer for: one that leaves a living store gives up
 * its vote, one of a store that goes as a whole asks nobody.
 */
const NOTE = "/var/lib/spillway/ceph-monitor.lives";
const OURS = `[ "$(cat /var/lib/spillway/ceph-monitor 2>/dev/null)" = "$FSID" ]`;

/** Shell text for a monitor's host; `$FSID` is the store's. */
export const LIVES = `
if ${OURS}; then : >${NOTE}; fi
`;
export const LIVES_NO_MORE = `
if ${OURS}; then rm -f ${NOTE}; fi
`;

const ASK = `
if [ -e ${NOTE} ] && { [ -z "$FSID" ] || ${OURS}; }; then echo lives; fi
`;

/** What hosts say of the store's life. */
export interface Life {
  /** Hosts that have a monitor of a living store. */
  living: string[];
  /** Hosts that did not answer, and why. */
  silent: { host: string; error: ConnectionError }[];
}

/**
 * Asks hosts whether they have a monitor of a living store.
 *
 * @param of `fsid` is the store's identity, without which any counts; with `change` what an earlier run still does
 * there ends first
 */
export async function lifeOn(
  connections: readonly Connection[],
  context: Context,
  { fsid = "", change }: { fsid?: string; change: boolean },
): Promise<Life> {
  const script = { name: "ask for the store's life", text: ASK, values: { FSID: fsid }, timeoutSeconds: 60 };
  const ask = async (connection: Connection) => {
    const { host } = connection;
    try {
      const said = await onHost(connection, context, (session) => session.run(script, context), { change });
      return { living: said.trim() === "lives" ? [host] : [], silent: [] };
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      return { living: [], silent: [{ host, error }] };
    }
  };
  const answers = await Promise.all(connections.map(ask));
  return {
    living: answers.flatMap(({ living }) => living),
    silent: answers.flatMap(({ silent }) => silent),
  };
}
