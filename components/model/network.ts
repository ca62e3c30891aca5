import { addressPlanProblems, rangeProblem } from "./address-plan.ts";
import { bgpProblems, type RoutesArgs } from "./bgp.ts";
import { nearest, quote } from "./names.ts";
import type { Problem } from "./problem.ts";
import { contains, parseAddress, parseRange } from "./range.ts";
import { isExcluded, type UnderlayArgs, underlayProblems } from "./underlay.ts";

/** How containers talk, whatever the mode. */
export interface NetworkRanges {
  /**
   * Range that pods take their addresses from; each host has a part of it, by its place in the site's range, of /25 or
   * larger where pods have a network. The default serves sites of /23 or smaller. @default 10.244.0.0/16
   */
  pods?: string;
  /** Range of the services' virtual addresses, from /12 to /24. @default 10.96.0.0/16 */
  services?: string;
}

/** Pods without a network: jobs that compute and say nothing. Pods in the network of their host are refused. */
export interface NoneNetworkArgs extends NetworkRanges {
  mode: "none";
}

/** Pods in the network of their host, its address, its ports; others have none. */
export interface HostNetworkArgs extends NetworkRanges {
  mode: "host";
}

/** Pods on a network of the cluster's own; what leaves it gets its host's address. */
export type ClusterNetworkArgs = NetworkRanges & {
  /**
   * `bridge`: routes of the hosts carry packets between nodes, which takes one layer-2 network.
   * `overlay`: a VXLAN tunnel does, wherever UDP 8472 passes between hosts.
   */
  mode: "bridge" | "overlay";
} & PolicyArgs;

/**
 * Pods with addresses that the site's machines reach without translation; among themselves they are as in mode
 * `bridge`. By a range of the site's network: pods that ask for it have a second interface there, which network
 * policies do not see. By BGP: every pod, at its only address.
 */
export type UnderlayNetworkArgs = NetworkRanges & {
  mode: "underlay";
  underlay: UnderlayArgs | RoutesArgs;
} & PolicyArgs;

/** Whether network policies take effect, and what only a network that enforces them offers. */
export type PolicyArgs =
  | {
      /** Cilium carries the packets and drops what a policy does not allow. @default enforced */
      policies?: "enforced";
      /**
       * Part of the site's network, no host in it, that services of type `LoadBalancer` get their addresses
       * from; the nodes answer for them on the site's network. @default none: such services stay pending
       */
      loadBalancers?: string;
    }
  | {
      /** Policies are created and **change nothing**: host routes or Flannel carry every packet. */
      policies: "unenforced";
      loadBalancers?: never;
    };

/** How containers talk. */
export type NetworkArgs = NoneNetworkArgs | HostNetworkArgs | ClusterNetworkArgs | UnderlayNetworkArgs;

/** Which way containers talk. */
export type NetworkMode = NetworkArgs["mode"];
/** Whether network policies take effect. */
export type Policies = NonNullable<PolicyArgs["policies"]>;

/** A network with its defaults filled in. */
export type Network = Required<NetworkRanges> &
  (
    | { mode: "none" | "host" }
    | { mode: "bridge" | "overlay"; policies: Policies; loadBalancers?: string }
    | {
        mode: "underlay";
        underlay: UnderlayArgs | RoutesArgs;
        policies: Policies;
        loadBalancers?: string;
      }
  );

/** The site's routers know the way to pods, whose packets keep their addresses everywhere. */
export const isRouted = (
  network: Network,
): network is Extract<Network, { mode: "underlay" }> & { underlay: RoutesArgs } =>
  network.mode === "underlay" && network.underlay.bgp !== undefined;

/** Of a network that says nothing of policies. */
export const DEFAULT_POLICIES: Policies = "enforced";

const DEFAULT_NETWORK = { mode: "bridge", pods: "10.244.0.0/16", services: "10.96.0.0/16" };

/** Fills in the defaults, also where an argument is there and `undefined`, as of what a configuration lacks. */
export function networkOf(args: Partial<NetworkArgs> = {}): Network {
  const said = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
  const network = { ...DEFAULT_NETWORK, ...said } as Network;
  return hasPolicies(network) ? { ...network, policies: network.policies ?? DEFAULT_POLICIES } : network;
}

type WithPolicies = Extract<Network, { policies: Policies }>;

const hasPolicies = (network: Network): network is WithPolicies =>
  OPTIONS[network.mode]?.includes("policies") ?? false;

/** Routers that a network names, by what they are called in messages. */
export function routersOf(network: Partial<NetworkArgs> = {}): Record<string, string> {
  const { bgp, gateway } = ("underlay" in network && network.underlay) || {};
  const routers = (bgp?.routers ?? []).map(({ address }, i) => [`router ${i + 1}`, address] as const);
  return { ...Object.fromEntries(routers), ...(gateway !== undefined && { "the gateway": gateway }) };
}

/**
 * Parts of the site's network that pods and services get their addresses from, by the argument.
 *
 * @param address leaves out a part that this address is excluded from
 */
export function partsOf(network: Partial<NetworkArgs> = {}, address?: string): Record<string, string> {
  const { loadBalancers, underlay } = network as Partial<Extract<NetworkArgs, { mode: "underlay" }>>;
  const range = underlay?.range !== undefined && !isExcluded(underlay, address) ? underlay.range : undefined;
  return {
    ...(loadBalancers !== undefined && { "network.loadBalancers": loadBalancers }),
    ...(range !== undefined && { "network.underlay.range": range }),
  };
}

/** Policies take effect: Cilium carries pods' packets. */
export const isEnforced = (network: Network): boolean =>
  "policies" in network && network.policies === "enforced";

/** What a network says that nodes were once told and cannot be told again, by argument. */
export function networkFacts(network: Network): Record<string, string> {
  // One fact, since clusters that were made before there was a choice know the mode only: theirs are unenforced.
  const kind = isRouted(network) ? "underlay by routes" : network.mode;
  return {
    "network.mode": isEnforced(network) ? `${kind}, policies enforced` : kind,
    "network.pods": network.pods,
    "network.services": network.services,
  };
}

/** Arguments that some modes have besides the ranges, by mode. */
const OPTIONS: Record<NetworkMode, readonly string[]> = {
  none: [],
  host: [],
  bridge: ["policies", "loadBalancers"],
  overlay: ["policies", "loadBalancers"],
  underlay: ["underlay", "policies", "loadBalancers"],
};

const POLICIES: readonly string[] = ["enforced", "unenforced"] satisfies Policies[];

/** What a network is checked against. */
export interface NetworkSite {
  /** Range of the site's own network. */
  range: string;
  /** Addresses in it that hosts and others have, by whose they are; those of routers are the network's to say. */
  taken: Record<string, string>;
}

/** Everything wrong with a network of the right shape, also when it came from configuration. */
export function networkProblems(args: Partial<NetworkArgs> | undefined, site: NetworkSite): Problem[] {
  const network = networkOf(args);
  const { mode, pods, services } = network;
  if (!Object.hasOwn(OPTIONS, mode)) return [unknownMode(mode)];
  const taken = { ...site.taken, ...routersOf(network as NetworkArgs) };
  return [
    ...optionProblems(network),
    ...(hasPolicies(network) ? policyProblems(network, { ...site, taken }) : []),
    ...(network.mode === "underlay" ? siteProblems(network, site) : []),
    // Pods without an address of their own need no room.
    ...addressPlanProblems({
      site: site.range,
      pods,
      services,
      smallest: hasPolicies(network) ? undefined : 32,
    }),
  ];
}

/** Of the part that the site's own network has in it. */
function siteProblems(
  { underlay, loadBalancers }: Extract<Network, { mode: "underlay" }>,
  site: NetworkSite,
): Problem[] {
  if (underlay?.bgp === undefined)
    return underlayProblems(underlay as UnderlayArgs | undefined, { ...site, loadBalancers });
  const { bgp, ...others } = underlay;
  const found = "pods are routed to by BGP";
  const remedy =
    "take it out, or leave bgp out: pods get addresses of the site's network, or routes lead to them";
  return [
    ...Object.entries(others)
      .filter(([, value]) => value !== undefined)
      .map(([name]) => ({ path: `network.underlay.${name}`, found, remedy })),
    ...bgpProblems(bgp, site.range),
  ];
}

function unknownMode(mode: string): Problem {
  const modes = Object.keys(OPTIONS);
  const near = nearest(mode, modes);
  const remedy = near ? `did you mean ${quote(near)}?` : `give one of ${modes.join(", ")}`;
  return { path: "network.mode", found: `${quote(mode)} is no mode`, remedy };
}

/** Arguments that another mode has. */
function optionProblems(network: Network): Problem[] {
  const others = [...new Set(Object.values(OPTIONS).flat())].filter(
    (option) => !OPTIONS[network.mode].includes(option),
  );
  return others
    .filter((option) => (network as unknown as Record<string, unknown>)[option] !== undefined)
    .map((option) => {
      const modes = Object.entries(OPTIONS).filter(([, options]) => options.includes(option));
      return {
        path: `network.${option}`,
        found: `mode ${network.mode} has no such argument`,
        remedy: `take it out, or give mode ${modes.map(([mode]) => mode).join(" or ")}`,
      };
    });
}

function policyProblems({ policies, loadBalancers }: WithPolicies, site: NetworkSite): Problem[] {
  if (!POLICIES.includes(policies)) {
    const remedy = `give ${POLICIES.map(quote).join(" or ")}`;
    const problem = { path: "network.policies", found: `${quote(policies)} is neither`, remedy };
    return [problem, ...loadBalancerProblems(loadBalancers, site)];
  }
  if (policies === "unenforced" && loadBalancers !== undefined) {
    const found = "only a network that enforces policies announces addresses";
    const remedy = 'take it out, or give policies "enforced"';
    return [{ path: "network.loadBalancers", found, remedy }];
  }
  return loadBalancerProblems(loadBalancers, site);
}

function loadBalancerProblems(text: string | undefined, { range, taken }: NetworkSite): Problem[] {
  const path = "network.loadBalancers";
  const remedy = "give a part of it that no host is in";
  const [part, whole] = [parseRange(text), parseRange(range)];
  if (text === undefined || whole === undefined) return [];
  if (part === undefined) return [rangeProblem(path, text)];
  const last = whole.first + whole.size - 1;
  if (!contains(whole, part.first) || part.size > whole.size) {
    return [{ path, found: `${text} is no part of the site's range ${range}`, remedy }];
  }
  const ends = [
    ...(contains(part, whole.first) ? ["first"] : []),
    ...(contains(part, last) ? ["last"] : []),
  ].map((end) => ({ path, found: `${text} holds the ${end} address of the site's range`, remedy }));
  const inhabited = Object.entries(taken)
    .filter(([, address]) => contains(part, parseAddress(address) ?? -1))
    .map(([name, address]) => ({ path, found: `${name} has the address ${address} in ${text}`, remedy }));
  return [...ends, ...inhabited];
}
