export { CephStorage, type CephStorageArgs } from "./ceph-storage.ts";
export { WebService, type WebServiceArgs } from "./web-service.ts";
