import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Finding, type WholeFolder, wholeFolder } from "./whole-folder.ts";

/** What is known of one file. */
interface FileRecord {
  sha256: string;
  size: number;
  /** Last change in milliseconds; when it and the size are as recorded, the file is not hashed again. */
  modified: number;
  /** Permission bits. */
  mode?: number;
}

/** Written last, so a folder without it is half-written. */
interface Manifest {
  files: Record<string, FileRecord>;
}

/** A finished folder of the cache. */
export interface CacheEntry {
  /** Absolute path. */
  folder: string;
  /** SHA-256 of each file, by path inside the folder. */
  files: Record<string, string>;
}

const manifestName = "manifest.json";

/** Name of an entry: readable, and different whenever what it is made from differs. */
export function entryName(name: string, version: string, madeFrom: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(madeFrom)).digest("hex").slice(0, 16);
  return `${name}-${version}-${hash}`;
}

/** The folder, made when it is missing or when a file in it is not as it was recorded. */
export function cached(wanted: Omit<WholeFolder<CacheEntry>, "look">): Promise<CacheEntry> {
  return wholeFolder({
    ...wanted,
    look,
    async make(draft) {
      await wanted.make(draft);
      await writeManifest(draft);
    },
  });
}

/** The entry in a folder when it is whole: each file is there and holds what was recorded. */
export async function entryAt(folder: string): Promise<CacheEntry | undefined> {
  const finding = await look(folder);
  return "found" in finding ? finding.found : undefined;
}

async function look(folder: string): Promise<Finding<CacheEntry>> {
  const manifest = await readManifest(folder);
  if (!manifest) {
    return { damage: existsSync(folder) ? "its manifest is missing or unreadable" : "it is not there" };
  }
  const records = Object.entries(manifest.files);
  const touched = await Promise.all(
    records.map(([path, record]) => compare(join(folder, path), path, record)),
  );
  const damage = touched.find((result) => typeof result === "string");
  if (damage !== undefined) return { damage };
  if (touched.includes(true)) await remember(folder, manifest);
  return {
    found: { folder, files: Object.fromEntries(records.map(([path, { sha256 }]) => [path, sha256])) },
  };
}

/** What is wrong with a file; true when nothing is but its time, which is then noted. */
async function compare(file: string, path: string, record: FileRecord): Promise<string | boolean> {
  const found = await stat(file).catch(() => undefined);
  if (!found) return `${path} is missing`;
  if (found.size !== record.size) return `${path} has ${found.size} bytes instead of ${record.size}`;
  if (record.mode !== undefined && (found.mode & 0o777) !== record.mode) return `${path} has another mode`;
  if (found.mtimeMs === record.modified) return false;
  if ((await sha256Of(file)) !== record.sha256) return `${path} has another content`;
  record.modified = found.mtimeMs;
  return true;
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, manifestName), "utf8")) as Manifest;
    return typeof manifest.files === "object" ? manifest : undefined;
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
    const { size, mtimeMs, mode } = await stat(path);
    files[relative(folder, path)] = { sha256, size, modified: mtimeMs, mode: mode & 0o777 };
  }
  await writeFile(join(folder, manifestName), manifestText({ files }));
  await flush(join(folder, manifestName));
}

const manifestText = (manifest: Manifest): string => JSON.stringify(manifest, undefined, 2);

async function remember(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, manifestName);
  const fresh = `${path}.${process.pid}`;
  try {
    await writeFile(fresh, manifestText(manifest));
    await rename(fresh, path);
  } catch {
    // A cache on a read-only disk is still a good cache: the next run compares contents again.
  }
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

/** SHA-256 of a file, in hexadecimal. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}
