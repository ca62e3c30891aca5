export { type Digests, describeList } from "./describe.ts";
export {
  type Architecture,
  type ArtifactList,
  type ArtifactRequest,
  artifactList,
  type BinaryArtifact,
  type ImageArtifact,
  type ImagePath,
  supportedVersions,
  type UpstreamHosts,
  type Versions,
} from "./list.ts";
export { Artifacts, Image } from "./resources.ts";
export type { BuiltSource, MirrorSource, Source, UpstreamSource } from "./source.ts";
