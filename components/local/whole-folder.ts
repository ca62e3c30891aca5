import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { locked } from "./lock.ts";

/** What a look at a folder gives: what it holds, or why it cannot be used. */
export type Finding<T> = { found: T } | { damage: string };

/** A folder that is made once and used ever after: it is there whole or not at all. */
export interface WholeFolder<T> {
  /** Absolute path. Its name tells what it was made from, so it is never changed in place. */
  folder: string;
  /** Looks whether it is whole. */
  look(folder: string): Promise<Finding<T>>;
  /** Fills an empty folder, which takes its place in one step. */
  make(folder: string): Promise<void>;
  /** Told when the folder is there but damaged, before it is made anew. @default nothing is said */
  onDamage?(reason: string): void;
  /** Told when another process is making it. @default nothing is said */
  onWait?(): void;
  /** Ends the waiting for another process. @default waits for ever */
  signal?: AbortSignal;
}

/** What the folder holds; made when it is missing or damaged, by one of several processes. */
export async function wholeFolder<T>(wanted: WholeFolder<T>): Promise<T> {
  const before = await wanted.look(wanted.folder);
  if ("found" in before) return before.found;
  const { onWait, signal } = wanted;
  return locked(`${wanted.folder}.lock`, () => makeOnce(wanted), { onWait, signal, optional: true });
}

async function makeOnce<T>({ folder, look, make, onDamage }: WholeFolder<T>): Promise<T> {
  const now = await look(folder);
  if ("found" in now) return now.found;
  if (existsSync(folder)) onDamage?.(now.damage);
  await removeLeftovers(folder);
  const draft = `${folder}.draft-${randomUUID()}`;
  try {
    await mkdir(draft, { recursive: true });
    await make(draft);
    await swap(draft, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  const made = await look(folder);
  if ("found" in made) return made.found;
  throw new Error(`${folder} was just written and ${made.damage}; check the disk`);
}

async function swap(draft: string, folder: string): Promise<void> {
  const aside = `${draft}-old`;
  if (existsSync(folder)) await rename(folder, aside);
  await rename(draft, folder);
  await rm(aside, { recursive: true, force: true });
}

/** Drafts of runs that were killed. Only called under the lock, so nobody is at them. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.draft`;
  const names = await readdir(dirname(folder));
  const drafts = names.filter((name) => name.startsWith(prefix)).map((name) => join(dirname(folder), name));
  await Promise.all(drafts.map((path) => rm(path, { recursive: true, force: true })));
}
