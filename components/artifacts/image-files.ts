import { chmod, copyFile, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { entryName } from "../local/cache.ts";
import { run } from "../local/run.ts";
import { cached, findEntry } from "./cache.ts";
import type { Architecture, ArtifactList, BinaryArtifact, ImagePath } from "./list.ts";
import { packFolder } from "./pack-folder.ts";
import { pullImage, resolveDigest } from "./skopeo.ts";
import type { Binary } from "./source.ts";
import { settled, timed, type Work } from "./work.ts";

type Inside = BinaryArtifact & { inside: ImagePath };

/** Programs that their makers publish in images only, taken out of those. */
export async function takeOut(list: ArtifactList, work: Work): Promise<Record<string, Binary>> {
  const images = new Set(list.binaries.flatMap(({ inside }) => inside?.image ?? []));
  const found = [...images].map((image) => takeOutOf(image, insideOf(list, image), list.architecture, work));
  return Object.assign({}, ...(await settled(found)));
}

const insideOf = ({ binaries }: ArtifactList, image: string): Inside[] =>
  binaries.filter((binary): binary is Inside => binary.inside?.image === image);

async function takeOutOf(
  image: string,
  files: readonly Inside[],
  architecture: Architecture,
  work: Work,
): Promise<Record<string, Binary>> {
  const digest = await resolveDigest(image, architecture, undefined, work.signal);
  const entry = await cached(entryOf(digest, files), work, (folder) =>
    timed(work, `fetching ${image}`, async () => {
      const root = await unpack(`${image.replace(/:[^:/]*$/, "")}@${digest}`, folder, work);
      for (const { name, inside } of files) await take(join(root, inside.path), join(folder, name), work);
      await rm(join(folder, "image"), { recursive: true });
    }),
  );
  return Object.fromEntries(
    files.map(({ name, version }) => [
      name,
      { path: join(entry.folder, name), sha256: entry.files[name]!, version },
    ]),
  );
}

function entryOf(digest: string, files: readonly Inside[]): string {
  const { name, version } = files[0]!;
  return entryName(`${name}-image`, version, [digest, files.map(({ name, inside }) => [name, inside.path])]);
}

/** SHA-256 of a program in hexadecimal, where it was taken before out of what the image is now. */
export async function knownInside(
  { name, inside }: Inside,
  list: ArtifactList,
  signal: AbortSignal,
): Promise<string | undefined> {
  const digest = await resolveDigest(inside.image, list.architecture, undefined, signal);
  const entry = await findEntry(entryOf(digest, insideOf(list, inside.image)));
  return entry?.files[name];
}

/** Root of an image's files; whoever unpacks owns them. */
async function unpack(reference: string, folder: string, work: Work): Promise<string> {
  const image = join(folder, "image");
  await mkdir(image);
  await pullImage(reference, join(image, "layout"), work.signal);
  const from = ["--rootless", "--image", `${join(image, "layout")}:image`];
  await run(["umoci", "unpack", ...from, join(image, "bundle")], {
    signal: work.signal,
    timeoutSeconds: 600,
  });
  return join(image, "bundle/rootfs");
}

async function take(from: string, to: string, work: Work): Promise<void> {
  if ((await stat(from)).isDirectory()) return packFolder(from, to, [], work);
  await copyFile(from, to);
  await chmod(to, 0o755);
}
