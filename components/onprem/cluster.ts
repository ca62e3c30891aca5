import * as pulumi from "@pulumi/pulumi";
import { describeList } from "../artifacts/describe.ts";
import { digestsOf } from "../artifacts/digests.ts";
import type { ArtifactList } from "../artifacts/list.ts";
import type { Image, Source } from "../artifacts/source.ts";
import { ControlPlaneMember, Worker } from "../kubeadm/resources.ts";
import { type AddressPlan, addressPlan } from "../model/address-plan.ts";
import type { Connection } from "../model/connection.ts";
import { type Network, type NetworkArgs, networkOf } from "../model/network.ts";
import {
  type ClusterSettings,
  CONTROL_PLANE_TAINT,
  initConfig,
  type NodeSettings,
  type Taint,
} from "../render/kubeadm.ts";
import { kubeconfig } from "../render/kubeconfig.ts";
import type { Certificate } from "../secrets/resources.ts";
import type { HostState, Preflight } from "../ssh/resources.ts";
import { apiOnNode } from "./api-address.ts";
import { ClusterArtifacts } from "./cluster-artifacts.ts";
import { ClusterIdentity } from "./cluster-identity.ts";
import { ClusterImages } from "./cluster-images.ts";
import { clusterPreflight } from "./cluster-preflight.ts";
import { clusterFacts, clusterProblems, clustersOf, DEFAULT_API_PORT } from "./cluster-problems.ts";
import { refuseOn } from "./held.ts";
import { type NodeDescription, type NodeParts, nodeState } from "./node.ts";
import { podNetworkOf } from "./pod-networks/of-mode.ts";
import type { PodNetwork } from "./pod-networks/pod-network.ts";
import type { Registry } from "./registry.ts";
import type { Site } from "./site.ts";

/** Nodes that boot alike and join one cluster. */
export interface NodePoolArgs {
  /** Names of hosts of the site. */
  hosts: string[];
  /** Labels on every node of the pool. @default none */
  labels?: Record<string, string>;
  /** Taints on every node of the pool. @default none */
  taints?: Taint[];
}

/** Arguments of a Kubernetes cluster on own machines. */
export interface KubernetesClusterArgs {
  /** Where its hosts are. */
  site: Site;
  /** Supported minor version, such as `1.36`. */
  version: string;
  /** Names of 1, 3 or 5 hosts of the site; etcd runs on them. */
  controlPlane: string[];
  /** Workers, by pool. Hosts of the control plane take no pods but the cluster's own: without workers nothing of yours runs. @default none */
  pools?: Record<string, NodePoolArgs>;
  /** @default mode `bridge` */
  network?: NetworkArgs;
  /** Every node pulls through it. */
  registry: Registry;
  /** Where binaries and images come from. @default upstream where it answers, else built from packages */
  artifacts?: Source;
  /** TCP port of the API servers. @default 6443 */
  apiPort?: number;
  /**
   * An IPv4 address of the site's network that nobody has: by keepalived (VRRP between the members' own
   * addresses; one member alone announces itself by multicast) it is on a member whose API server lives,
   * and kubeconfig and nodes go there. A running cluster keeps it. @default none: the kubeconfig names
   * the first member, nodes try all of them
   */
  apiAddress?: string;
}

/**
 * Kubernetes by kubeadm on hosts of a site.
 *
 * @example
 * new KubernetesCluster("paris", {
 *   site, registry, version: "1.36",
 *   controlPlane: ["cp1"],
 *   pools: { general: { hosts: ["w1", "w2"] } },
 *   network: { mode: "overlay" },
 * });
 */
export class KubernetesCluster extends pulumi.ComponentResource {
  /** Administrator's kubeconfig; secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Name and port of the API that every host of the cluster resolves; it outlives each member. */
  readonly endpoint: string;
  /** Names of the nodes that have joined, control plane first. */
  readonly nodes: pulumi.Output<string[]>;
  /** When certificates end, RFC 3339, by what they are for. */
  readonly certificateExpiry: pulumi.Output<Record<string, string>>;
  /** Everything the cluster is made of, computed without asking anybody. */
  readonly artifactList: ArtifactList;
  /** Where the artifacts came from, then one line each: binaries and images with their SHA-256, packages by name. */
  readonly artifacts: pulumi.Output<string[]>;
  /** What its nodes pull through. */
  readonly registry: Registry;

  readonly #name: string;
  readonly #args: KubernetesClusterArgs & Required<Pick<KubernetesClusterArgs, "pools" | "apiPort">>;
  readonly #network: Network;
  readonly #plan: AddressPlan;
  readonly #artifacts: ClusterArtifacts;
  readonly #preflight: Preflight;

  constructor(name: string, args: KubernetesClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    refuseOn(`KubernetesCluster "${name}"`, clusterProblems(name, args), args?.site, args?.registry);
    super("spillway:onprem:KubernetesCluster", name, clusterFacts(args), opts);
    this.#name = name;
    this.#network = networkOf(args.network);
    const { site, apiAddress, pools = {}, apiPort = DEFAULT_API_PORT } = args;
    this.#args = { ...args, pools, apiPort };
    clustersOf(site).set(name, args);
    this.#plan = addressPlan({ ...this.#network, site: site.range, hosts: this.#addresses(), apiAddress });
    this.endpoint = `${name}.${args.site.siteName}.internal:${this.#args.apiPort}`;
    this.registry = args.registry;
    const { version, artifacts: source } = args;
    this.#artifacts = new ClusterArtifacts(name, { version, network: this.#network, source }, this);
    this.artifactList = this.#artifacts.list;

    this.#preflight = this.#lookAtHosts();
    const artifacts = this.#artifacts.platform;
    const images = new ClusterImages(name, args.registry, this.artifactList, artifacts, { parent: this });
    const identity = new ClusterIdentity(name, { parent: this });
    const podNetwork = this.#podNetwork(identity);
    const states = this.#nodeStates({ identity, artifacts, images, podNetwork });
    const members = this.#controlPlane(identity, images, podNetwork, states);
    const workers = this.#workers(identity, states, members);
    const admin = this.#administrator(identity);

    const { summary, origin, binaries, images: obtained } = artifacts;
    this.artifacts = pulumi
      .all([summary, origin, binaries, obtained])
      .apply(([summary, origin, binaries, images]) => [
        summary,
        ...describeList(this.artifactList, digestsOf(origin, { binaries, images })).split("\n"),
      ]);
    this.kubeconfig = this.#kubeconfig(identity, admin, members);
    this.nodes = pulumi.all([...members, ...workers].map((node) => node.nodeName));
    this.certificateExpiry = this.#certificateExpiry(identity, admin, members);
    this.registerOutputs({ endpoint: this.endpoint });
  }

  /**
   * An image among the artifacts, such as `etcd`, to be brought into a registry; or the sample `hello`, which is
   * built, or in your mirror.
   */
  image(name: string): pulumi.Output<Image> {
    return this.#artifacts.image(name);
  }

  #lookAtHosts(): Preflight {
    const { site, registry, controlPlane, apiPort, apiAddress } = this.#args;
    const version = this.artifactList.versions.kubernetes;
    const hosts = this.#hostNames();
    const facts = { name: this.#name, owner: this.#owner(), network: this.#network, version, hosts };
    return clusterPreflight({ ...facts, site, registry, controlPlane, apiPort, apiAddress }, this);
  }

  #podNetwork(identity: ClusterIdentity): PodNetwork {
    const api = `https://${this.endpoint}`;
    return podNetworkOf({
      cluster: this.#name,
      network: this.#network,
      workers: Object.keys(this.#args.pools).length > 0,
      identity,
      api,
      site: this.#args.site.range,
      mtu: this.#args.site.mtu,
    });
  }

  #nodeStates(parts: NodeParts): Record<string, HostState> {
    const opts = { parent: this, dependsOn: [this.#preflight, parts.images] };
    const states = this.#hostNames().map(
      (host) => [host, nodeState(this.#name, this.#describe(host), parts, opts)] as const,
    );
    return Object.fromEntries(states);
  }

  #describe(host: string): NodeDescription {
    const { site, controlPlane, registry } = this.#args;
    const addresses = this.#addresses();
    const peers = this.#hostNames().filter((other) => other !== host);
    return {
      host,
      address: addresses[host]!,
      connection: site.connection(host),
      container: site.hosts[host]!.container ?? false,
      controlPlane: controlPlane.includes(host),
      podRange: this.#plan.podRanges[host]!,
      peerRoutes: Object.fromEntries(peers.map((peer) => [this.#plan.podRanges[peer]!, addresses[peer]!])),
      endpointName: this.endpoint.split(":")[0]!,
      ...apiOnNode(addresses[host]!, {
        members: controlPlane.map((member) => addresses[member]!),
        apiPort: this.#args.apiPort,
        api: this.#plan.api,
      }),
      packages: this.artifactList.packages,
      registry,
    };
  }

  /** One after the other, in the order of the program: etcd takes one new member at a time. */
  #controlPlane(
    identity: ClusterIdentity,
    images: ClusterImages,
    podNetwork: PodNetwork,
    states: Record<string, HostState>,
  ): ControlPlaneMember[] {
    const { site, controlPlane } = this.#args;
    const members: ControlPlaneMember[] = [];
    for (const host of controlPlane) {
      const peers = controlPlane.filter((other) => other !== host);
      const inputs = {
        ...this.#nodeInputs(host, identity, [CONTROL_PLANE_TAINT], {}),
        peers: this.#connections(peers),
        initConfig: this.#initConfig(host, podNetwork),
        apiPort: this.#args.apiPort,
        keys: identity.keys,
        images: {
          ...(podNetwork.dns && { coredns: images.reference("coredns") }),
          ...(podNetwork.kubeProxy && { kubeProxy: images.reference("kube-proxy") }),
        },
        manifests: podNetwork.manifests,
        connection: site.connection(host),
      };
      // On all that came before: they leave one by one as well, whichever of them go.
      const dependsOn = [states[host]!, ...members];
      members.push(new ControlPlaneMember(`${this.#name}-${host}`, inputs, { parent: this, dependsOn }));
    }
    return members;
  }

  #workers(
    identity: ClusterIdentity,
    states: Record<string, HostState>,
    members: ControlPlaneMember[],
  ): Worker[] {
    return Object.entries(this.#args.pools).flatMap(([pool, { hosts, labels = {}, taints = [] }]) =>
      hosts.map((host) => {
        const ours = { "spillway.io/pool": pool, ...labels };
        const inputs = {
          ...this.#nodeInputs(host, identity, taints, ours),
          connection: this.#args.site.connection(host),
          controlPlane: this.#connections(this.#args.controlPlane),
          drainSeconds: 120,
        };
        return new Worker(`${this.#name}-${host}`, inputs, {
          parent: this,
          dependsOn: [states[host]!, ...members],
        });
      }),
    );
  }

  #nodeInputs(host: string, identity: ClusterIdentity, taints: Taint[], labels: Record<string, string>) {
    const { labels: hostLabels = {}, container } = this.#args.site.hosts[host]!;
    return {
      owner: this.#preflight.owner,
      cluster: identity.id,
      endpoint: this.endpoint,
      caHash: identity.caHash,
      node: this.#node(host, taints),
      podRange: this.#plan.podRanges[host]!,
      labels: { ...labels, ...hostLabels },
      ignorePreflight: container ? IN_CONTAINER : [],
    };
  }

  #node(host: string, taints: Taint[]): NodeSettings {
    return { name: host, address: this.#addresses()[host]!, taints };
  }

  #initConfig(host: string, { kubeProxy, dns }: PodNetwork): string {
    const { site, registry, apiPort } = this.#args;
    const { versions, images } = this.artifactList;
    const tag = (name: string) => images.find((image) => image.name === name)!.tag;
    const settings: ClusterSettings = {
      name: this.#name,
      version: versions.kubernetes,
      endpoint: this.endpoint.split(":")[0]!,
      apiAddress: this.#plan.api?.address,
      apiPort,
      podRange: this.#network.pods,
      serviceRange: this.#network.services,
      imageRepository: registry.address,
      tags: { etcd: tag("etcd"), coredns: tag("coredns") },
      container: site.hosts[host]!.container ?? false,
      kubeProxy,
      dns,
    };
    return initConfig(settings, this.#node(host, [CONTROL_PLANE_TAINT]));
  }

  #administrator(identity: ClusterIdentity): Certificate {
    // The group that kubeadm itself binds to cluster-admin.
    return identity.client("admin", "spillway-admin", "kubeadm:cluster-admins");
  }

  #kubeconfig(
    identity: ClusterIdentity,
    admin: Certificate,
    members: ControlPlaneMember[],
  ): pulumi.Output<string> {
    const { controlPlane, apiPort } = this.#args;
    const [tlsServerName] = this.endpoint.split(":");
    const text = pulumi
      .all([identity.caCertificate, admin.certificate, admin.privateKey, members.map((member) => member.urn)])
      .apply(([caCertificate, certificate, privateKey]) =>
        kubeconfig({
          cluster: this.#name,
          server: `https://${this.#plan.api?.address ?? this.#addresses()[controlPlane[0]!]}:${apiPort}`,
          tlsServerName,
          caCertificate,
          user: "admin",
          certificate,
          privateKey,
        }),
      );
    return pulumi.secret(text);
  }

  #certificateExpiry(
    identity: ClusterIdentity,
    admin: Certificate,
    members: ControlPlaneMember[],
  ): pulumi.Output<Record<string, string>> {
    const hosts = this.#args.controlPlane.map(
      (host, i) => [`host ${host}`, members[i]!.certificateExpiry] as const,
    );
    const expiry: Record<string, pulumi.Output<string>> = {
      "cluster authority": identity.caExpiry,
      administrator: admin.notAfter,
      registry: this.#args.registry.certificateExpiry,
      ...Object.fromEntries(hosts),
    };
    return pulumi.output(expiry);
  }

  #connections(hosts: string[]): Record<string, pulumi.Output<Connection>> {
    return Object.fromEntries(hosts.map((host) => [host, this.#args.site.connection(host)]));
  }

  #hostNames(): string[] {
    return [...this.#args.controlPlane, ...Object.values(this.#args.pools).flatMap(({ hosts }) => hosts)];
  }

  #addresses(): Record<string, string> {
    return Object.fromEntries(this.#hostNames().map((host) => [host, this.#args.site.hosts[host]!.address]));
  }

  /** Known in a preview, so that a foreign cluster on a host is found there. */
  #owner(): string {
    return `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}/${this.#name}`;
  }
}

/** Checks of kubeadm about the machine around a container. */
const IN_CONTAINER = [
  "Swap",
  "SystemVerification",
  "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
];
