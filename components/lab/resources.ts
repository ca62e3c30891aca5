import type * as pulumi from "@pulumi/pulumi";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { HostInputs } from "./host.provider.ts";
import type { ImageInputs } from "./image.provider.ts";
import type { NetworkInputs } from "./network.provider.ts";

/** Root file system that lab hosts start from; cached on this computer. */
export class Image extends PluginResource {
  declare readonly path: pulumi.Output<string>;

  constructor(name: string, args: Args<ImageInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:lab:Image", name, args, ["path"], opts);
  }
}

/** Network of a lab: a bridge in a network namespace of its own. */
export class Network extends PluginResource {
  declare readonly gateway: pulumi.Output<string>;

  constructor(name: string, args: Args<NetworkInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:lab:Network", name, args, ["gateway", "interface", "computer"], opts);
  }
}

/** A host made on this computer: a systemd container with an sshd, a network and control groups of its own. */
export class Host extends PluginResource {
  declare readonly hostKey: pulumi.Output<string>;

  constructor(name: string, args: Args<HostInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:lab:Host", name, args, ["port", "hostKey", "pid"], opts);
  }
}
