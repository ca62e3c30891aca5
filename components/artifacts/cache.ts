import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Work } from "./command.ts";

/** What is known of one file of an entry. */
interface FileRecord {
  sha256: string;
  size: number;
  /** Last change in milliseconds; when it and the size are as recorded, the file is not hashed again. */
  modified: number;
}

/** Written last, so a folder without it is half-written. */
interface Manifest {
  files: Record<string, FileRecord>;
}

/** A finished entry of the cache. */
export interface CacheEntry {
  /** Absolute path of its folder. */
  folder: string;
  /** SHA-256 of each file, by path inside the folder. */
  files: Record<string, string>;
}

const manifestName = "manifest.json";

/** Where artifacts are kept: `$SPILLWAY_CACHE`, else `$XDG_CACHE_HOME/spillway`, else `~/.cache/spillway`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.SPILLWAY_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "spillway");
  return join(base, "artifacts");
}

/** Name of an entry: readable, and different whenever what it is made from differs. */
export function entryName(name: string, version: string, madeFrom: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(madeFrom)).digest("hex").slice(0, 16);
  return `${name}-${version}-${hash}`;
}

/** The entry of a name when it is whole. */
export function findEntry(key: string): Promise<CacheEntry | undefined> {
  return entryAt(join(cacheFolder(), key));
}

/** The entry in a folder when it is whole: each file is there and holds what was recorded. */
export async function entryAt(folder: string): Promise<CacheEntry | undefined> {
  const manifest = await readManifest(folder);
  if (!manifest) return undefined;
  const whole = await Promise.all(
    Object.entries(manifest.files).map(([path, record]) => isAsRecorded(join(folder, path), record)),
  );
  if (whole.includes(false)) return undefined;
  const files = Object.entries(manifest.files).map(([path, { sha256 }]) => [path, sha256]);
  return { folder, files: Object.fromEntries(files) };
}

/**
 * The entry, made by `make` when it is missing or broken. `make` fills an empty folder, which takes
 * its place at once when it is done; of several processes one makes it and the others wait.
 */
export async function cached(
  key: string,
  work: Work,
  make: (folder: string) => Promise<void>,
): Promise<CacheEntry> {
  const found = await findEntry(key);
  if (found) return found;
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(join(cacheFolder(), `${key}.lock`), work);
  try {
    return (await findEntry(key)) ?? (await makeEntry(key, make));
  } finally {
    await unlock();
  }
}

async function makeEntry(key: string, make: (folder: string) => Promise<void>): Promise<CacheEntry> {
  const folder = join(cacheFolder(), key);
  await removeLeftovers(key);
  const draft = `${folder}.draft-${randomUUID()}`;
  await mkdir(draft);
  try {
    await make(draft);
    await writeManifest(draft);
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  const entry = await findEntry(key);
  if (!entry) throw new Error(`cache: ${folder} was just written and is not whole; check the disk`);
  return entry;
}

/** Drafts of runs that were killed; called under the entry's lock. */
async function removeLeftovers(key: string): Promise<void> {
  const names = await readdir(cacheFolder());
  const drafts = names.filter((name) => name.startsWith(`${key}.draft-`));
  await Promise.all(drafts.map((name) => rm(join(cacheFolder(), name), { recursive: true, force: true })));
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, manifestName), "utf8")) as Manifest;
  } catch {
    return undefined;
  }
}

async function writeManifest(folder: string): Promise<void> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: Record<string, FileRecord> = {};
  for (const path of paths.sort()) {
    const sha256 = await sha256Of(path);
    await flush(path);
    const { size, mtimeMs } = await stat(path);
    files[relative(folder, path)] = { sha256, size, modified: mtimeMs };
  }
  const path = join(folder, manifestName);
  await writeFile(path, JSON.stringify({ files } satisfies Manifest, undefined, 2));
  await flush(path);
}

/** After a power cut, a renamed folder must not hold empty files. */
async function flush(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function isAsRecorded(path: string, record: FileRecord): Promise<boolean> {
  try {
    const { size, mtimeMs } = await stat(path);
    if (size !== record.size) return false;
    return mtimeMs === record.modified || (await sha256Of(path)) === record.sha256;
  } catch {
    return false;
  }
}

/** SHA-256 of a file, in hexadecimal. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/**
 * Holds a file's lock through util-linux's `flock`: the kernel lets it go however this process
 * ends. Without `flock` two runs may make the same entry twice, which costs time and breaks nothing.
 */
async function lock(path: string, work: Work): Promise<() => Promise<void>> {
  const child = spawn("flock", [path, "sh", "-c", "echo locked && exec cat >/dev/null"], {
    // Out of the terminal's group, so that Ctrl-C does not let go of the lock too early.
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
    signal: work.signal,
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const waiting = setTimeout(
    () => work.progress("waiting for another run that makes the same artifact"),
    1000,
  );
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve());
      child.once("close", () => resolve());
      child.once("error", (error: NodeJS.ErrnoException) =>
        error.code === "ENOENT" ? resolve() : reject(error),
      );
    });
  } finally {
    clearTimeout(waiting);
  }
  // Gone on its own when this process is aborted meanwhile; the entry's maker hears of that itself.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  return async () => {
    child.stdin.end();
    if (child.pid !== undefined) await ended;
  };
}
