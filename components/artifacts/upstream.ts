import { buildImages } from "./built.ts";
import { type Download, download } from "./download.ts";
import { takeOut } from "./image-files.ts";
import type { ArtifactList, ImageArtifact } from "./list.ts";
import { resolveDigest } from "./skopeo.ts";
import type { Artifacts, Binary, Image } from "./source.ts";
import { settled, timed, type Work } from "./work.ts";

/**
 * Downloads binaries from where the list says, and pins the images at their makers' registries.
 * The sample, which nobody publishes, is built.
 */
export async function fetchUpstream(list: ArtifactList, work: Work): Promise<Artifacts> {
  const published = list.images.filter(({ upstream }) => upstream !== undefined);
  const own = list.images.filter(({ upstream }) => upstream === undefined);
  const binaries = { ...(await downloadAll(downloads(list), work)), ...(await takeOut(list, work)) };
  const images = await pinAll(list, published, ({ upstream }) => upstream!, undefined, work);
  return { binaries, images: { ...images, ...(await buildImages(list, own, work)) } };
}

function downloads({ binaries }: ArtifactList): Download[] {
  return binaries.flatMap(({ url, ...rest }) => (url === undefined ? [] : [{ ...rest, url }]));
}

/** Downloads programs side by side. */
export async function downloadAll(files: readonly Download[], work: Work): Promise<Record<string, Binary>> {
  const found = files.map(async (file): Promise<[string, Binary]> => [file.name, await download(file, work)]);
  return Object.fromEntries(await settled(found));
}

/** Resolves tags to digests, so that what is copied later is what was looked at now. */
export async function pinAll(
  list: ArtifactList,
  images: readonly ImageArtifact[],
  place: (image: ImageArtifact) => string,
  caCertificate: string | undefined,
  work: Work,
): Promise<Record<string, Image>> {
  const pin = async (image: ImageArtifact): Promise<[string, Image]> => {
    const named = place(image);
    const digest = await resolveDigest(named, list.architecture, caCertificate, work.signal);
    const reference = `${named.replace(/:[^:/]*$/, "")}@${digest}`;
    const source = { reference, ...(caCertificate && { caCertificate }) };
    return [image.name, { repository: image.repository, tag: image.tag, digest, source }];
  };
  return timed(work, `resolving ${images.length} images`, async () =>
    Object.fromEntries(await settled(images.map(pin))),
  );
}
