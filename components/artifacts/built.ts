import { join } from "node:path";
import type { CacheEntry } from "../local/cache.ts";
import { run } from "../local/run.ts";
import { findEntry } from "./cache.ts";
import type { Digests } from "./describe.ts";
import { fetchSources, findBuild, type GoModule, goBuild, goModules, productsOf, requireGo } from "./go.ts";
import type { Architecture, ArtifactList, ImageArtifact } from "./list.ts";
import { layoutDigest, packedName, packImage } from "./pack.ts";
import type { Artifacts, Binary, Image } from "./source.ts";
import { settled, type Work } from "./work.ts";

/**
 * Builds what the list names from pinned Go modules, and packs the images.
 *
 * @throws Error when a tool is missing: Go, umoci, tar, apt-get, dpkg-deb, and gcc for flanneld.
 */
export async function build(list: ArtifactList, work: Work): Promise<Artifacts> {
  requireSameMachine(list);
  const programs = await buildPrograms(list, namesOf(list), work);
  const binaries = list.binaries.map(({ name }) => [name, programs[name]!]);
  return {
    binaries: Object.fromEntries(binaries),
    images: await packImages(list, list.images, programs, work),
  };
}

/**
 * Looks for the tools that building would need; what the cache holds already needs none.
 *
 * @throws Error that names every missing tool.
 */
export async function requireTools(list: ArtifactList): Promise<void> {
  requireSameMachine(list);
  const missing: GoModule[] = [];
  for (const module of modulesOf(list)) {
    if (!(await findBuild(module, list.architecture))) missing.push(module);
  }
  const checks = missing.map((module) => () => requireGo(module));
  if (missing.length > 0) {
    checks.push(
      async () => void (await run(["umoci", "--version"])),
      async () => void (await run(["dpkg-deb", "--version"], { missing: "build on Debian or Ubuntu" })),
    );
  }
  await settled(checks.map((check) => check()));
}

/** Digests of what the cache has of a list, built before; by name. */
export async function knownBuilt(list: ArtifactList): Promise<Pick<Digests, "binaries" | "images">> {
  const programs: Record<string, Binary> = {};
  for (const module of modulesOf(list)) {
    const entry = await findBuild(module, list.architecture);
    if (entry) Object.assign(programs, programsOf(module, entry));
  }
  const binaries = list.binaries.flatMap(({ name }) => {
    const program = programs[name];
    return program ? [[name, `sha256:${program.sha256}`]] : [];
  });
  const images: Record<string, string> = {};
  for (const image of list.images) {
    const inside = image.binaries.flatMap((name) => programs[name] ?? []);
    if (inside.length < image.binaries.length) continue;
    const entry = await findEntry(packedName(image, inside, list.architecture));
    if (entry) images[image.name] = await layoutDigest(join(entry.folder, "layout"));
  }
  return { binaries: Object.fromEntries(binaries), images };
}

/** Builds and packs some of a list's images: those that nobody publishes. */
export async function buildImages(
  list: ArtifactList,
  images: readonly ImageArtifact[],
  work: Work,
): Promise<Record<string, Image>> {
  if (images.length === 0) return {};
  requireSameMachine(list);
  const programs = await buildPrograms(list, new Set(images.flatMap(({ binaries }) => binaries)), work);
  return packImages(list, images, programs, work);
}

function namesOf({ binaries, images }: ArtifactList): Set<string> {
  return new Set([...binaries.map(({ name }) => name), ...images.flatMap(({ binaries }) => binaries)]);
}

/** The modules that a list needs, and no others. */
export const modulesOf = (list: ArtifactList): GoModule[] => wantedModules(list, namesOf(list));

function wantedModules({ versions }: ArtifactList, wanted: ReadonlySet<string>): GoModule[] {
  return goModules(versions).filter((module) => productsOf(module).some((name) => wanted.has(name)));
}

/** One after the other: each build keeps all cores busy, and its memory is large. */
async function buildPrograms(
  list: ArtifactList,
  wanted: ReadonlySet<string>,
  work: Work,
): Promise<Record<string, Binary>> {
  const modules = wantedModules(list, wanted);
  // While one module compiles, the network brings the next.
  const built = new AbortController();
  const fetched = fetchAhead(modules, list.architecture, AbortSignal.any([work.signal, built.signal]));
  try {
    const programs: Record<string, Binary> = {};
    for (const module of modules) {
      Object.assign(programs, programsOf(module, await goBuild(module, list.architecture, work)));
    }
    return programs;
  } finally {
    built.abort();
    await fetched;
  }
}

/** Fetches what modules that are not built yet are built from; what cannot be fetched is told by its build. */
async function fetchAhead(
  modules: readonly GoModule[],
  architecture: Architecture,
  signal: AbortSignal,
): Promise<void> {
  for (const module of modules) {
    if (signal.aborted) return;
    if (!(await findBuild(module, architecture)))
      await fetchSources(module, architecture, signal).catch(() => {});
  }
}

function programsOf(module: GoModule, { folder, files }: CacheEntry): Record<string, Binary> {
  const names = productsOf(module);
  return Object.fromEntries(
    names.map((name) => [name, { path: join(folder, name), sha256: files[name]!, version: module.version }]),
  );
}

async function packImages(
  list: ArtifactList,
  images: readonly ImageArtifact[],
  programs: Record<string, Binary>,
  work: Work,
): Promise<Record<string, Image>> {
  const packed: Record<string, Image> = {};
  for (const image of images) {
    const binaries = image.binaries.map((name) => programs[name]!);
    const { layout, tag, digest } = await packImage(image, binaries, list.architecture, work);
    packed[image.name] = { repository: image.repository, tag, digest, source: { layout } };
  }
  return packed;
}

function requireSameMachine({ architecture }: ArtifactList): void {
  const here = process.arch === "x64" ? "amd64" : process.arch;
  if (process.platform === "linux" && here === architecture) return;
  throw new Error(
    `artifacts: building for linux/${architecture} on ${process.platform}/${here} is not supported; ` +
      `run on linux/${architecture}, or choose the source "upstream" or "mirror"`,
  );
}
