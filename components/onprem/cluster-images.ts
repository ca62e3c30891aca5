import * as pulumi from "@pulumi/pulumi";
import type { ArtifactList } from "../artifacts/list.ts";
import type { Artifacts, Image } from "../artifacts/resources.ts";
import type { Registry } from "./registry.ts";

/** The platform's own images in the site's registry. */
export class ClusterImages extends pulumi.ComponentResource {
  readonly #images: Record<string, Image>;

  constructor(
    name: string,
    registry: Registry,
    list: ArtifactList,
    artifacts: Artifacts,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("spillway:onprem:ClusterImages", name, {}, opts);
    const images = list.images.map(({ name: image }) => {
      const source = artifacts.images.apply((all) => all[image]!);
      return [image, registry.image(`${name}-${image}`, source, { parent: this })] as const;
    });
    this.#images = Object.fromEntries(images);
    this.registerOutputs({});
  }

  /** `registry/repository@sha256:...`. */
  reference(image: string): pulumi.Output<string> {
    return this.#images[image]!.reference;
  }
}
