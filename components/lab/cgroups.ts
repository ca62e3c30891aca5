import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

/*
 * A host has a group in every hierarchy, `spillway/LAB/HOST`, so that the groups its systemd and its
 * kubelet make are its own and go with it. Its program and what keeps that alive are in groups below:
 * in version 2 a group that passes controllers on may hold no process itself.
 */

const top = "/sys/fs/cgroup";
const cgroup2Magic = 0x63677270;

/** What a host may use at most. */
export interface Limits {
  /** @default no limit */
  memoryMiB?: number;
  /** @default no limit */
  cpus?: number;
}

/** Whether this computer has only control groups version 2. */
export function unifiedOnly(): boolean {
  return statfsSync(top).type === cgroup2Magic;
}

/** Mount points of all hierarchies. */
export function hierarchies(mounts = readFileSync("/proc/mounts", "utf8")): string[] {
  if (new RegExp(`^\\S+ ${top} cgroup2 `, "m").test(mounts)) return [top];
  const places = [...mounts.matchAll(/^\S+ (\/sys\/fs\/cgroup\/\S+) cgroup2? /gm)].map((match) => match[1]!);
  return [...new Set(places)];
}

function groupOf(hierarchy: string, lab: string, host: string): string {
  return join(hierarchy, "spillway", lab, host);
}

/** Makes a host's groups and gives those to join: by what keeps the host alive, and by the host itself. */
export function makeGroups(lab: string, host: string): { launcher: string[]; system: string[] } {
  const groups = (part: string) =>
    hierarchies().map((hierarchy) => makeGroup(hierarchy, join(groupOf(hierarchy, lab, host), part)));
  return { launcher: groups("launcher"), system: groups("system") };
}

function makeGroup(hierarchy: string, group: string): string {
  let place = hierarchy;
  for (const part of relative(hierarchy, group).split("/")) {
    passControllers(place);
    const child = join(place, part);
    mkdirSync(child, { recursive: true });
    // Version 1 gives a new group no processor and no memory node, and lets nothing join it then.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      const own = join(child, file);
      if (existsSync(own) && existsSync(join(hierarchy, file)) && readFileSync(own, "utf8").trim() === "") {
        writeFileSync(own, readFileSync(join(place, file), "utf8").trim());
      }
    }
    place = child;
  }
  return group;
}

function passControllers(group: string): void {
  const available = join(group, "cgroup.controllers");
  if (!existsSync(available)) return;
  for (const controller of readFileSync(available, "utf8").split(/\s+/).filter(Boolean)) {
    try {
      writeFileSync(join(group, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // Not every controller can be passed on everywhere; `limit` says when one is missed.
    }
  }
}

/** Sets what a host may use; nothing said takes the limit away. Throws when the kernel cannot limit it. */
export function limit(lab: string, host: string, { memoryMiB, cpus }: Limits): void {
  const groups = hierarchies().map((hierarchy) => groupOf(hierarchy, lab, host));
  const period = 100_000;
  const bytes = memoryMiB === undefined ? undefined : String(memoryMiB * 2 ** 20);
  const quota = cpus === undefined ? undefined : String(Math.round(cpus * period));
  set(groups, "memory", memoryMiB, { "memory.max": bytes ?? "max", "memory.limit_in_bytes": bytes ?? "-1" });
  set(groups, "processor", cpus, {
    "cpu.max": `${quota ?? "max"} ${period}`,
    "cpu.cfs_quota_us": quota ?? "-1",
  });
}

function set(
  groups: string[],
  what: string,
  asked: number | undefined,
  values: Record<string, string>,
): void {
  const files = groups
    .flatMap((group) => Object.keys(values).map((file) => join(group, file)))
    .filter(existsSync);
  if (files.length === 0 && asked !== undefined) {
    throw new Error(`this computer has no control group that limits a host's ${what}; leave the limit out`);
  }
  for (const file of files) writeFileSync(file, values[file.slice(dirname(file).length + 1)]!);
}

/** Every process of a host, numbered as on this computer. */
export function groupProcesses(lab: string, host: string): number[] {
  const processes = hierarchies().flatMap((hierarchy) => processesBelow(groupOf(hierarchy, lab, host)));
  return [...new Set(processes)];
}

function processesBelow(group: string): number[] {
  const own = readOr(join(group, "cgroup.procs"), "")
    .split("\n")
    .filter(Boolean)
    .map(Number)
    // 0 is a process that this computer's process namespace does not show.
    .filter((process) => process > 0);
  return [...own, ...childrenOf(group).flatMap(processesBelow)];
}

/** The host's process 1, numbered as on this computer; `undefined` when it does not run. */
export function initProcess(lab: string, host: string): number | undefined {
  const [first] = hierarchies();
  if (!first) return undefined;
  return processesBelow(groupOf(first, lab, host)).find((process) => {
    const status = readOr(`/proc/${process}/status`, "");
    const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    // One namespace below ours: the inits of the host's own containers are deeper.
    return numbers.length === 2 && numbers[1] === "1" && !/^State:\s+[ZX]/m.test(status);
  });
}

/** Removes the groups of a host, and those above when empty. All its processes must be gone. */
export function removeGroups(lab: string, host: string): void {
  for (const hierarchy of hierarchies()) {
    removeBelow(groupOf(hierarchy, lab, host));
    for (const group of [join(hierarchy, "spillway", lab), join(hierarchy, "spillway")]) {
      try {
        rmdirSync(group);
      } catch {
        break;
      }
    }
  }
}

function removeBelow(group: string): void {
  for (const child of childrenOf(group)) removeBelow(child);
  try {
    rmdirSync(group);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function childrenOf(group: string): string[] {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(group, entry.name));
  } catch {
    return [];
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}
