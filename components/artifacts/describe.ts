import type { ArtifactList, BinaryArtifact, ImageArtifact } from "./list.ts";
import type { Source } from "./source.ts";

/** What the artifacts of a list are, from one source. */
export interface Digests {
  origin: Source["kind"];
  /** `sha256:...` of each binary, by name; without those that nobody knows before they are obtained. */
  binaries: Record<string, string>;
  /** `sha256:...` of each image's manifest, by name. */
  images: Record<string, string>;
}

/**
 * The list as text, one line an artifact, for a person to read or a mirror to be filled by.
 *
 * @param digests are shown as well, and where the source has each artifact. @default its makers' places alone
 */
export function describeList(list: ArtifactList, digests?: Digests): string {
  const digest = (known: Record<string, string>, name: string) =>
    known[name] ?? "digest not known before it is obtained";
  const lines = [
    `Kubernetes ${list.versions.kubernetes} on ${list.architecture}`,
    ...list.binaries.map((binary) => [
      `binary   ${binary.name} ${binary.version}`,
      binaryPlace(binary, digests?.origin),
      ...(digests ? [digest(digests.binaries, binary.name)] : []),
    ]),
    ...list.packages.map((name) => `package  ${name}`),
    ...list.images.map((image) => [
      `image    ${image.repository}:${image.tag}`,
      imagePlace(image, digests?.origin),
      ...(digests ? [digest(digests.images, image.name)] : []),
    ]),
  ];
  return lines.map((line) => [line].flat().join("  ")).join("\n");
}

function binaryPlace(
  { url, inside, mirrorPath }: BinaryArtifact,
  origin: Source["kind"] = "upstream",
): string {
  if (origin === "built") return "built on this computer";
  return origin === "mirror" ? `${mirrorPath} in the mirror` : (url ?? `${inside?.path} in ${inside?.image}`);
}

function imagePlace(
  { upstream, repository, tag }: ImageArtifact,
  origin: Source["kind"] = "upstream",
): string {
  if (origin === "mirror") return `${repository}:${tag} in the mirror`;
  if (upstream === undefined) return "built from this package";
  return origin === "built" ? "built on this computer" : upstream;
}
