import { supportedVersions, versionsFor } from "../artifacts/list.ts";
import { apiAddressProblems } from "../model/address-plan.ts";
import type { BgpArgs } from "../model/bgp.ts";
import { mtuProblems, tunnelsOf } from "../model/mtu.ts";
import { labelProblems, nameProblems, portProblems, quote, unknownHost } from "../model/names.ts";
import { isRouted, type Network, networkOf, networkProblems } from "../model/network.ts";
import type { Problem } from "../model/problem.ts";
import { anything, given, list, map, named, number, optional, shapeProblems, text } from "../model/shape.ts";
import type { OneStays } from "../ssh/preflight.ts";
import type { KubernetesClusterArgs } from "./cluster.ts";

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
  artifacts: anything,
  apiPort: number,
  apiAddress: text,
});

/** What is wrong with a cluster's arguments; all of it. */
export function clusterProblems(name: string, args: KubernetesClusterArgs): Problem[] {
  const misshapen = shapeProblems(CLUSTER_SHAPE, args);
  if (misshapen.length > 0) return misshapen;
  return [
    ...nameProblems("name", name),
    ...versionProblems(args.version),
    ...controlPlaneProblems(args.controlPlane),
    ...hostProblems(args),
    ...poolProblems(args.pools ?? {}),
    ...podNetwork(args),
    ...portProblems("apiPort", args.apiPort ?? 6443),
    ...virtualAddress(args),
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

/** Names that are no hosts, and hosts named twice. */
function hostProblems({ site, controlPlane, pools = {} }: KubernetesClusterArgs): Problem[] {
  const known = Object.keys(site.hosts);
  const inPools = Object.entries(pools).flatMap(([pool, { hosts }]) =>
    hosts.map((host, i) => ({ host, path: `pools.${pool}.hosts[${i}]` })),
  );
  const named = [...controlPlane.map((host, i) => ({ host, path: `controlPlane[${i}]` })), ...inPools];
  return named.flatMap(({ host, path }, i) => {
    if (!known.includes(host)) return [unknownHost(path, host, known)];
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
      ...labelProblems(`pools.${pool}.taints[${i}]`, { [key]: value }),
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

/** Parts of the site's range that a network takes. */
interface Parts {
  loadBalancers?: string;
  underlay?: { range?: string; bgp?: BgpArgs };
}

function virtualAddress({ site, apiAddress, network }: KubernetesClusterArgs): Problem[] {
  if (apiAddress === undefined) return [];
  const hosts = Object.entries(site.hosts).map(([name, { address }]) => [`host ${name}`, address] as const);
  // Each mode has one of them, or none.
  const { loadBalancers, underlay } = (network ?? {}) as Parts;
  const routers = (underlay?.bgp?.routers ?? []).map(
    ({ address }, i) => [`router ${i + 1}`, address] as const,
  );
  const taken = { ...Object.fromEntries([...hosts, ...routers]), ...site.reservedAddresses() };
  const parts = { "network.loadBalancers": loadBalancers, "network.underlay.range": underlay?.range };
  return apiAddressProblems(apiAddress, { site: site.range, taken, parts });
}

function podNetwork({ site, network }: KubernetesClusterArgs): Problem[] {
  const hosts = Object.entries(site.hosts).map(([name, { address }]) => [name, address] as const);
  return [
    ...networkProblems(network, { range: site.range, hosts: Object.fromEntries(hosts) }),
    ...mtuProblems("site.mtu", site.mtu, tunnelsOf(network?.mode ?? "bridge")),
  ];
}

/** TCP ports that programs of a node listen on. @param apiPort of a member of the control plane */
export function portsOf(network: Network, apiPort?: number): number[] {
  const kubelet = 10250;
  const bgp = 179;
  const everywhere = isRouted(network) ? [kubelet, bgp] : [kubelet];
  return apiPort === undefined ? everywhere : [apiPort, 2379, 2380, ...everywhere];
}

/** A member that joins nobody would begin an empty cluster. The mark is what a host's way into the cluster leaves. */
export const oneMember = (controlPlane: string[]): OneStays => ({
  argument: "controlPlane",
  hosts: controlPlane,
  mark: { file: "/var/lib/spillway/joined", begins: "control plane member " },
});

/** What policies judge a cluster by. */
export function clusterFacts({ version, network }: Pick<KubernetesClusterArgs, "version" | "network">) {
  const { mode, ...rest } = networkOf(network);
  return { version, network: { mode, ...("policies" in rest && { policies: rest.policies }) } };
}
