import { type ArtifactRequest, artifactList, describeList, supportedVersions } from "../artifacts/list.ts";
import { describeMirror } from "../artifacts/mirror.ts";
import { DEFAULT_POLICIES } from "../model/network.ts";
import { type Command, noMore, UsageError } from "./usage.ts";

const newest = Object.keys(supportedVersions).at(-1)!;

/** Shows what a platform is made of, without making it. */
export const showArtifacts: Command = {
  usage: `  artifacts [--kubernetes ${newest}] [--network none|host|bridge|overlay|underlay]
            [--policies enforced|unenforced] [--architecture amd64|arm64] [--json]
      Binaries, packages and images of a platform, and where their makers publish them.
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
    files: { type: "string" },
    images: { type: "string" },
    json: { type: "boolean", default: false },
  },
  run({ kubernetes, network, policies, architecture, sample, files, images, json }, words) {
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
    return json ? asJson(list) : describeList(list);
  },
};

const asJson = (value: object): string => JSON.stringify(value, undefined, 2);
