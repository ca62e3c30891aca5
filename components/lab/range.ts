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

/** Address of the lab's bridge, the hosts' gateway. */
export function gatewayOf(range: Range): string {
  return formatAddress(range.first + 1);
}

/** Address of this computer in the lab's network. */
export function computerOf(range: Range): string {
  return formatAddress(range.first + 254);
}
