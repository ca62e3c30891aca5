import { join } from "node:path";
import { type CacheEntry, cached as cachedFolder, entryAt } from "../local/cache.ts";
import { cacheRoot } from "../local/folders.ts";
import type { Work } from "./work.ts";

/** Where artifacts are kept. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheRoot(env), "artifacts");
}

/** The entry of a name when it is whole. */
export function findEntry(key: string): Promise<CacheEntry | undefined> {
  return entryAt(join(cacheFolder(), key));
}

/** The entry of a name, made when it is missing or damaged; of several processes one makes it. */
export function cached(
  key: string,
  work: Work,
  make: (folder: string) => Promise<void>,
): Promise<CacheEntry> {
  return cachedFolder({
    folder: join(cacheFolder(), key),
    make,
    onWait: () => work.progress("waiting for another run that makes the same artifact"),
    signal: work.signal,
  });
}
