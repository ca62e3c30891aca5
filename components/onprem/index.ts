export { supportedVersions } from "../artifacts/list.ts";
export type { Image as ImageDescription, ImageSource, Source } from "../artifacts/source.ts";
export type { BgpArgs, BgpRouterArgs, RoutesArgs } from "../model/bgp.ts";
export type {
  ClusterNetworkArgs,
  HostNetworkArgs,
  NetworkArgs,
  NetworkMode,
  NetworkRanges,
  NoneNetworkArgs,
  Policies,
  PolicyArgs,
  UnderlayNetworkArgs,
} from "../model/network.ts";
export type { Capacity, VolumeArgs } from "../model/store.ts";
export type { UnderlayArgs } from "../model/underlay.ts";
export type { Keep } from "../operations/backup.provider.ts";
export type { Taint } from "../render/kubeadm.ts";
export { Backup, type BackupArgs } from "./backup.ts";
export type { BackupTarget, S3Args } from "./backup-target.ts";
export { CephBlockPool, type CephBlockPoolArgs } from "./ceph-block-pool.ts";
export { CephObjectGateway, type CephObjectGatewayArgs, type CephObjectUser } from "./ceph-gateway.ts";
export { type CephDevice, CephStore, type CephStoreArgs } from "./ceph-store.ts";
export { CephVolume } from "./ceph-volume.ts";
export {
  KubernetesCluster,
  type KubernetesClusterArgs,
  type NodePoolArgs,
} from "./cluster.ts";
export {
  GlusterStore,
  type GlusterStoreArgs,
  GlusterVolume,
  type GlusterVolumeArgs,
} from "./gluster-store.ts";
export { HostStore, type HostStoreArgs, HostVolume, type HostVolumeArgs } from "./host-store.ts";
export { Migration, type MigrationArgs } from "./migration.ts";
export { Registry, type RegistryArgs } from "./registry.ts";
export { type FillingArgs, Restore, type RestoreArgs, type RestorePoint } from "./restore.ts";
export { type BastionArgs, type HostArgs, Site, type SiteArgs, type SshArgs } from "./site.ts";
export { Snapshot, type SnapshotArgs } from "./snapshot.ts";
export { type SnapshotPoint, Store, Volume, type VolumeAccess } from "./store.ts";
export { VolumeMount, type VolumeMountArgs } from "./volume-mount.ts";
