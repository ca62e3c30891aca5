import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { entryName } from "../local/cache.ts";
import { run } from "../local/run.ts";
import { cached } from "./cache.ts";
import { addPackages } from "./debian.ts";
import type { Architecture, ImageArtifact } from "./list.ts";
import { timed, type Work } from "./work.ts";

/** A program to put in an image. */
export interface PackedBinary {
  path: string;
  sha256: string;
}

/** An image in an OCI layout on disk. */
export interface PackedImage {
  /** Folder of the OCI layout. */
  layout: string;
  tag: string;
  /** `sha256:...` of the manifest: the same inputs always give the same. */
  digest: string;
}

/** Raised when the way of packing changes, so that older entries are not taken for it. */
const packing = 1;
/** What one step of packing may take, in seconds: layers are some 100 MB. */
const packSeconds = 600;
const epoch = "1970-01-01T00:00:00Z";
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Name of the image's entry in the cache. */
export function packedName(
  image: ImageArtifact,
  binaries: PackedBinary[],
  architecture: Architecture,
): string {
  const { name, tag, folder, entrypoint, user, packages } = image;
  const programs = binaries.map(({ path, sha256 }) => [basename(path), sha256]);
  return entryName(`image-${name}`, tag, [
    packing,
    programs,
    folder,
    entrypoint,
    user,
    packages,
    architecture,
  ]);
}

/**
 * Packs programs as an OCI image with umoci: one layer, no shell, nothing else in it but the Debian
 * packages it names.
 *
 * @throws Error when umoci, tar or, for an image with packages, apt-get is missing or fails.
 */
export async function packImage(
  image: ImageArtifact,
  binaries: PackedBinary[],
  architecture: Architecture,
  work: Work,
): Promise<PackedImage> {
  const entry = await cached(packedName(image, binaries, architecture), work, (folder) =>
    timed(work, `packing ${image.name}:${image.tag}`, () =>
      pack(folder, image, binaries, architecture, work),
    ),
  );
  const layout = join(entry.folder, "layout");
  return { layout, tag: image.tag, digest: await layoutDigest(layout) };
}

async function pack(
  folder: string,
  image: ImageArtifact,
  binaries: PackedBinary[],
  architecture: Architecture,
  work: Work,
): Promise<void> {
  const root = join(folder, `root-${randomUUID()}`);
  const layer = join(folder, "layer.tar");
  await fillRoot(root, image, binaries, architecture, work);
  await archive(root, layer, work);
  await addLayer(join(folder, "layout"), layer, image, architecture, work);
  await rm(root, { recursive: true });
  await rm(layer);
}

async function fillRoot(
  root: string,
  image: ImageArtifact,
  binaries: PackedBinary[],
  architecture: Architecture,
  work: Work,
): Promise<void> {
  await folder(root);
  if (image.packages) await addPackages(root, image.packages, architecture, work);
  for (const path of ["etc", "usr", "usr/local", "usr/local/bin"]) await folder(join(root, path));
  const passwd = join(root, "etc/passwd");
  await writeFile(passwd, "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n");
  await chmod(passwd, 0o644);
  for (const { path } of binaries) {
    const target = join(root, image.folder, basename(path));
    await copyFile(path, target);
    await chmod(target, 0o755);
  }
}

/** Modes are set by hand: the umask of whoever packs must not show in the digest. */
async function folder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
}

async function archive(root: string, layer: string, work: Work): Promise<void> {
  const fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
  await run(["tar", ...fixed, "-C", root, "-cf", layer, "."], {
    signal: work.signal,
    env: { LC_ALL: "C" },
    timeoutSeconds: packSeconds,
  });
}

async function addLayer(
  layout: string,
  layer: string,
  image: ImageArtifact,
  architecture: Architecture,
  work: Work,
): Promise<void> {
  const umoci = (...args: string[]) =>
    run(["umoci", ...args], { signal: work.signal, timeoutSeconds: packSeconds });
  const target = ["--image", `${layout}:${image.tag}`];
  await umoci("init", "--layout", layout);
  await umoci("new", ...target);
  const history = [
    "--history.created",
    epoch,
    "--history.created_by",
    `spillway: ${image.name} ${image.tag}`,
  ];
  await umoci("raw", "add-layer", ...target, ...history, layer);
  const settings = {
    created: epoch,
    os: "linux",
    architecture,
    "config.user": image.user,
    "config.env": searchPath,
    "config.workingdir": "/",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const entrypoint = image.entrypoint.flatMap((argument) => ["--config.entrypoint", argument]);
  await umoci("config", "--no-history", ...target, ...flags, ...entrypoint);
  await umoci("gc", "--layout", layout);
}

/** Digest of the only image in an OCI layout. */
export async function layoutDigest(layout: string): Promise<string> {
  const text = await readFile(join(layout, "index.json"), "utf8").catch(() => undefined);
  if (text === undefined) {
    throw new Error(`${layout}: the image is gone; run "pulumi refresh", then "pulumi up" makes it again`);
  }
  const { manifests } = JSON.parse(text) as { manifests: { digest: string }[] };
  if (manifests.length !== 1) throw new Error(`${layout}: holds ${manifests.length} images, 1 was expected`);
  return manifests[0]!.digest;
}
