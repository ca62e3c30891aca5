export { CephStorage, type CephStorageArgs } from "./ceph-storage.ts";
export { StaticVolume, type StaticVolumeArgs } from "./static-volume.ts";
export { WebService, type WebServiceArgs } from "./web-service.ts";
