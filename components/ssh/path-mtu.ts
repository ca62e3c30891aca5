import type { Connection } from "../model/connection.ts";
import { messageOf } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import type { PathFacts } from "./preflight-problems.ts";
import { onHost, type Session } from "./session.ts";

/** IP and ICMP headers of an echo request. */
const HEADERS = 28;

/* Prints "NAME BYTES" for each other host: the largest packet whose echo came back. */
const text = `
case $(ping -V 2>&1 || :) in *iputils*) ;; *) echo missing; exit 0 ;; esac
# With \`do\` the kernel would go by what it learnt of a path before it was mended.
case $(ping -h 2>&1 || :) in *probe*) discovery=probe ;; *) discovery=do ;; esac
passes() { ping -n -q -c 1 -w "$3" -M $discovery -s $(($2 - HEADERS)) "$1" >/dev/null 2>&1; }
look() {
  if passes "$2" "$BYTES" 5; then echo "$1 $BYTES"; return; fi
  low=128 high=$BYTES
  if ! passes "$2" $low 5; then echo "$1 0"; return; fi
  while [ $((high - low)) -gt 1 ]; do
    middle=$(((low + high) / 2))
    if passes "$2" $middle 2; then low=$middle; else high=$middle; fi
  done
  echo "$1 $low"
}
for peer in $PEERS; do look "\${peer%%=*}" "\${peer#*=}" & done
wait
`.replace("HEADERS", String(HEADERS));

/** Reads what one host printed; `undefined` when it has no `ping` that can be told not to fragment. */
export function parsePaths(from: string, printed: string): PathFacts[] | undefined {
  const lines = printed.split("\n").filter((line) => line !== "");
  if (lines[0] === "missing") return undefined;
  return lines.map((line) => {
    const [to = "", bytes] = line.split(" ");
    return { from, to, bytes: Number(bytes) };
  });
}

/** Sends packets of a size from each host to the others, all at once, and where they do not pass smaller ones. */
export async function lookAtPaths(
  hosts: readonly Connection[],
  bytes: number,
  context: Context,
): Promise<PathFacts[]> {
  const found = await Promise.all(hosts.map((host) => pathsFrom(host, hosts, bytes, context)));
  const silent = hosts.filter((_, i) => found[i] === undefined).map(({ host }) => host);
  if (silent.length > 0) {
    const where = silent.join(", ");
    context.warn(
      `whether ${bytes} bytes pass between the hosts was not asked on ${where}: install iputils-ping there, ` +
        "and the next look does",
    );
  }
  return found.flatMap((paths) => paths ?? []);
}

async function pathsFrom(
  connection: Connection,
  hosts: readonly Connection[],
  bytes: number,
  context: Context,
): Promise<PathFacts[] | undefined> {
  const peers = hosts.filter(({ host }) => host !== connection.host);
  const values = {
    BYTES: String(bytes),
    PEERS: peers.map(({ host, address }) => `${host}=${address}`).join(" "),
  };
  // Each of a dozen sizes that do not pass costs two seconds.
  const script = { name: "sending packets to the other hosts", text, values, timeoutSeconds: 120 };
  try {
    const look = (session: Session) => session.run(script, context);
    return parsePaths(connection.host, await onHost(connection, context, look, { change: false }));
  } catch (error) {
    // What was found about the hosts themselves is told all the same.
    context.warn(`${connection.host}: what passes from it to the others is not known: ${messageOf(error)}`);
    return [];
  }
}
