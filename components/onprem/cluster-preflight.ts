import type * as pulumi from "@pulumi/pulumi";
import { leastLinkMtu, tunnelsOf } from "../model/mtu.ts";
import { isEnforced, isRouted, type Network, networkFacts } from "../model/network.ts";
import type { Mark, OneStays } from "../ssh/preflight.ts";
import { Preflight } from "../ssh/resources.ts";
import type { Registry } from "./registry.ts";
import type { Site } from "./site.ts";

/** A cluster, as far as its hosts are looked at for it. */
export interface LookedAtCluster {
  name: string;
  /** What its hosts say when they are its own already. */
  owner: string;
  site: Site;
  registry: Registry;
  network: Network;
  /** Kubernetes' patch version. */
  version: string;
  controlPlane: string[];
  /** All hosts, by name. */
  hosts: string[];
  apiPort: number;
  apiAddress: string | undefined;
}

/** Looks at all hosts of a cluster before anything is changed. */
export function clusterPreflight(cluster: LookedAtCluster, parent: pulumi.Resource): Preflight {
  const { name, owner, site, network, controlPlane, hosts, apiPort } = cluster;
  // A container shows the memory and swap of the machine around it.
  const machines = hosts.every((host) => !site.hosts[host]!.container);
  const ports = (host: string) => portsOf(network, controlPlane.includes(host) ? apiPort : undefined);
  const of = `KubernetesCluster "${name}"`;
  return new Preflight(
    `${name}-preflight`,
    {
      hosts: hosts.map((host) => site.connection(host)),
      fixed: { of, facts: factsOf(cluster), mark: MEMBER, oneStays: oneMember(controlPlane) },
      require: {
        machine: "x86_64",
        ...(isEnforced(network) && CILIUM_NEEDS),
        memoryMiB: machines ? 1700 : 512,
        diskGiB: 10,
        freePorts: Object.fromEntries(hosts.map((host) => [host, ports(host)])),
        noSwap: machines,
        noForeignCluster: true,
        owner,
        clockSkewSeconds: 5,
        interface: network.mode === "underlay" ? network.underlay.parent : undefined,
        packets: { bytes: site.mtu, least: leastLinkMtu(tunnelsOf(network.mode)) },
      },
    },
    { parent },
  );
}

/** Its agent compiles for each host, by `clang-19`, which these releases have. */
const CILIUM_NEEDS = { kernel: "5.10", releases: { debian: "12", ubuntu: "24.04" } };

/** What kubeadm, pods and other hosts were once told and cannot be told again. */
const factsOf = ({ site, version, registry, network, apiPort, apiAddress }: LookedAtCluster) => ({
  version,
  "site.range": site.range,
  ...networkFacts(network),
  registry: registry.address,
  apiPort: String(apiPort),
  apiAddress: apiAddress ?? "none",
});

/** What its way into the cluster leaves on a member. */
const MEMBER: Mark = { file: "/var/lib/spillway/joined", begins: "control plane member " };

/** A member that joins nobody would begin an empty cluster. */
const oneMember = (controlPlane: string[]): OneStays => ({
  argument: "controlPlane",
  hosts: controlPlane,
  mark: MEMBER,
});

const ETCD = [2379, 2380];
const CONTROLLERS = [10257, 10259];
const KUBELET = 10250;
const BGP = 179;

/** Of etcd's metrics, and of kubelet's and kube-proxy's health and metrics, which no other host asks for. */
const ETCD_METRICS = 2381;
const LOCAL = [10248, 10249, 10256];

const FIXED_ANYWHERE = [KUBELET, BGP, ...LOCAL];

/** Ports of parts of a node that no argument moves. */
export const fixedPorts = (member: boolean): readonly number[] =>
  member ? [...ETCD, ETCD_METRICS, ...CONTROLLERS, ...FIXED_ANYWHERE] : FIXED_ANYWHERE;

/** TCP ports that programs of a node listen on, to all or to itself. @param apiPort of a member of the control plane */
function portsOf(network: Network, apiPort?: number): number[] {
  const everywhere = isRouted(network) ? [KUBELET, BGP] : [KUBELET];
  return apiPort === undefined ? everywhere : [apiPort, ...ETCD, ...CONTROLLERS, ...everywhere];
}
