import { randomBytes } from "node:crypto";
import type { Connection } from "../model/connection.ts";
import { quote } from "../model/names.ts";
import { describe, messageOf, type Problem, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, Existing, ResourceType } from "../provider/resource.ts";
import { parseHostKey } from "./dial.ts";
import { ConnectionError, HostError } from "./error.ts";
import { lookAtPaths } from "./path-mtu.ts";
import type { Fixed, Mark, PreflightArgs, PreflightOutputs, Requirements } from "./preflight.ts";
import { type HostFacts, preflightProblems } from "./preflight-problems.ts";
import { onHost, type Session } from "./session.ts";
import { givesUp } from "./unreachable.ts";

/* Prints one fact a line. The clock comes last, nearest to the answer's arrival. */
const text = `
sed -n -e 's/^ID=/os /p' -e 's/^VERSION_ID=/release /p' /etc/os-release
printf 'machine %s\n' "$(uname -m)"
printf 'kernel %s\n' "$(uname -r)"
sed -n 's/^MemTotal: *\\([0-9]*\\) .*/memory \\1/p' /proc/meminfo
df -Pk /var | awk 'NR == 2 { print "disk", $4 }'
sed -n '2,$s/^\\([^ ]*\\) .*/swap \\1/p' /proc/swaps
for link in /sys/class/net/*; do echo "link \${link##*/}"; done
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  sed -n 's/^ *[0-9]*: [0-9A-F]*:\\([0-9A-F]*\\) [0-9A-F]*:[0-9A-F]* 0A .*/port \\1/p'
for file in /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf /var/lib/etcd/member; do
  if [ -e "$file" ]; then echo "cluster $file"; fi
done
if [ -e /var/lib/spillway/owner ]; then printf 'owner %s\\n' "$(cat /var/lib/spillway/owner)"; fi
date '+clock %s.%N'
`;

/** Reads what the script printed between two moments of this computer's clock, in seconds. */
export function parseHostFacts(host: string, printed: string, sent: number, received: number): HostFacts {
  const of = (kind: string) =>
    printed.split("\n").flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
  const plain = (kind: string) => (of(kind)[0] ?? "").replaceAll(/["']/g, "");
  return {
    host,
    os: plain("os"),
    release: plain("release"),
    machine: of("machine")[0] ?? "",
    kernel: of("kernel")[0] ?? "",
    memoryMiB: Math.floor(Number(of("memory")[0] ?? 0) / 1024),
    diskGiB: Number(of("disk")[0] ?? 0) / 1024 / 1024,
    ports: [...new Set(of("port").map((port) => Number.parseInt(port, 16)))],
    interfaces: of("link"),
    swap: of("swap"),
    cluster: of("cluster"),
    owner: of("owner")[0] ?? "",
    clockSeconds: Number(of("clock")[0] ?? 0) - (sent + received) / 2,
    clockUncertainty: (received - sent) / 2,
  };
}

const nothing = {
  os: "",
  release: "",
  machine: "",
  kernel: "",
  memoryMiB: 0,
  diskGiB: 0,
  ports: [],
  interfaces: [],
  swap: [],
  cluster: [],
  owner: "",
  clockSeconds: 0,
  clockUncertainty: 0,
};

async function ask(connection: Connection, context: Context): Promise<HostFacts> {
  const { host } = connection;
  try {
    const work = { name: "looking at the host", text, timeoutSeconds: 60 };
    return await onHost(
      connection,
      context,
      async (session) => {
        await session.connect();
        const sent = Date.now() / 1000;
        const printed = await session.run(work, context);
        return parseHostFacts(host, printed, sent, Date.now() / 1000);
      },
      { change: false },
    );
  } catch (error) {
    return { ...nothing, host, unreachable: error instanceof HostError ? error.reason : messageOf(error) };
  }
}

/**
 * @param known hosts that an earlier run found fit
 * @param owner of hosts that are ours. @default none is: no host joins before the state has its preflight
 */
async function lookAtAll(
  { hosts, require }: PreflightArgs,
  context: Context,
  known: readonly string[] = [],
  owner?: string,
): Promise<void> {
  const facts = await Promise.all(hosts.map((host) => ask(host, context)));
  const reached = hosts.filter((_, i) => facts[i]!.unreachable === undefined);
  const paths =
    require.packets && reached.length > 1 ? await lookAtPaths(reached, require.packets.bytes, context) : [];
  const { problems, warnings } = preflightProblems(facts, require, paths, known, owner);
  for (const warning of warnings) context.warn(describe(warning));
  refuse("hosts are not fit", problems);
}

/** A name is no identity: another state, or the successor of one that was lost, may be called the same. */
const newOwner = (name: string) => `${name}#${randomBytes(8).toString("hex")}`;

/** Ports that were found free once are in use now by what was built since. */
function onlyNewPorts(before: Requirements, now: Requirements): Requirements {
  const ports = Object.entries(now.freePorts ?? {}).map(([host, list]): [string, number[]] => [
    host,
    list.filter((port) => !before.freePorts?.[host]?.includes(port)),
  ]);
  return { ...now, freePorts: Object.fromEntries(ports) };
}

const ownerOf = ({ inputs, outputs }: Existing<PreflightArgs, PreflightOutputs>): string =>
  outputs.owner ?? inputs.require.owner;

async function lookAgain(
  context: Context,
  old: Existing<PreflightArgs, PreflightOutputs>,
  inputs: PreflightArgs,
): Promise<void> {
  await refuseChange(context, old.inputs, inputs);
  await lookWhoStays(context, old.inputs, inputs);
  warnOfMtu(context, old.inputs.require, inputs.require);
  const require = onlyNewPorts(old.inputs.require, inputs.require);
  await lookAtAll({ ...inputs, require }, context, fitOnce(old.inputs.hosts, inputs.hosts), ownerOf(old));
}

/** Hosts of an earlier run, at the same address. */
function fitOnce(before: readonly Connection[], now: readonly Connection[]): string[] {
  const addresses = new Map(before.map(({ host, address }) => [host, address]));
  return now.filter(({ host, address }) => addresses.get(host) === address).map(({ host }) => host);
}

function warnOfMtu(context: Context, before: Requirements, now: Requirements): void {
  const [was, is] = [before.packets?.bytes, now.packets?.bytes];
  if (was === undefined || is === undefined || was === is) return;
  context.warn(
    `packets of ${is} bytes, ${was} before: pods that run keep the former size; start them anew (\`kubectl rollout restart\`)`,
  );
}

/**
 * The hosts are asked, and not the last run's list: it may have named some that never came. One that does not
 * answer may be one of them.
 */
async function lookWhoStays(context: Context, old: PreflightArgs, now: PreflightArgs): Promise<void> {
  const { of = "", oneStays } = now.fixed ?? {};
  const before = old.fixed?.oneStays;
  if (!oneStays || !before) return;
  const isOne = (connection: Connection) => askForMark(connection, oneStays.mark, context);
  const listed = (hosts: Connection[], names: string[]) => hosts.filter(({ host }) => names.includes(host));
  const stay = await Promise.all(listed(now.hosts, oneStays.hosts).map(isOne));
  if (stay.some(({ answer }) => answer === "yes")) return;
  const gone = before.hosts.filter((host) => !oneStays.hosts.includes(host));
  const leave = await Promise.all(listed(old.hosts, gone).map(isOne));
  const isLost = (answer: string) => answer === "yes" || (answer === "silent" && !givesUp());
  const lost = leave.filter(({ answer }) => isLost(answer)).map(({ host }) => host);
  if (lost.length === 0) return;
  const found = `none of ${lost.join(", ")} stays, and with them goes what they know`;
  const remedy = "keep one of them in this run, and take it out with the next";
  refuse(of, [{ path: oneStays.argument, found, remedy }]);
}

/** Whether a host bears a mark: `yes`, `silent` when it does not answer, or nothing. */
async function askForMark(
  connection: Connection,
  { file, begins }: Mark,
  context: Context,
): Promise<{ host: string; answer: string }> {
  const script = {
    name: "ask what lives there",
    text: `[ ! -e "$FILE" ] || case $(cat "$FILE") in "$BEGINS"*) echo yes ;; esac`,
    values: { FILE: file, BEGINS: begins },
    timeoutSeconds: 60,
  };
  const look = (session: Session) => session.run(script, context);
  const answer = await onHost(connection, context, look, { change: false }).catch((error: unknown) => {
    if (error instanceof ConnectionError) return "silent";
    throw error;
  });
  return { host: connection.host, answer: answer.trim() };
}

/**
 * Here and not where it would hurt: by then other hosts and files have changed already. What a first run could not
 * finish lives nowhere, and may be told otherwise.
 */
async function refuseChange(context: Context, old: PreflightArgs, now: PreflightArgs): Promise<void> {
  const problems = changesOf(old.fixed, now.fixed);
  if (problems.length === 0 || !now.fixed) return;
  const hosts = new Map([...old.hosts, ...now.hosts].map((connection) => [connection.host, connection]));
  const { of, mark } = now.fixed;
  const answers = await Promise.all([...hosts.values()].map((host) => askForMark(host, mark, context)));
  if (answers.some(({ answer }) => answer !== "")) refuse(of, problems);
}

/** What was fixed and is otherwise now. Pure. */
export function changesOf(before: Fixed | undefined, now: Fixed | undefined): Problem[] {
  if (!before || !now) return [];
  return Object.entries(now.facts).flatMap(([path, value]) => {
    const was = before.facts[path];
    if (was === undefined || was === value) return [];
    return [
      {
        path,
        found: `${quote(was)} cannot become ${quote(value)} as long as it lives`,
        remedy:
          "put the former value back, or take it out of the program with one `pulumi up` and in again with the next",
      },
    ];
  });
}

function check({ hosts = [] }: Partial<PreflightArgs>): Problem[] {
  return hosts.flatMap((connection, i) => {
    if (connection?.hostKey === undefined) return [];
    try {
      parseHostKey(connection.hostKey);
      return [];
    } catch (error) {
      const [found = "", ...remedy] = messageOf(error).split("; ");
      return [
        { path: `hosts[${i}].hostKey`, found: `${connection.host}: ${found}`, remedy: remedy.join("; ") },
      ];
    }
  });
}

/** Looks at all hosts before anything is changed; changes nothing itself. */
export const preflight: ResourceType<PreflightArgs, PreflightOutputs> = {
  token: "spillway:ssh:Preflight",
  computed: ["owner"],
  check,
  diff: (old, { hosts, require, fixed }) => {
    // How a host is reached does not matter, which ones there are does.
    const names = (list: unknown) => (Array.isArray(list) ? list.map((one: Connection) => one.host) : list);
    // Who the owner is does not change; what it is called may, as with a stack's new name.
    const sameOwner = { ...require, owner: old.inputs.require.owner };
    return differenceOf(
      { ...old.inputs, hosts: names(old.inputs.hosts) },
      { hosts: names(hosts), require: sameOwner, fixed },
    );
  },
  preview: (context, inputs) => lookAtAll(inputs, context),
  async create(context, inputs) {
    await lookAtAll(inputs, context);
    return { id: "preflight", outputs: { owner: newOwner(inputs.require.owner) } };
  },
  previewUpdate: lookAgain,
  async update(context, old, inputs) {
    await lookAgain(context, old, inputs);
    return { owner: ownerOf(old) };
  },
  async delete() {},
};
