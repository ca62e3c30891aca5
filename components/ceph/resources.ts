import type * as pulumi from "@pulumi/pulumi";
import type { Capacity } from "../model/store.ts";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { BlockPoolInputs } from "./block-pool.provider.ts";
import type { ClientInputs } from "./client.provider.ts";
import type { DevicesInputs } from "./devices.provider.ts";
import type { FileSystemInputs } from "./filesystem.provider.ts";
import type { MonitorInputs } from "./monitor.provider.ts";
import type { ObjectStoreInputs } from "./object-store.provider.ts";
import type { ObjectUserInputs } from "./object-user.provider.ts";
import type { OsdInputs } from "./osd.provider.ts";
import type { SubvolumeSnapshotInputs } from "./snapshot.provider.ts";
import type { SubvolumeInputs } from "./subvolume.provider.ts";

/** Looks at the devices of all hosts at once, before anything is changed. */
export class Devices extends PluginResource {
  constructor(name: string, args: Args<DevicesInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:Devices", name, args, [], opts);
  }
}

/** A monitor, with a manager and a metadata server beside it. */
export class Monitor extends PluginResource {
  constructor(name: string, args: Args<MonitorInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:Monitor", name, args, [], opts);
  }
}

/** An OSD: one device of a host. */
export class Osd extends PluginResource {
  constructor(name: string, args: Args<OsdInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:Osd", name, args, ["osd"], opts);
  }
}

/** A store's file system with its pools. */
export class FileSystem extends PluginResource {
  declare readonly health: pulumi.Output<string>;
  declare readonly capacity: pulumi.Output<Capacity>;

  constructor(name: string, args: Args<FileSystemInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:FileSystem", name, args, ["health", "capacity"], opts);
  }
}

/** A volume of a store, and its client. */
export class Subvolume extends PluginResource {
  declare readonly directory: pulumi.Output<string>;

  constructor(name: string, args: Args<SubvolumeInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:Subvolume", name, args, ["directory"], opts);
  }
}

/** A volume as it was at one moment. */
export class SubvolumeSnapshot extends PluginResource {
  declare readonly path: pulumi.Output<string>;
  declare readonly time: pulumi.Output<string>;

  constructor(name: string, args: Args<SubvolumeSnapshotInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:SubvolumeSnapshot", name, args, ["path", "time"], opts);
  }
}

/** A client of a cluster, its key and what that may do. */
export class Client extends PluginResource {
  constructor(name: string, args: Args<ClientInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:Client", name, args, [], opts);
  }
}

/** A pool of block devices. */
export class BlockPool extends PluginResource {
  constructor(name: string, args: Args<BlockPoolInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:BlockPool", name, args, [], opts);
  }
}

/** The pools of a cluster's object gateways. */
export class ObjectStore extends PluginResource {
  constructor(name: string, args: Args<ObjectStoreInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:ObjectStore", name, args, [], opts);
  }
}

/** A user of a cluster's object gateways. */
export class ObjectUser extends PluginResource {
  /** Secret. */
  declare readonly accessKey: pulumi.Output<string>;
  /** Secret. */
  declare readonly secretKey: pulumi.Output<string>;

  constructor(name: string, args: Args<ObjectUserInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ceph:ObjectUser", name, args, ["accessKey", "secretKey"], opts);
  }
}
