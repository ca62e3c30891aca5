import type * as pulumi from "@pulumi/pulumi";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { ArtifactsInputs, ArtifactsOutputs } from "./artifacts.provider.ts";
import type { ImageInputs } from "./image.provider.ts";
import type { Source } from "./source.ts";

/** Binaries and images of a platform, brought to this computer: fetched, or built where nothing answers. */
export class Artifacts extends PluginResource {
  /** Programs in this computer's cache, by name. */
  declare readonly binaries: pulumi.Output<ArtifactsOutputs["binaries"]>;
  /** Images by name, with the digest each has. */
  declare readonly images: pulumi.Output<ArtifactsOutputs["images"]>;
  /** Where they came from: `upstream`, `mirror` or `built`. */
  declare readonly origin: pulumi.Output<ArtifactsOutputs["origin"]>;
  /** One line for a person: what came from where, and why. */
  declare readonly summary: pulumi.Output<string>;

  constructor(name: string, args: ArtifactsArgs, opts?: pulumi.CustomResourceOptions) {
    super("spillway:artifacts:Artifacts", name, args, ["binaries", "images", "origin", "summary"], opts);
  }
}

/** What is wanted, and from where. */
export interface ArtifactsArgs extends Omit<Args<ArtifactsInputs>, "source"> {
  /** @default upstream where it answers, else built from packages */
  source?: pulumi.Input<Source>;
}

/** One image in a private registry. */
export class Image extends PluginResource {
  /** `registry/repository@sha256:...`. */
  declare readonly reference: pulumi.Output<string>;

  constructor(name: string, args: Args<ImageInputs>, opts?: pulumi.CustomResourceOptions) {
    // What pods run now goes after what they are to run next is there.
    const order = { deleteBeforeReplace: false, ...opts };
    super("spillway:artifacts:Image", name, args, ["reference"], order);
  }
}
