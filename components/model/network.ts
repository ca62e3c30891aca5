import { addressPlanProblems, rangeProblem } from "./address-plan.ts";
import { bgpProblems, type RoutesArgs } from "./bgp.ts";
import { nearest, quote } from "./names.ts";
import type { Problem } from "./problem.ts";
import { contains, parseAddress, parseRange } from "./range.ts";
import { type UnderlayArgs, underlayProblems } from "./underlay.ts";

/** How containers talk, whatever the mode. */
export interface NetworkRanges {
  /** Range that pods take their addresses from. @default 10.244.0.0/16 */
  pods?: string;
  /** Range of the services' virtual addresses. @default 10.96.0.0/16 */
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
      /** Cilium carries the packets and drops what a policy does not allow. */
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

export type NetworkMode = NetworkArgs["mode"];
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

/** Fills in the defaults. */
export function networkOf(args: NetworkArgs = { mode: "bridge" }): Network {
  const ranges = { pods: "10.244.0.0/16", services: "10.96.0.0/16" };
  return hasPolicies(args)
    ? { ...ranges, ...args, policies: args.policies ?? DEFAULT_POLICIES }
    : { ...ranges, ...args };
}

const hasPolicies = (args: NetworkArgs): args is ClusterNetworkArgs | UnderlayNetworkArgs =>
  OPTIONS[args.mode].includes("policies");

/** What a network says that nodes were once told and cannot be told again, by argument. */
export function networkFacts(network: Network): Record<string, string> {
  // One fact, since clusters that were made before there was a choice know the mode only: theirs are unenforced.
  const kind = isRouted(network) ? "underlay by routes" : network.mode;
  const enforced = "policies" in network && network.policies === "enforced";
  return {
    "network.mode": enforced ? `${kind}, policies enforced` : kind,
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
  /** Addresses of its hosts, by name. */
  hosts: Record<string, string>;
}

/** Everything wrong with a network of the right shape, also when it came from configuration. */
export function networkProblems(args: NetworkArgs | undefined, site: NetworkSite): Problem[] {
  const mode: string | undefined = args?.mode ?? "bridge";
  if (!Object.hasOwn(OPTIONS, mode)) return [unknownMode(mode)];
  const { pods, services } = networkOf(args);
  return [
    ...(args ? optionProblems(args) : []),
    ...(args && hasPolicies(args) ? policyProblems(args, withRouters(args, site)) : []),
    ...(args?.mode === "underlay" ? siteProblems(args, site) : []),
    ...addressPlanProblems({ site: site.range, pods, services, hosts: {} }),
  ];
}

/** Routers are in the site's network as its hosts are. */
function withRouters(args: ClusterNetworkArgs | UnderlayNetworkArgs, site: NetworkSite): NetworkSite {
  const { bgp, gateway } = (args.mode === "underlay" && args.underlay) || {};
  const routers = (bgp?.routers ?? []).map(({ address }, i) => [`router ${i + 1}`, address] as const);
  const all = [...routers, ...(gateway === undefined ? [] : [["the gateway", gateway] as const])];
  return { ...site, hosts: { ...site.hosts, ...Object.fromEntries(all) } };
}

/** Of the part that the site's own network has in it. */
function siteProblems({ underlay, loadBalancers }: UnderlayNetworkArgs, site: NetworkSite): Problem[] {
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
function optionProblems(network: NetworkArgs): Problem[] {
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

function policyProblems({ policies, loadBalancers }: PolicyArgs, site: NetworkSite): Problem[] {
  if (policies !== undefined && !POLICIES.includes(policies)) {
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

function loadBalancerProblems(text: string | undefined, { range, hosts }: NetworkSite): Problem[] {
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
  const inhabited = Object.entries(hosts)
    .filter(([, address]) => contains(part, parseAddress(address) ?? -1))
    .map(([name, address]) => ({ path, found: `${name} has the address ${address} in ${text}`, remedy }));
  return [...ends, ...inhabited];
}
