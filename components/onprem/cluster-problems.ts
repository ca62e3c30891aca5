import { supportedVersions, versionsFor } from "../artifacts/list.ts";
import { SOURCE_SHAPE, sourceProblems } from "../artifacts/source-problems.ts";
import { apiAddressProblems } from "../model/address-plan.ts";
import { mtuProblems, tunnelsOf } from "../model/mtu.ts";
import { hostNameProblems, labelProblems, nameProblems, portProblems, quote } from "../model/names.ts";
import { networkOf, networkProblems, partsOf, routersOf } from "../model/network.ts";
import type { Problem } from "../model/problem.ts";
import { holds, overlapping } from "../model/range.ts";
import {
  anything,
  argumentProblems,
  given,
  list,
  map,
  named,
  number,
  optional,
  text,
} from "../model/shape.ts";
import type { KubernetesClusterArgs } from "./cluster.ts";
import { fixedPorts } from "./cluster-preflight.ts";
import { refusalOf } from "./held.ts";
import type { Site } from "./site.ts";

/** What TypeScript would say of a network, for one that came from configuration. */
const NETWORK_SHAPE = named({
  mode: text,
  pods: text,
  services: text,
  policies: text,
  loadBalancers: text,
  underlay: optional(
    named({
      range: text,
      gateway: text,
      exclude: optional(list(text)),
      parent: text,
      bgp: optional(
        named({
          as: number,
          routers: optional(list(named({ address: text, as: number, password: anything }))),
        }),
      ),
    }),
  ),
});

const CLUSTER_SHAPE = named({
  site: given,
  version: text,
  controlPlane: list(text),
  pools: optional(
    map(
      named({
        hosts: list(text),
        labels: optional(map(text)),
        taints: optional(list(named({ key: text, value: text, effect: text }))),
      }),
    ),
  ),
  network: optional(NETWORK_SHAPE),
  registry: given,
  artifacts: optional(SOURCE_SHAPE),
  apiPort: number,
  apiAddress: text,
});

export const DEFAULT_API_PORT = 6443;

const clusters = new WeakMap<Site, Map<string, KubernetesClusterArgs>>();

/** Clusters that the program has made at a site, by name. */
export function clustersOf(site: Site): Map<string, KubernetesClusterArgs> {
  const known = clusters.get(site) ?? new Map<string, KubernetesClusterArgs>();
  clusters.set(site, known);
  return known;
}

/** What is wrong with a site that is held is said by itself. */
const notOf = (site: Site) => (problem: Problem) =>
  refusalOf(site) === undefined || !problem.path.startsWith("site.");

/** What is wrong with a cluster's arguments, by themselves and beside others of the site; all of it. */
export function clusterProblems(name: string, args: KubernetesClusterArgs): Problem[] {
  return argumentProblems(CLUSTER_SHAPE, args, (args) => {
    const others = [...clustersOf(args.site)].map(([other, theirs]) => ({ name: other, args: theirs }));
    return [
      ...nameProblems("name", name),
      ...others.flatMap((other) => meetingProblems({ name, args }, other)),
      ...versionProblems(args.version),
      ...controlPlaneProblems(args.controlPlane),
      ...hostProblems(args),
      ...poolProblems(args.pools ?? {}),
      ...podNetwork(args).filter(notOf(args.site)),
      ...apiPortProblems(args),
      ...registryPortProblems(args),
      ...virtualAddress(args),
      ...(args.artifacts === undefined ? [] : sourceProblems("artifacts", args.artifacts)),
      ...(args.registry.siteName === args.site.siteName
        ? []
        : [
            {
              path: "registry",
              found: `it is at site ${args.registry.siteName}`,
              remedy: "give one of the cluster's own site",
            },
          ]),
    ];
  });
}

function versionProblems(version: string | undefined): Problem[] {
  if (version && versionsFor(version)) return [];
  const known = Object.keys(supportedVersions).join(", ");
  return [{ path: "version", found: `${quote(version)} is not supported`, remedy: `give one of ${known}` }];
}

function controlPlaneProblems(controlPlane: string[]): Problem[] {
  if ([1, 3, 5].includes(controlPlane.length)) return [];
  const found = `${controlPlane.length} hosts`;
  const remedy = "give 1, 3 or 5: an even number of etcd members bears no more losses than one fewer";
  return [{ path: "controlPlane", found, remedy }];
}

/** Every host of a cluster, and the argument that names it. */
function placesOf({ controlPlane, pools = {} }: KubernetesClusterArgs): { host: string; path: string }[] {
  const inPools = Object.entries(pools).flatMap(([pool, { hosts }]) =>
    hosts.map((host, i) => ({ host, path: `pools.${pool}.hosts[${i}]` })),
  );
  return [...controlPlane.map((host, i) => ({ host, path: `controlPlane[${i}]` })), ...inPools];
}

/** Names that are no hosts, and hosts named twice. */
function hostProblems(args: KubernetesClusterArgs): Problem[] {
  const known = Object.keys(args.site.hosts);
  const named = placesOf(args);
  return named.flatMap(({ host, path }, i) => {
    if (!known.includes(host)) return hostNameProblems(path, host, known);
    const first = named.find((other) => other.host === host)!;
    if (named.indexOf(first) === i) return [];
    return [{ path, found: `${host} is ${first.path} already`, remedy: "name each host once" }];
  });
}

const TAINT_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function poolProblems(pools: NonNullable<KubernetesClusterArgs["pools"]>): Problem[] {
  return Object.entries(pools).flatMap(([pool, { hosts, labels = {}, taints = [] }]) => [
    ...nameProblems(`pools.${pool}`, pool),
    ...(hosts.length > 0
      ? []
      : [{ path: `pools.${pool}.hosts`, found: "no hosts", remedy: "name one, or leave the pool out" }]),
    ...labelProblems(`pools.${pool}.labels`, labels),
    ...taints.flatMap(({ key, value = "", effect }, i) => [
      ...labelProblems(`pools.${pool}.taints[${i}]`, { [key ?? ""]: value }),
      ...(taints.findIndex((other) => other.key === key && other.effect === effect) === i
        ? []
        : [
            {
              path: `pools.${pool}.taints[${i}]`,
              found: `${key}:${effect} stands twice`,
              remedy: "give a key and an effect once",
            },
          ]),
      ...(TAINT_EFFECTS.includes(effect)
        ? []
        : [
            {
              path: `pools.${pool}.taints[${i}].effect`,
              found: quote(String(effect)),
              remedy: `give one of ${TAINT_EFFECTS.join(", ")}`,
            },
          ]),
    ]),
  ]);
}

/** Addresses of the site's network that somebody has, by whose they are. */
function takenAddresses(site: Site): Record<string, string> {
  const hosts = Object.entries(site.hosts).map(([name, { address }]) => [`host ${name}`, address] as const);
  return { ...Object.fromEntries(hosts), ...site.reservedAddresses() };
}

function virtualAddress({ site, apiAddress, network }: KubernetesClusterArgs): Problem[] {
  if (apiAddress === undefined) return [];
  const taken = { ...takenAddresses(site), ...routersOf(network) };
  return apiAddressProblems(apiAddress, { site: site.range, taken, parts: partsOf(network, apiAddress) });
}

function podNetwork({ site, network }: KubernetesClusterArgs): Problem[] {
  return [
    ...networkProblems(network, { range: site.range, taken: takenAddresses(site) }),
    ...mtuProblems("site.mtu", site.mtu, tunnelsOf(network?.mode ?? "bridge")),
  ];
}

/* Nothing listens yet when hosts are looked at: what comes to meet there is seen here alone. */

/** A registry on a node, at the port of another part of that. */
function registryPortProblems({ controlPlane, pools, site, registry }: KubernetesClusterArgs): Problem[] {
  return placesOf({ controlPlane, pools } as KubernetesClusterArgs).flatMap(({ host }) =>
    fixedPorts(controlPlane.includes(host))
      .filter((port) => registry.address === `${site.hosts[host]?.address}:${port}`)
      .map((port) => ({
        path: "registry",
        found: `its port ${port} on ${host} is that of another part of a node`,
        remedy: "give the registry another, such as 5000",
      })),
  );
}

function apiPortProblems({
  apiPort = DEFAULT_API_PORT,
  controlPlane,
  site,
  registry,
}: KubernetesClusterArgs) {
  const registries = controlPlane.filter(
    (host) => registry.address === `${site.hosts[host]?.address}:${apiPort}`,
  );
  const remedy = `give another, such as ${DEFAULT_API_PORT}`;
  return [
    ...portProblems("apiPort", apiPort),
    ...(fixedPorts(true).includes(apiPort)
      ? [{ path: "apiPort", found: `${apiPort} is the port of another part of a node`, remedy }]
      : []),
    ...registries.map((host) => ({
      path: "apiPort",
      found: `the registry has ${apiPort} on ${host}`,
      remedy,
    })),
  ];
}

interface Named {
  name: string;
  args: KubernetesClusterArgs;
}

/** Two clusters at one site: neither host nor address is in both. */
function meetingProblems({ name, args }: Named, other: Named): Problem[] {
  const their = `of KubernetesCluster "${other.name}"`;
  const problem = (path: string, found: string, remedy: string): Problem[] => [{ path, found, remedy }];
  const theirHosts = placesOf(other.args).map(({ host }) => host);
  const hosts = placesOf(args)
    .filter(({ host }) => theirHosts.includes(host))
    .flatMap(({ host, path }) => problem(path, `${host} is a host ${their} already`, "name another host"));
  const theirNames = theirHosts.map((host) => `${other.name}-${host}`);
  const names = placesOf(args)
    .filter(({ host }) => theirNames.includes(`${name}-${host}`))
    .flatMap(({ host }) =>
      problem("name", `"${name}-${host}" names a node ${their} as well`, "give one of them another name"),
    );
  return [...hosts, ...names, ...addressMeetings(args, other.args, their)];
}

function addressMeetings(
  args: KubernetesClusterArgs,
  other: KubernetesClusterArgs,
  their: string,
): Problem[] {
  const { apiAddress } = args;
  const path = "apiAddress";
  const remedy = "give a free one of the site's range";
  const parts = (one: KubernetesClusterArgs, address?: string) =>
    Object.entries(partsOf(one.network, address));
  const apart = "give ranges that do not meet";
  return [
    ...(apiAddress !== undefined && apiAddress === other.apiAddress
      ? [{ path, found: `${apiAddress} is that ${their} already`, remedy }]
      : []),
    ...parts(other, apiAddress)
      .filter(([, part]) => holds(part, apiAddress))
      .map(([, part]) => ({ path, found: `${apiAddress} is in ${part} ${their}`, remedy })),
    ...parts(args, other.apiAddress)
      .filter(([, part]) => holds(part, other.apiAddress))
      .map(([path, part]) => ({
        path,
        found: `${part} holds ${other.apiAddress}, the API's ${their}`,
        remedy: apart,
      })),
    ...parts(args).flatMap(([path, part]) =>
      parts(other)
        .filter(([, theirs]) => overlapping(part, theirs))
        .map(([, theirs]) => ({ path, found: `${part} overlaps ${theirs} ${their}`, remedy: apart })),
    ),
  ];
}

/** What policies judge a cluster by. */
export function clusterFacts({ version, network }: Pick<KubernetesClusterArgs, "version" | "network">) {
  const { mode, ...rest } = networkOf(network);
  return { version, network: { mode, ...("policies" in rest && { policies: rest.policies }) } };
}
