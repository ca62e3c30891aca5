import type * as pulumi from "@pulumi/pulumi";
import type { Capacity } from "../model/store.ts";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { DevicesInputs } from "./devices.provider.ts";
import type { FileSystemInputs } from "./filesystem.provider.ts";
import type { MonitorInputs } from "./monitor.provider.ts";
import type { OsdInputs } from "./osd.provider.ts";
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
