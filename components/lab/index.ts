export {
  KubernetesCluster,
  type KubernetesClusterArgs,
  type NetworkArgs,
  type NetworkMode,
  type NodePoolArgs,
  Registry,
  type RegistryArgs,
} from "../onprem/index.ts";
export type { Taint } from "../render/kubeadm.ts";
export { boot, cutSsh, exec, type LabState, list, powerCut, purge, restoreSsh, stop } from "./control.ts";
export { Site, type SiteArgs } from "./site.ts";
