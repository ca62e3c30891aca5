import type { Problem } from "../model/problem.ts";
import type { PacketRequirements, Requirements } from "./preflight.ts";

/** What one host said of itself. */
export interface HostFacts {
  host: string;
  /** Why it could not be asked; then nothing else is known. */
  unreachable?: string;
  /** `ID` of /etc/os-release. */
  os: string;
  /** `VERSION_ID` of it, empty without one. */
  release: string;
  /** `uname -m`. */
  machine: string;
  /** `uname -r`. */
  kernel: string;
  memoryMiB: number;
  diskGiB: number;
  /** TCP ports that are listened on. */
  ports: number[];
  /** Network interfaces. */
  interfaces: string[];
  /** Swap areas in use. */
  swap: string[];
  /** Files that only a cluster's node has. */
  cluster: string[];
  /** Content of /var/lib/spillway/owner, empty without one. */
  owner: string;
  /** Its clock less this computer's, in seconds. */
  clockSeconds: number;
  /** By how much that may be wrong. */
  clockUncertainty: number;
}

/** What one host found out about the way to another. */
export interface PathFacts {
  from: string;
  to: string;
  /** Largest packet that came back, in bytes, IP header included; 0 when none did. */
  bytes: number;
}

/** What was found, and about whom. */
export interface Finding extends Problem {
  hosts: string[];
  /** It counts wherever it is found; others only where a host is new, and are a warning elsewhere. */
  always?: boolean;
  /** It is nothing to refuse. */
  never?: boolean;
}

const NOTES = "/var/lib/spillway";

/** By numbers: 9 is older than 12, and 24.04 than 24.10. */
const isOlder = (release: string, oldest: string) =>
  release !== "" && release.localeCompare(oldest, "en", { numeric: true }) < 0;

const round = (seconds: number) => Math.round(seconds * 10) / 10;

/** What is there, and what to do. @param name of the program's own cluster */
function foreignCluster({ owner, cluster }: HostFacts, name: string): [string, string] {
  if (owner === "") {
    const found = `a cluster that Spillway did not make is there (${cluster.join(", ")})`;
    return [found, "nothing was touched; take the host out of it (`kubeadm reset`), or name another host"];
  }
  const [called] = owner.split("#");
  const found = `the cluster ${called} (organization/project/stack/name) is there`;
  const [more, way] =
    called === name
      ? [
          ", and this state does not know it",
          "bring back the state that made it (`pulumi whoami -v` shows whose states are used now, `pulumi stack import` takes a copy)",
        ]
      : ["", "take the host out of it (with a `pulumi up` or destroy of that stack)"];
  const given = "if that cluster is given up, run `kubeadm reset` there and remove owner, cluster and joined";
  return [`${found}${more}`, `nothing was touched; ${way}, or name another host; ${given} in ${NOTES}`];
}

function findingsOfHost(facts: HostFacts, require: Requirements, owner: string | undefined): Finding[] {
  const { host } = facts;
  const problems: Finding[] = [];
  const say = (what: string, found: string, remedy: string, more: Pick<Finding, "always"> = {}) =>
    problems.push({ path: `hosts.${host}${what}`, found, remedy, hosts: [host], ...more });
  if (facts.unreachable !== undefined) {
    say("", facts.unreachable, "see to it, then run again");
    return problems;
  }
  const { os = ["debian", "ubuntu"], memoryMiB = 0, diskGiB = 0, clockSkewSeconds = 5 } = require;
  const ours = facts.owner !== "" && facts.owner === owner;
  if (!os.includes(facts.os)) say(".os", `it runs "${facts.os}"`, `install one of ${os.join(", ")}`);
  const oldest = require.releases?.[facts.os];
  if (oldest !== undefined && isOlder(facts.release, oldest)) {
    say(".os", `it runs ${facts.os} ${facts.release}`, `install ${facts.os} ${oldest} or newer`);
  }
  if (require.machine !== undefined && facts.machine !== require.machine) {
    say(".machine", `its processor is ${facts.machine}`, `name machines with ${require.machine}`);
  }
  if (require.kernel !== undefined && isOlder(facts.kernel, require.kernel)) {
    say(".kernel", `it runs Linux ${facts.kernel}`, `boot Linux ${require.kernel} or newer`);
  }
  if (facts.memoryMiB < memoryMiB) {
    say(".memory", `${facts.memoryMiB} MiB of memory`, `give it at least ${memoryMiB} MiB`);
  }
  if (facts.diskGiB < diskGiB) {
    say(".disk", `${round(facts.diskGiB)} GiB free under /var`, `free at least ${diskGiB} GiB`);
  }
  if (require.interface !== undefined && !facts.interfaces.includes(require.interface)) {
    const found = `it has no network interface ${require.interface}, but ${facts.interfaces.join(", ")}`;
    say(".interface", found, "name one that all hosts have");
  }
  if (require.noSwap && facts.swap.length > 0) {
    say(
      ".swap",
      `swap is on (${facts.swap.join(", ")})`,
      "turn it off by `swapoff -a` and take it out of /etc/fstab",
    );
  }
  const busy = (require.freePorts?.[host] ?? []).filter((port) => facts.ports.includes(port));
  if (!ours && busy.length > 0) {
    say(
      ".ports",
      `TCP port ${busy.join(", ")} is in use`,
      "stop what listens there (`ss -ltnp` shows it), or choose other ports; what this program had there under a former name goes first, with a `pulumi up` of its own",
    );
  }
  if (require.noForeignCluster && !ours && (facts.cluster.length > 0 || facts.owner !== "")) {
    say(".cluster", ...foreignCluster(facts, require.owner), { always: true });
  }
  if (Math.abs(facts.clockSeconds) - facts.clockUncertainty > clockSkewSeconds) {
    const direction = facts.clockSeconds > 0 ? "ahead of" : "behind";
    say(
      ".clock",
      `its clock is ${round(Math.abs(facts.clockSeconds))} s ${direction} this computer's`,
      "run a time service on both, such as systemd-timesyncd or chrony",
    );
  }
  return problems;
}

/** Hosts whose clocks are too far apart, though each may be near enough to this computer's. */
function clocksApart(all: HostFacts[], limit: number): Finding[] {
  const reached = all.filter(({ unreachable }) => unreachable === undefined);
  const sorted = reached.toSorted((a, b) => a.clockSeconds - b.clockSeconds);
  const [slow, fast] = [sorted[0], sorted.at(-1)];
  if (slow === undefined || fast === undefined) return [];
  const apart = fast.clockSeconds - slow.clockSeconds;
  if (apart - fast.clockUncertainty - slow.clockUncertainty <= limit) return [];
  return [
    {
      path: "hosts",
      found: `the clocks of ${slow.host} and ${fast.host} are ${round(apart)} s apart`,
      remedy: "run a time service on all hosts, such as systemd-timesyncd or chrony",
      hosts: [slow.host, fast.host],
    },
  ];
}

/** Two hosts between which too little passes, once for both ways. */
function pathFindings(paths: readonly PathFacts[], { bytes, least }: PacketRequirements): Finding[] {
  const pairOf = ({ from, to }: PathFacts) => [from, to].sort().join(" and ");
  const narrow = paths.filter((path) => path.bytes < bytes);
  return [...new Set(narrow.map(pairOf))].map((pair) => {
    const ways = narrow.filter((way) => pairOf(way) === pair);
    const passes = Math.min(...ways.map((way) => way.bytes));
    const path = `hosts.${ways[0]!.from}.mtu`;
    const hosts = [ways[0]!.from, ways[0]!.to];
    if (passes === 0) {
      // A wall that stops echoes may let everything else pass.
      const found = `between ${pair} no ping comes back, not even a small one, and nobody knows what size passes`;
      return {
        path,
        found,
        remedy: "let ICMP echo pass, or see yourself that they reach each other",
        hosts,
        never: true,
      };
    }
    const found = `between ${pair} at most ${passes} bytes pass unfragmented, not ${bytes}`;
    const mend = "mend what carries less on the path between them";
    if (passes < least) return { path, found, remedy: `${mend}: ${least} is the least that serves`, hosts };
    return { path, found, remedy: `give the site \`mtu: ${passes}\`, or ${mend}`, hosts };
  });
}

/**
 * Every problem of every host, and of the ways between them; and what is only worth a warning: who builds on hosts
 * that were fit once must be able to mend and to grow what stands on them. Pure.
 *
 * @param known hosts that were found fit by an earlier run
 * @param owner what hosts that are ours say in /var/lib/spillway/owner. @default none is
 */
export function preflightProblems(
  facts: HostFacts[],
  require: Requirements,
  paths: readonly PathFacts[] = [],
  known: readonly string[] = [],
  owner?: string,
): { problems: Problem[]; warnings: Problem[] } {
  const findings = [
    ...facts.flatMap((host) => findingsOfHost(host, require, owner)),
    ...clocksApart(facts, require.clockSkewSeconds ?? 5),
    ...(require.packets ? pathFindings(paths, require.packets) : []),
  ];
  const counts = ({ hosts, always, never }: Finding) =>
    !never && (always || hosts.some((host) => !known.includes(host)));
  const plain = ({ path, found, remedy }: Finding): Problem => ({ path, found, remedy });
  return {
    problems: findings.filter(counts).map(plain),
    warnings: findings.filter((finding) => !counts(finding)).map(plain),
  };
}
