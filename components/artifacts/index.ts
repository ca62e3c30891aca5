export {
  type ArtifactList,
  type ArtifactRequest,
  artifactList,
  describeList,
  supportedVersions,
} from "./list.ts";
export { Artifacts, Image } from "./resources.ts";
export type { Source } from "./source.ts";
