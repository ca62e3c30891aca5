import type * as pulumi from "@pulumi/pulumi";
import { type ArtifactList, type ArtifactRequest, artifactList, SAMPLE } from "../artifacts/list.ts";
import { Artifacts } from "../artifacts/resources.ts";
import type { Image, Source } from "../artifacts/source.ts";
import { nearest, quote } from "../model/names.ts";
import { isRouted, type Network } from "../model/network.ts";
import { type Problem, refuse } from "../model/problem.ts";

/** What a cluster is made of, on this computer. */
export class ClusterArtifacts {
  /** Computed without asking anybody. */
  readonly list: ArtifactList;
  readonly platform: Artifacts;
  readonly #cluster: string;
  readonly #source: Source | undefined;
  readonly #parent: pulumi.Resource;
  #sample: Artifacts | undefined;

  constructor(
    cluster: string,
    { version, network, source }: { version: string; network: Network; source: Source | undefined },
    parent: pulumi.Resource,
  ) {
    this.#cluster = cluster;
    this.#source = source;
    this.#parent = parent;
    const request = requestOf(version, network);
    this.list = artifactList(request);
    this.platform = this.#obtain("artifacts", { ...request, kubernetes: this.list.versions.kubernetes });
  }

  /** One of the platform's images, or the sample, which is obtained where somebody asks for it. */
  image(name: string): pulumi.Output<Image> {
    const known = [...this.list.images.map((image) => image.name), SAMPLE];
    refuse(`KubernetesCluster "${this.#cluster}"`, known.includes(name) ? [] : [unknownImage(name, known)]);
    const { images } = name === SAMPLE ? this.#sampleAlone() : this.platform;
    return images.apply((all) => all[name]!);
  }

  #sampleAlone(): Artifacts {
    const request = { kubernetes: this.list.versions.kubernetes, sample: true };
    this.#sample ??= this.#obtain("sample", request);
    return this.#sample;
  }

  #obtain(what: string, request: ArtifactRequest): Artifacts {
    // Building all of it takes minutes on a small computer.
    const opts = { parent: this.#parent, customTimeouts: { create: "60m" } };
    return new Artifacts(`${this.#cluster}-${what}`, { ...request, source: this.#source }, opts);
  }
}

const requestOf = (kubernetes: string, network: Network): ArtifactRequest => ({
  kubernetes,
  // Routes take no programs of their own, and what is on one link is as in mode `bridge`.
  network: isRouted(network) ? "bridge" : network.mode,
  ...("policies" in network && { policies: network.policies }),
});

function unknownImage(name: string, known: string[]): Problem {
  const near = nearest(name, known);
  const remedy = near ? `did you mean ${quote(near)}?` : `give one of ${known.join(", ")}`;
  return { path: "image", found: `${quote(name)} is none of the artifacts' images`, remedy };
}
