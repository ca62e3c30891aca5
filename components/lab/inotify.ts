import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * systemd, containerd and kubelet of all hosts watch files as one user, to whom the kernel gives few
 * instances (128 by default): about 6 are used by a host that is idle, 19 by one that runs Kubernetes.
 */

const file = "/proc/sys/fs/inotify/max_user_instances";

/** What labs need: more than a computer carries hosts; an instance costs nothing until it is used. */
const needed = 8192;

function inotifyLimit(): number {
  return Number(readFileSync(file, "utf8"));
}

/** Raises the limit to what labs need; `remember` is told the one before, before it changes. */
export function raiseInotifyLimit(remember: (before: number) => void): void {
  const before = inotifyLimit();
  if (before >= needed) return;
  remember(before);
  writeFileSync(file, String(needed));
}

/** Sets the limit back, unless somebody since chose another. What is open beyond it stays open. */
export function restoreInotifyLimit(before: number): void {
  if (inotifyLimit() === needed) writeFileSync(file, String(before));
}

/** Why hosts boot and their services do not, where that is so. */
export function inotifyShortage(used = inotifyInstances(), limit = inotifyLimit()): string | undefined {
  if (used < limit - 4) return undefined;
  return (
    `${used} of the ${limit} inotify instances that one user may have are in use; ` +
    `raise the limit: sysctl fs.inotify.max_user_instances=${needed}`
  );
}

function inotifyInstances(): number {
  const open = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => linksIn(`/proc/${pid}/fd`));
  return open.filter((target) => target === "anon_inode:inotify").length;
}

/** What the links in a directory point to; processes and their files may be gone meanwhile. */
function linksIn(directory: string): string[] {
  const or = <T>(read: () => T[]): T[] => {
    try {
      return read();
    } catch {
      return [];
    }
  };
  return or(() => readdirSync(directory)).flatMap((name) => or(() => [readlinkSync(join(directory, name))]));
}
