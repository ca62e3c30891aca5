import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hostDirectory, labDirectory, labsDirectory, nameProblems } from "./names.ts";

/** What is written down of a lab's network. */
export interface NetworkRecord {
  /** Who made it: another stack must not take it over. */
  owner: string;
  range: string;
  nat: boolean;
  /** Interface on which forwarding was switched on for NAT, and was off before. */
  forwarding?: string;
  /** The computer's limit of inotify instances before this lab raised it. */
  inotifyBefore?: number;
}

/** What is written down of a host, enough to boot it again. Holds no secret. */
export interface HostRecord {
  address: string;
  image: string;
  /** Which build of the image the host started from. */
  imageLabel?: string;
  memoryMiB?: number;
  cpus?: number;
  diskBinds: string[];
  /** Sizes of its disks in GiB, by name. */
  disks?: Record<string, number>;
}

const networkFile = (lab: string) => join(labDirectory(lab), "network.json");
const hostFile = (lab: string, host: string) => join(hostDirectory(lab, host), "host.json");

export function readNetwork(lab: string): NetworkRecord | undefined {
  return readJson<NetworkRecord>(networkFile(lab));
}

export function writeNetwork(lab: string, record: NetworkRecord): void {
  writeJson(networkFile(lab), record);
}

export function removeNetworkRecord(lab: string): void {
  rmSync(networkFile(lab), { force: true });
}

export function readHost(lab: string, host: string): HostRecord | undefined {
  return readJson<HostRecord>(hostFile(lab, host));
}

export function writeHost(lab: string, host: string, record: HostRecord): void {
  writeJson(hostFile(lab, host), record);
}

/** Labs that have anything on this computer. */
export function labNames(): string[] {
  return directories(labsDirectory);
}

/** Hosts of a lab that have anything on this computer. */
export function hostNames(lab: string): string[] {
  return directories(labDirectory(lab));
}

/** Where `flock` keeps the turn of those who change networks or one host. Gone with what it is for. */
export function lockFile(name: string): string {
  return join(locksDirectory, `${locksPrefix}${name}.lock`);
}

/** In no directory of their own: one that goes with the last lock would go from under the next. */
export const locksDirectory = "/run";
export const locksPrefix = "spillway-lab-";

function directories(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && nameProblems("", entry.name).length === 0)
    .map((entry) => entry.name)
    .sort();
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    // Written by rename, so a broken one is no record of ours.
    return undefined;
  }
}

function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}
