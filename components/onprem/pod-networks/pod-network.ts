import type * as pulumi from "@pulumi/pulumi";
import type { Network } from "../../model/network.ts";
import type { DirectoryState, UnitState } from "../../ssh/host-state.ts";
import type { ClusterIdentity } from "../cluster-identity.ts";

/** What a way of pod networking is made from, alike on all nodes. */
export interface PodNetworkArgs<N extends Network = Network> {
  /** Name of the cluster. */
  cluster: string;
  network: N;
  /** There are nodes besides the control plane's. */
  workers: boolean;
  identity: ClusterIdentity;
  /** Range of the site's own network. */
  site: string;
  /** Largest packet that passes between hosts, in bytes. */
  mtu: number;
  /** `https://NAME:PORT` of the API, as every host of the cluster resolves it. */
  api: string;
}

/** A node, as far as its network is concerned. */
export interface NetworkedNode {
  host: string;
  address: string;
  /** The host is itself a container. */
  container: boolean;
  /** The host is a member of the control plane. */
  controlPlane: boolean;
  /** Range of the node's pods. */
  podRange: string;
  /** Host address of every other node by the range of its pods. */
  peerRoutes: Record<string, string>;
}

/** Files of a host, by path. */
export type Files = Record<string, { content: pulumi.Input<string>; mode?: string; overwrite?: boolean }>;

/** What a node's host needs for its pods to talk; becomes part of its declared state. */
export interface NodeNetwork {
  /** How a pod is connected: a CNI configuration list. */
  cni: string;
  files: Files;
  /** Debian packages besides those of every node. @default none */
  packages?: string[];
  /** @default none */
  directories?: Record<string, DirectoryState>;
  units: Record<string, UnitState>;
  /** Names of artifacts, by the path that each gets on the host. @default none */
  programs?: Record<string, string>;
  /** Kernel modules, for a host that is a machine. @default none */
  modules?: string[];
}

/** One way of carrying pods' packets, as it is on a cluster. */
export interface PodNetwork {
  /** kube-proxy carries what is sent to services; without it, the network does. */
  kubeProxy: boolean;
  /** Pods reach CoreDNS; without that, it is not there. */
  dns: boolean;
  /** Path of the host that `cni` is at once pods can be connected. */
  cniConfig: string;
  onNode(node: NetworkedNode): NodeNetwork;
  /** What the cluster itself needs, such as the rights of a daemon; YAML. */
  manifests: string;
}

export type Way = (args: PodNetworkArgs) => PodNetwork;

/** Where containerd finds out how to connect a pod, when no daemon writes it. */
export const CNI_CONFIG = "/etc/cni/net.d/10-spillway.conflist";
