import type * as pulumi from "@pulumi/pulumi";
import type { Capacity } from "../model/store.ts";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { PeerInputs } from "./peer.provider.ts";
import type { StatusInputs } from "./status.provider.ts";
import type { GlusterVolumeInputs } from "./volume.provider.ts";

/** A host that is a member of a store's trusted pool. */
export class Peer extends PluginResource {
  constructor(name: string, args: Args<PeerInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:gluster:Peer", name, args, [], opts);
  }
}

/** A replicated volume of a trusted pool. */
export class PoolVolume extends PluginResource {
  constructor(name: string, args: Args<GlusterVolumeInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:gluster:Volume", name, args, [], opts);
  }
}

/** How a trusted pool and its volumes are. */
export class Status extends PluginResource {
  declare readonly health: pulumi.Output<string>;
  declare readonly capacity: pulumi.Output<Capacity>;

  constructor(name: string, args: Args<StatusInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:gluster:Status", name, args, ["health", "capacity"], opts);
  }
}
