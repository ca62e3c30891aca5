import type { Problem } from "../model/problem.ts";
import { formatAddress, parseRange, type Range } from "../model/range.ts";

/** A lab's own range is a /24: hosts .2 to .253, bridge .1, computer .254. */
export function labRangeProblems(path: string, text: string): Problem[] {
  if (parseRange(text)?.prefix === 24) return [];
  return [
    {
      path,
      found: `${JSON.stringify(text.slice(0, 60))} is no IPv4 range of 24 bits`,
      remedy: "give one that this computer does not use, such as 10.77.1.0/24",
    },
  ];
}

/** A number below `bound` that follows from a name and nothing else (FNV-1a). */
export function numberOf(name: string, bound: number): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % bound;
}

/**
 * A lab's range where the program says none, below 10.64.0.0/10 and clear of 10.96.0.0/16, a cluster's
 * services. Labs of other names lie elsewhere; one that meets another network of the computer is refused
 * when made.
 */
export function rangeOf(lab: string): string {
  const place = numberOf(lab, 64 * 256);
  const second = 64 + Math.floor(place / 256);
  return `10.${second === 96 ? 97 : second}.${place % 256}.0/24`;
}

/** Address of the lab's bridge, the hosts' gateway. */
export function gatewayOf(range: Range): string {
  return formatAddress(range.first + 1);
}

/** Address of this computer in the lab's network. */
export function computerOf(range: Range): string {
  return formatAddress(range.first + 254);
}
