import type { ArtifactList, BinaryArtifact, ImageArtifact } from "./list.ts";
import type { Artifacts, MirrorSource } from "./source.ts";
import { downloadAll, pinAll } from "./upstream.ts";
import type { Work } from "./work.ts";

/** What a mirror must hold: URLs of files, each with a `.sha256` beside it, and image references. */
export function describeMirror(
  list: ArtifactList,
  source: MirrorSource,
): { files: string[]; images: string[] } {
  return {
    files: list.binaries.map((binary) => fileUrl(source, binary)),
    images: list.images.map((image) => imageReference(source, image)),
  };
}

/** Downloads binaries from a mirror's folder, checked against their `.sha256`, and pins its images. */
export async function fetchMirror(list: ArtifactList, source: MirrorSource, work: Work): Promise<Artifacts> {
  const { caCertificate } = source;
  const files = list.binaries.map((binary) => {
    const { name, version } = binary;
    const url = fileUrl(source, binary);
    return { name, version, url, checksumUrl: `${url}.sha256`, ...(caCertificate && { caCertificate }) };
  });
  const binaries = await downloadAll(files, work);
  const images = await pinAll(
    list,
    list.images,
    (image) => imageReference(source, image),
    caCertificate,
    work,
  );
  return { binaries, images };
}

function fileUrl({ files }: MirrorSource, { mirrorPath }: BinaryArtifact): string {
  return `${files.replace(/\/+$/, "")}/${mirrorPath}`;
}

function imageReference({ images }: MirrorSource, { repository, tag }: ImageArtifact): string {
  return `${images.replace(/\/+$/, "")}/${repository}:${tag}`;
}
