import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Runs `work` while no other process of this computer does the same under this path. A lock whose
 * owner died is taken over. It saves work that would be done twice; what is written must be right
 * without it, since two takers may both see the same dead owner.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  waiting: (pid: number) => void = () => {},
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!take(path)) {
    const pid = holder(path);
    if (pid === undefined) setAside(path);
    else {
      if (!told) waiting(pid);
      told = true;
      await sleep(200);
    }
  }
  try {
    return await work();
  } finally {
    if (readOwner(path) === owner(process.pid)) rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, owner(process.pid), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** The living process that holds the lock. */
function holder(path: string): number | undefined {
  const found = readOwner(path);
  const pid = Number(found.split(" ")[0]);
  return found !== "" && found === owner(pid) ? pid : undefined;
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function setAside(path: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  rmSync(aside, { force: true });
}

/** A process id alone may have been given to another process since: its start time is told as well. */
function owner(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return isAlive(pid) ? `${pid} ?` : "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
