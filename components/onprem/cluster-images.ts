import * as pulumi from "@pulumi/pulumi";
import type { Artifacts, Image } from "../artifacts/resources.ts";
import type { Registry } from "./registry.ts";

const PLATFORM = [
  "coredns",
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "pause",
];

/** The platform's own images in the site's registry. */
export class ClusterImages extends pulumi.ComponentResource {
  readonly #images: Record<string, Image>;

  constructor(
    name: string,
    registry: Registry,
    artifacts: Artifacts,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("spillway:onprem:ClusterImages", name, {}, opts);
    const images = PLATFORM.map((image) => {
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
