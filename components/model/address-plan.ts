import { quote } from "./names.ts";
import type { Problem } from "./problem.ts";
import {
  contains,
  formatAddress,
  formatRange,
  holds,
  overlap,
  overlapping,
  parseAddress,
  parseRange,
  type Range,
} from "./range.ts";

/** What addresses a cluster takes. */
export interface AddressPlanArgs {
  /** Range of the site's own network. */
  site: string;
  /** Range that pods take theirs from. */
  pods: string;
  /** Range of the services' virtual addresses. */
  services: string;
  /** Address of every host that is a node, by name. */
  hosts: Record<string, string>;
  /** Virtual address of the API. @default none */
  apiAddress?: string;
}

/** Who gets which addresses. */
export interface AddressPlan {
  /** Range of each node's pods, by host name. */
  podRanges: Record<string, string>;
  /** Address of the cluster's DNS service: the tenth of the services' range, as kubeadm has it. */
  dnsService: string;
  /** The API's virtual address, and the number by which VRRP tells its group from others of the network. */
  api?: { address: string; routerId: number };
}

/** Fewer addresses than this make a node useless: kubelet runs up to 110 pods. */
const SMALLEST_POD_PREFIX = 25;

/**
 * A node's pod range follows from its place in the site's range (host 10.0.0.21 of 10.0.0.0/24 gets
 * the 21st range), so that it never moves when another host comes or goes.
 */
export function addressPlan({ site, pods, services, hosts, apiAddress }: AddressPlanArgs): AddressPlan {
  const siteRange = parseRange(site)!;
  const podRange = parseRange(pods)!;
  const prefix = nodePrefix(siteRange, podRange);
  const size = 2 ** (32 - prefix);
  const entries = Object.entries(hosts).map(([name, address]) => {
    const place = parseAddress(address)! - siteRange.first;
    return [name, formatRange({ first: podRange.first + place * size, prefix })] as const;
  });
  return {
    podRanges: Object.fromEntries(entries),
    dnsService: formatAddress(parseRange(services)!.first + 10),
    ...(apiAddress === undefined
      ? {}
      : { api: { address: apiAddress, routerId: (parseAddress(apiAddress)! % 255) + 1 } }),
  };
}

const nodePrefix = (site: Range, pods: Range): number => pods.prefix + (32 - site.prefix);

/** Ranges that a plan is made from. */
export interface PlannedRanges extends Pick<AddressPlanArgs, "site" | "pods" | "services"> {
  /** Longest prefix of a node's part of `pods`. @default 25 */
  smallest?: number;
}

/** Everything wrong with the ranges: malformed, overlapping, too small or too large. */
export function addressPlanProblems({ site, pods, services, smallest }: PlannedRanges): Problem[] {
  const named = Object.entries({ "site.range": site, "network.pods": pods, "network.services": services });
  const ranges = named.map(([path, text]) => ({ path, text, range: parseRange(text) }));
  const problems = named.flatMap(([path, text]) => rangeProblems(path, text));
  if (ranges.some(({ range }) => !range)) return problems;
  return [
    ...problems,
    ...overlapProblems(ranges),
    ...podSizeProblems(site, pods, smallest),
    ...serviceSizeProblems(services),
  ];
}

/** Addresses that no network of machines has (RFC 6890), by what they are for. */
const SPECIAL: Readonly<Record<string, string>> = {
  "0.0.0.0/8": "this host",
  "127.0.0.0/8": "loopback",
  "169.254.0.0/16": "link-local addresses",
  "224.0.0.0/4": "multicast",
  "240.0.0.0/4": "future use",
};

/** What is wrong with a range that hosts, pods or services get their addresses from. */
export function rangeProblems(path: string, text: string | undefined): Problem[] {
  if (!parseRange(text)) return [rangeProblem(path, text)];
  return Object.entries(SPECIAL)
    .filter(([special]) => overlapping(special, text))
    .map(([special, use]) => ({
      path,
      found: `${text} has addresses of ${special}, which are for ${use}`,
      remedy: "give another, such as one of 10.0.0.0/8",
    }));
}

export function rangeProblem(path: string, text: string | undefined): Problem {
  return {
    path,
    found: text === undefined ? "nothing is given" : `${quote(text)} is no IPv4 range`,
    remedy: "give one such as 10.0.0.0/16, no bits set behind the prefix",
  };
}

function overlapProblems(ranges: { path: string; text: string; range: Range | undefined }[]): Problem[] {
  return ranges.flatMap((a, i) =>
    ranges
      .slice(i + 1)
      .filter((b) => overlap(a.range!, b.range!))
      .map((b) => ({
        path: b.path,
        found: `${b.text} overlaps ${a.path} ${a.text}`,
        remedy: "give ranges that do not meet",
      })),
  );
}

function podSizeProblems(site: string, pods: string, smallest = SMALLEST_POD_PREFIX): Problem[] {
  const prefix = nodePrefix(parseRange(site)!, parseRange(pods)!);
  if (prefix <= smallest) return [];
  const room = smallest - (prefix - parseRange(pods)!.prefix);
  return [
    {
      path: "network.pods",
      found:
        prefix > 32
          ? `${pods} has fewer addresses than ${site}`
          : `${pods} leaves a node of ${site} a /${prefix}`,
      remedy: `give a range of /${Math.max(room, 1)} or larger`,
    },
  ];
}

/** The API server takes no range of more than twenty bits. */
const LARGEST_SERVICES = 12;
const SMALLEST_SERVICES = 24;

function serviceSizeProblems(services: string): Problem[] {
  const { prefix } = parseRange(services)!;
  if (prefix >= LARGEST_SERVICES && prefix <= SMALLEST_SERVICES) return [];
  const found = `${services} is too ${prefix < LARGEST_SERVICES ? "large" : "small"}`;
  const remedy = `give a range from /${LARGEST_SERVICES} to /${SMALLEST_SERVICES}`;
  return [{ path: "network.services", found, remedy }];
}

/** What a virtual address of the API is checked against. */
export interface SiteAddresses {
  /** Range of the site's own network. */
  site: string;
  /** Addresses in it, by whose they are. */
  taken: Record<string, string>;
  /** Parts of it that pods or services get theirs from, by argument. */
  parts: Record<string, string>;
}

/** What is wrong with a virtual address of the API: it is one of the site's, and nobody else's. */
export function apiAddressProblems(apiAddress: string, { site, taken, parts }: SiteAddresses): Problem[] {
  const path = "apiAddress";
  const range = parseRange(site);
  const number = parseAddress(apiAddress);
  const owner = Object.keys(taken).find((name) => taken[name] === apiAddress);
  const remedy = `give a free one of the site's range ${site}`;
  if (number === undefined)
    return [{ path, found: `${quote(apiAddress)} is no IPv4 address`, remedy: "give one such as 10.0.0.10" }];
  if (owner) return [{ path, found: `${apiAddress} is ${owner}'s already`, remedy }];
  const part = Object.keys(parts).find((name) => holds(parts[name], apiAddress));
  if (part) return [{ path, found: `${apiAddress} is in ${part} ${parts[part]}`, remedy }];
  if (!range || isHostAddress(range, number)) return [];
  return [{ path, found: `${apiAddress} is no host address of the site's range ${site}`, remedy }];
}

/** Whether a range holds an address, other than at its ends: network and broadcast. */
const isHostAddress = (range: Range, address: number): boolean =>
  contains(range, address) && address !== range.first && address !== range.first + range.size - 1;

/** Hosts outside the site's range, at its ends, or at one address. */
export function hostAddressProblems(site: string, hosts: Record<string, string>): Problem[] {
  const range = parseRange(site);
  const owners = new Map<string, string>();
  return Object.entries(hosts).flatMap(([name, address]): Problem[] => {
    const path = `hosts.${name}.address`;
    const number = parseAddress(address);
    const owner = owners.get(address);
    owners.set(address, owner ?? name);
    if (number === undefined)
      return [
        {
          path,
          found: address === undefined ? "no address" : `${quote(address)} is no IPv4 address`,
          remedy: "give one such as 10.0.0.21",
        },
      ];
    if (owner)
      return [
        {
          path,
          found: `${address} is host ${owner}'s already`,
          remedy: "give every host an address of its own",
        },
      ];
    if (!range) return [];
    return !isHostAddress(range, number)
      ? [
          {
            path,
            found: `${address} is no host address of the site's range ${site}`,
            remedy: "change the range or the address",
          },
        ]
      : [];
  });
}
