export { supportedVersions } from "../artifacts/list.ts";
export type { Taint } from "../render/kubeadm.ts";
export {
  KubernetesCluster,
  type KubernetesClusterArgs,
  type NetworkArgs,
  type NetworkMode,
  type NodePoolArgs,
} from "./cluster.ts";
export { Registry, type RegistryArgs } from "./registry.ts";
export { type BastionArgs, type HostArgs, Site, type SiteArgs, type SshArgs } from "./site.ts";
