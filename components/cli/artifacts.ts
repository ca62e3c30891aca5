import { type Digests, describeList } from "../artifacts/describe.ts";
import { knownDigests } from "../artifacts/digests.ts";
import {
  type ArtifactList,
  type ArtifactRequest,
  artifactList,
  supportedVersions,
} from "../artifacts/list.ts";
import { describeMirror } from "../artifacts/mirror.ts";
import { chooseSource } from "../artifacts/source.ts";
import { DEFAULT_POLICIES } from "../model/network.ts";
import { type Command, noMore, UsageError } from "./usage.ts";

const newest = Object.keys(supportedVersions).at(-1)!;

/** Seconds that makers' hosts may take to tell digests. */
const PATIENCE = 30;

/** Shows what a platform is made of, without making it. */
export const showArtifacts: Command = {
  usage: `  artifacts [--kubernetes ${newest}] [--network none|host|bridge|overlay|underlay]
            [--policies enforced|unenforced] [--architecture amd64|arm64] [--json]
            [--source upstream|built]
      Binaries, packages and images of a platform, where they come from, and the digests that the cache or
      their makers know. Without --source from where an up would take them.
  artifacts --files URL --images REGISTRY/PATH [...]
      What a mirror must hold: files, each with a .sha256 beside it, and images.
  artifacts --sample [...]
      The sample workload instead.
`,
  options: {
    kubernetes: { type: "string", default: newest },
    network: { type: "string", default: "bridge" },
    policies: { type: "string", default: DEFAULT_POLICIES },
    architecture: { type: "string", default: "amd64" },
    sample: { type: "boolean", default: false },
    source: { type: "string" },
    files: { type: "string" },
    images: { type: "string" },
    json: { type: "boolean", default: false },
  },
  async run({ kubernetes, network, policies, architecture, sample, source, files, images, json }, words) {
    noMore(words);
    // The list refuses what is not of these types.
    const list = artifactList({ kubernetes, network, policies, architecture, sample } as ArtifactRequest);
    if (typeof files === "string" && typeof images === "string") {
      const mirror = describeMirror(list, { kind: "mirror", files, images });
      return json ? asJson(mirror) : [...mirror.files, ...mirror.images].join("\n");
    }
    if (files !== undefined || images !== undefined) {
      throw new UsageError("a mirror has both: give --files and --images");
    }
    const { origin, reason } = await originOf(source);
    const digests = await knownDigests(list, origin, AbortSignal.timeout(PATIENCE * 1000));
    return json ? asJson(withDigests(list, digests)) : `${reason}\n${describeList(list, digests)}`;
  },
};

async function originOf(said: unknown): Promise<{ origin: "upstream" | "built"; reason: string }> {
  if (said === "upstream" || said === "built") return { origin: said, reason: `${said}, as asked` };
  if (said !== undefined)
    throw new UsageError(`${JSON.stringify(said)} is no source; give upstream or built`);
  const { source, reason } = await chooseSource();
  return { origin: source.kind === "upstream" ? "upstream" : "built", reason };
}

const withDigests = (list: ArtifactList, { origin, binaries, images }: Digests) => ({
  ...list,
  origin,
  binaries: list.binaries.map((one) => ({ ...one, digest: binaries[one.name] })),
  images: list.images.map((one) => ({ ...one, digest: images[one.name] })),
});

const asJson = (value: object): string => JSON.stringify(value, undefined, 2);
