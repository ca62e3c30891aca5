import { isAbsent, isKnown } from "../../value.ts";

/** From one port to another, both of them included. */
export interface Ports {
  from: number;
  to: number;
}

export type Protocol = "tcp" | "udp" | "all" | "other";

/**
 * Ports that hosts and clusters are run by, whichever of TCP and UDP a rule says: what is served to the world has
 * others.
 */
const GUARDED: readonly (readonly [port: number, name: string])[] = [
  [22, "SSH"],
  [23, "Telnet"],
  [2375, "Docker"],
  [2376, "Docker"],
  [2377, "Swarm"],
  [2379, "etcd"],
  [2380, "etcd"],
  [3389, "RDP"],
  [4789, "VXLAN"],
  [5985, "WinRM"],
  [5986, "WinRM"],
  [6443, "Kubernetes"],
  [7946, "Swarm"],
  [8472, "VXLAN"],
  [9345, "RKE2"],
  [10250, "kubelet"],
  [10255, "kubelet"],
  [10257, "kube-controller-manager"],
  [10259, "kube-scheduler"],
];

/** Not 0, which is nobody's. */
export const EVERY: Ports = { from: 1, to: 65535 };

const ALL = new Set(["-1", "all", "*", "any"]);
const NUMBERS: Readonly<Record<string, Protocol>> = { "6": "tcp", tcp: "tcp", "17": "udp", udp: "udp" };

/** A protocol by name or number; all of them where none is said, and `undefined` for one that is not known. */
export function protocolOf(value: unknown): Protocol | undefined {
  if (!isKnown(value)) return undefined;
  if (isAbsent(value) || value === "") return "all";
  const word = String(value).toLowerCase();
  return ALL.has(word) ? "all" : (NUMBERS[word] ?? "other");
}

/** Ports as text: `22`, `20-30` or `*`. */
export function portsOf(value: unknown): Ports | undefined {
  if (value === "*" || String(value).toLowerCase() === "any") return EVERY;
  const match = /^\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?$/.exec(isKnown(value) ? String(value) : "");
  if (!match) return undefined;
  return { from: Number(match[1]), to: Number(match[2] ?? match[1]) };
}

/** The guarded ports that a rule covers, in words. */
export function namesOf(protocol: Protocol | undefined, spans: readonly (Ports | undefined)[]): string[] {
  if (protocol === undefined || protocol === "other") return [];
  const covers = (from: number, to = from) =>
    spans.some((span) => span !== undefined && span.from <= from && to <= span.to);
  if (covers(EVERY.from, EVERY.to)) return ["every port"];
  return GUARDED.flatMap(([port, name]) => (covers(port) ? [`${port} (${name})`] : []));
}
