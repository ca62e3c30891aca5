import { rangeProblem } from "./address-plan.ts";
import { quote } from "./names.ts";
import type { Problem } from "./problem.ts";
import {
  contains,
  formatAddress,
  formatRange,
  holds,
  overlap,
  parseAddress,
  parseRange,
  type Range,
} from "./range.ts";

/** Addresses of the site's network that pods take. */
export interface UnderlayArgs {
  /** Part of the site's network; hosts in it must be excluded. */
  range: string;
  /**
   * Router of the site's network: what a pod answers from its own address goes through it to clients beyond.
   * @default none: a pod's own address serves the site's network only
   */
  gateway?: string;
  /** Addresses or ranges inside `range` that something else has. @default none */
  exclude?: string[];
  /** Interface of the hosts on that network. @default the one with the default route */
  parent?: string;
  bgp?: never;
}

/** What addresses of pods are checked against. */
export interface UnderlaySite {
  /** Range of the site's own network. */
  range: string;
  /** Addresses in it that hosts, routers and others have, by whose they are. */
  taken: Record<string, string>;
  /** Part of the site's network that services get their addresses from. @default none */
  loadBalancers?: string;
}

/** Which addresses pods get, in the words of who hands them out. */
export interface UnderlayPlan {
  /** The site's range: pods reach all of it without a router. */
  network: string;
  first: string;
  last: string;
  /** Ranges between the two that nobody gets. */
  exclude: string[];
  gateway?: string;
}

/** Fewer than this serve no workload that is renewed: the new pod comes before the old one goes. */
const FEWEST_ADDRESSES = 4;

/** Follows from the arguments alone, so that no pod's address moves when a host comes or goes. */
export function underlayPlan({ range, gateway, exclude = [] }: UnderlayArgs, site: string): UnderlayPlan {
  const network = parseRange(site)!;
  const { first, last } = bounds(parseRange(range)!, network);
  const inside = gateway !== undefined && contains(parseRange(range)!, parseAddress(gateway)!);
  return {
    network: site,
    first: formatAddress(first),
    last: formatAddress(last),
    exclude: [...exclude.map((text) => formatRange(rangeOf(text)!)), ...(inside ? [`${gateway}/32`] : [])],
    ...(gateway === undefined ? {} : { gateway }),
  };
}

/** Everything wrong with the addresses of pods on the site's network. */
export function underlayProblems(args: UnderlayArgs | undefined, site: UnderlaySite): Problem[] {
  const network = parseRange(site.range);
  const { gateway, parent } = args ?? {};
  return [
    ...(network ? rangeProblems(args ?? { range: undefined }, network, site) : []),
    ...(network && gateway !== undefined ? gatewayProblems(gateway, network, site.range) : []),
    ...(parent === undefined || /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(parent)
      ? []
      : [
          {
            path: "network.underlay.parent",
            found: `${quote(parent)} is no interface`,
            remedy: "give its name on the hosts, such as eth0",
          },
        ]),
  ];
}

function rangeProblems(
  args: Partial<UnderlayArgs>,
  network: Range,
  { range: site, taken, loadBalancers }: UnderlaySite,
): Problem[] {
  const path = "network.underlay.range";
  const part = parseRange(args.range);
  if (!part) return [rangeProblem(path, args.range)];
  const problem = (found: string, remedy: string): Problem => ({ path, found, remedy });
  if (!contains(network, part.first) || part.size > network.size) {
    return [problem(`${args.range} is no part of the site's range ${site}`, "give a part of it")];
  }
  const { problems, excluded } = exclusions(args.exclude ?? [], part, args.range!);
  const withheld = [...excluded, ...rangesOf(args.gateway)];
  const isFree = (address: number) =>
    contains(part, address) && !withheld.some((one) => contains(one, address));
  const inhabited = Object.entries(taken)
    .filter(([, address]) => isFree(parseAddress(address) ?? -1))
    .map(([name, address]) =>
      problem(
        `${name} has the address ${address} in ${args.range}`,
        "give a part that no host is in, or exclude the address",
      ),
    );
  const services = parseRange(loadBalancers);
  const free = freeAddresses(part, network, withheld);
  return [
    ...problems,
    ...inhabited,
    ...(services && overlap(services, part)
      ? [
          problem(
            `${args.range} overlaps network.loadBalancers ${loadBalancers}`,
            "give ranges that do not meet",
          ),
        ]
      : []),
    ...(free < FEWEST_ADDRESSES
      ? [
          problem(
            `${args.range} leaves ${free} addresses to pods`,
            `give a range that leaves ${FEWEST_ADDRESSES} or more, or exclude less`,
          ),
        ]
      : []),
  ];
}

/** Whether an address is among those that pods never get. */
export function isExcluded({ exclude = [] }: Partial<UnderlayArgs>, address: string | undefined): boolean {
  return exclude.some((text) => holds(text.includes("/") ? text : `${text}/32`, address));
}

function exclusions(
  exclude: string[],
  part: Range,
  range: string,
): { problems: Problem[]; excluded: Range[] } {
  const named = exclude.map((text, i) => ({
    path: `network.underlay.exclude[${i}]`,
    text,
    range: rangeOf(text),
  }));
  const problems = named.flatMap(({ path, text, range: one }): Problem[] => {
    if (!one) {
      const found = `${quote(text)} is neither an IPv4 address nor a range`;
      return [{ path, found, remedy: "give one such as 10.0.0.70 or 10.0.0.72/29" }];
    }
    if (contains(part, one.first) && one.size <= part.size) return [];
    return [{ path, found: `${text} is not in ${range}`, remedy: "take it out" }];
  });
  return { problems, excluded: named.flatMap((one) => (one.range ? [one.range] : [])) };
}

function gatewayProblems(gateway: string, network: Range, site: string): Problem[] {
  const path = "network.underlay.gateway";
  const address = parseAddress(gateway);
  if (address === undefined) {
    const found = `${quote(gateway)} is no IPv4 address`;
    return [{ path, found, remedy: "give the router's, such as 10.0.0.1" }];
  }
  const { first, last } = bounds(network, network);
  if (address >= first && address <= last) return [];
  return [
    {
      path,
      found: `${gateway} is no host address of the site's range ${site}`,
      remedy: "give the address that the router has in it",
    },
  ];
}

/** An address, as a range of one, or a range. */
const rangeOf = (text: string): Range | undefined => parseRange(text.includes("/") ? text : `${text}/32`);

const rangesOf = (address: string | undefined): Range[] =>
  address === undefined ? [] : [rangeOf(address)].filter((range) => range !== undefined);

/** First and last address of a part that somebody of the network may have: not those at its ends. */
function bounds(part: Range, network: Range): { first: number; last: number } {
  return {
    first: Math.max(part.first, network.first + 1),
    last: Math.min(part.first + part.size - 1, network.first + network.size - 2),
  };
}

/** How many addresses of a part are in none of some ranges. */
function freeAddresses(part: Range, network: Range, taken: readonly Range[]): number {
  const { first, last } = bounds(part, network);
  const sorted = taken.toSorted((a, b) => a.first - b.first);
  let free = 0;
  let next = first;
  for (const range of sorted) {
    free += Math.max(0, Math.min(range.first, last + 1) - next);
    next = Math.max(next, range.first + range.size);
  }
  return free + Math.max(0, last + 1 - next);
}
