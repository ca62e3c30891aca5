import type * as pulumi from "@pulumi/pulumi";
import type { Capacity } from "../model/store.ts";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { DirectoryInputs } from "./directory.provider.ts";
import type { SpaceInputs } from "./space.provider.ts";

/** A directory for data: it goes only when it is empty, or with the word `allowDataLoss`. */
export class Directory extends PluginResource {
  constructor(name: string, args: Args<DirectoryInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:store:Directory", name, args, [], opts);
  }
}

/** What the file systems below directories of hosts hold, in bytes. */
export class Space extends PluginResource {
  declare readonly health: pulumi.Output<string>;
  declare readonly capacity: pulumi.Output<Capacity>;

  constructor(name: string, args: Args<SpaceInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:store:Space", name, args, ["health", "capacity"], opts);
  }
}
