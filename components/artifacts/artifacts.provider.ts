import { argumentProblems, named } from "../model/shape.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { requireTools } from "./built.ts";
import { type ArtifactRequest, artifactList, requestProblems } from "./list.ts";
import { atHand, obtain } from "./obtain.ts";
import { type Binary, chooseSource, type Image, type Source, type SourceChoice } from "./source.ts";
import { SOURCE_SHAPE, shown, sourceProblems } from "./source-problems.ts";

/** What is wanted, and from where. */
export interface ArtifactsInputs extends ArtifactRequest {
  /** @default upstream when it answers, else built */
  source?: Source;
}

export interface ArtifactsOutputs {
  /** Programs for hosts, on this computer. */
  binaries: Record<string, Binary>;
  /** Images, with their digests and where to copy them from. */
  images: Record<string, Image>;
  /** Which source was used. */
  origin: Source["kind"];
  /** One line for a person: what came from where, and why. */
  summary: string;
}

/** Binaries and images that a platform needs, obtained once and kept in a cache that outlives it. */
export const artifacts: ResourceType<ArtifactsInputs, ArtifactsOutputs> = {
  token: "spillway:artifacts:Artifacts",
  computed: ["binaries", "images", "origin", "summary"],

  check(inputs, unknown) {
    const problems = requestProblems(inputs).filter(({ path }) => !unknown.has(path));
    if (unknown.has("source") || inputs.source === undefined) return problems;
    const source = argumentProblems(
      named({ source: SOURCE_SHAPE }),
      { source: inputs.source },
      ({ source }) => sourceProblems("source", source),
    );
    return [...problems, ...source];
  },

  async preview(context, inputs) {
    const { source } = await choice(context, inputs.source);
    if (source.kind === "built") await requireTools(artifactList(inputs));
  },

  async create(context, inputs) {
    const outputs = await make(context, inputs);
    return { id: `${inputs.kubernetes}-${inputs.network ?? "bridge"}-${outputs.origin}`, outputs };
  },

  async read(_context, { inputs, outputs }) {
    return (await atHand(outputs)) ? { inputs, outputs } : undefined;
  },

  renews: () => ["binaries", "images", "origin", "summary"],
  update: (context, _old, inputs) => make(context, inputs),

  // The cache belongs to the computer, not to the stack: other stacks use it.
  async delete() {},
};

async function make(context: Context, inputs: ArtifactsInputs): Promise<ArtifactsOutputs> {
  const { source, reason } = await choice(context, inputs.source);
  context.progress(reason);
  const found = await obtain(inputs, source, context);
  const count = `${Object.keys(found.binaries).length} binaries and ${Object.keys(found.images).length} images`;
  return { ...found, origin: source.kind, summary: `Kubernetes ${inputs.kubernetes}: ${count}, ${reason}` };
}

async function choice(context: Context, source: Source | undefined): Promise<SourceChoice> {
  if (!source) return chooseSource({}, undefined, context.signal);
  const reason =
    source.kind === "mirror"
      ? `mirror: ${shown(source.files)}, ${source.images}`
      : `${source.kind}, as asked`;
  return { source, reason };
}
