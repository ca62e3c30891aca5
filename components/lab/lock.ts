import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Runs `work` while holding an exclusive lock on a file. The kernel holds the lock for a `flock`
 * whose input is our pipe, so it is free again however this process ends.
 */
export async function locked<T>(file: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn("flock", ["--exclusive", file, "cat"], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = new Promise<void>((resolve) => holder.once("close", () => resolve()));
  const waiting = setTimeout(() => onWait?.(), 500);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once("error", reject);
      holder.once("close", (code) => reject(new Error(`flock ${file} ended with ${code}`)));
      holder.stdout.once("data", () => resolve());
      holder.stdin.on("error", () => {});
      // cat echoes it once flock has the lock.
      holder.stdin.write("held\n");
    });
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    holder.stdin.end();
    await closed;
  }
}
