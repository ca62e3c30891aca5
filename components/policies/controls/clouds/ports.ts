import { isAbsent, isKnown } from "../../value.ts";

/** From one port to another, both of them included. */
export interface Ports {
  from: number;
  to: number;
}

export type Protocol = "tcp" | "udp" | "all" | "other";

/** Ports that hosts and clusters are run by; what is served to the world has others. */
const GUARDED: readonly (readonly [port: number, protocols: string, name: string])[] = [
  [22, "tcp", "SSH"],
  [2375, "tcp", "Docker"],
  [2376, "tcp", "Docker"],
  [2377, "tcp", "Swarm"],
  [2379, "tcp", "etcd"],
  [2380, "tcp", "etcd"],
  [3389, "tcp udp", "RDP"],
  [4789, "udp", "VXLAN"],
  [6443, "tcp", "Kubernetes"],
  [7946, "tcp udp", "Swarm"],
  [8472, "udp", "VXLAN"],
  [9345, "tcp", "RKE2"],
  [10250, "tcp", "kubelet"],
  [10255, "tcp", "kubelet"],
  [10257, "tcp", "kube-controller-manager"],
  [10259, "tcp", "kube-scheduler"],
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
  return GUARDED.flatMap(([port, protocols, name]) =>
    (protocol === "all" || protocols.includes(protocol)) && covers(port) ? [`${port} (${name})`] : [],
  );
}
