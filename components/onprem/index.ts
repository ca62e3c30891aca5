export { supportedVersions } from "../artifacts/list.ts";
export type {
  ClusterNetworkArgs,
  HostNetworkArgs,
  NetworkArgs,
  NetworkMode,
  NetworkRanges,
  NoneNetworkArgs,
  Policies,
  PolicyArgs,
  UnderlayArgs,
  UnderlayNetworkArgs,
} from "../model/network.ts";
export type { Taint } from "../render/kubeadm.ts";
export {
  KubernetesCluster,
  type KubernetesClusterArgs,
  type NodePoolArgs,
} from "./cluster.ts";
export { Registry, type RegistryArgs } from "./registry.ts";
export { type BastionArgs, type HostArgs, Site, type SiteArgs, type SshArgs } from "./site.ts";
