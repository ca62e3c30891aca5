import { createHash, randomBytes } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { withLock } from "./lock.ts";

interface Entry {
  size: number;
  mtimeMs: number;
  mode: number;
  sha256: string;
}

type Manifest = Record<string, Entry>;

const manifestName = "manifest.json";

/** A folder that is made once and used ever after. */
export interface Cached {
  /** Folder that holds the result. Its name tells the version, so it is never changed in place. */
  directory: string;
  /** Fills an empty folder; its result is moved to `directory` in one step. */
  make(directory: string): Promise<void>;
  /** Told when the folder is there but damaged, before it is made anew. @default nothing is said */
  broken?(reason: string): void;
  /** Told when another process is making it. @default nothing is said */
  waiting?(pid: number): void;
}

/**
 * Returns the folder, made when it is missing or damaged. Sizes and times are compared with the
 * manifest on every call, contents only when those differ.
 */
export async function cached({ directory, make, broken, waiting }: Cached): Promise<string> {
  if ((await damage(directory)) === undefined) return directory;
  return withLock(
    `${directory}.lock`,
    async () => {
      const reason = await damage(directory);
      if (reason === undefined) return directory;
      if (existsSync(directory)) broken?.(reason);
      removeLeftovers(directory);
      const fresh = `${directory}.new-${process.pid}-${randomBytes(4).toString("hex")}`;
      try {
        mkdirSync(fresh, { recursive: true });
        await make(fresh);
        writeFileSync(join(fresh, manifestName), JSON.stringify(await manifestOf(fresh), null, 2));
        swap(fresh, directory);
      } finally {
        rmSync(fresh, { recursive: true, force: true });
      }
      return directory;
    },
    waiting,
  );
}

/** What is wrong with a cached folder, `undefined` when it is whole. */
export async function damage(directory: string): Promise<string | undefined> {
  const manifest = readManifest(directory);
  if (manifest === undefined)
    return existsSync(directory) ? "its manifest is missing or unreadable" : "not made yet";
  let touched = false;
  for (const [path, entry] of Object.entries(manifest)) {
    const file = join(directory, path);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return `${path} is missing`;
    if (stat.size !== entry.size) return `${path} has ${stat.size} bytes instead of ${entry.size}`;
    if ((stat.mode & 0o777) !== entry.mode) return `${path} has another mode`;
    if (stat.mtimeMs === entry.mtimeMs) continue;
    if ((await digest(file)) !== entry.sha256) return `${path} has another content`;
    entry.mtimeMs = stat.mtimeMs;
    touched = true;
  }
  if (touched) remember(directory, manifest);
  return undefined;
}

function readManifest(directory: string): Manifest | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(directory, manifestName), "utf8"));
    return manifest !== null && typeof manifest === "object" ? (manifest as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

function remember(directory: string, manifest: Manifest): void {
  const path = join(directory, manifestName);
  const fresh = `${path}.${process.pid}`;
  try {
    writeFileSync(fresh, JSON.stringify(manifest, null, 2));
    renameSync(fresh, path);
  } catch {
    // A cache on a read-only disk is still a good cache: the next run compares contents again.
  }
}

async function manifestOf(directory: string): Promise<Manifest> {
  const manifest: Manifest = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const { size, mtimeMs, mode } = statSync(file);
    manifest[relative(directory, file)] = { size, mtimeMs, mode: mode & 0o777, sha256: await digest(file) };
  }
  return manifest;
}

async function digest(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

function swap(fresh: string, directory: string): void {
  const aside = `${fresh}-old`;
  if (existsSync(directory)) renameSync(directory, aside);
  renameSync(fresh, directory);
  rmSync(aside, { recursive: true, force: true });
}

/** Half-made folders of runs that were killed. Only called under the lock, so nobody is at them. */
function removeLeftovers(directory: string): void {
  const prefix = `${basename(directory)}.new-`;
  for (const name of readdirSync(dirname(directory)))
    if (name.startsWith(prefix)) rmSync(join(dirname(directory), name), { recursive: true, force: true });
}
