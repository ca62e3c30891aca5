import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { signalGroup } from "./run.ts";

/** How a lock is taken. */
export interface LockOptions {
  /** Told when another process has had the lock for half a second. @default nothing is said */
  onWait?(): void;
  /** Ends the waiting, not the work. @default waits for ever */
  signal?: AbortSignal;
  /**
   * Goes on without the lock where util-linux's `flock` is missing: for work that costs time when
   * it is done twice, and breaks nothing. @default false
   */
  optional?: boolean;
}

/** As a shell ends that does not find a program. */
const absent = 127;

class NoFlock extends Error {
  constructor() {
    super("flock is not installed; on Debian: apt-get install util-linux");
  }
}

/** Those who waited for a file that its holder removed must not have the lock beside those who made the next one. */
const holding = `command -v flock >/dev/null || exit ${absent}
while :; do
  exec 9>>"$1"
  flock --exclusive 9 || exit
  if [ "$1" -ef /dev/fd/9 ]; then exec cat; fi
done`;

/**
 * Runs `work` while no other process of this computer does the same under this file. The kernel
 * holds the lock for a `cat` whose input is our pipe, so it is free again however this process ends.
 * `work` may remove the file when there will be no use for it.
 */
export async function locked<T>(file: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const release = await take(file, options);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function take(file: string, { onWait, signal, optional }: LockOptions): Promise<() => Promise<void>> {
  signal?.throwIfAborted();
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn("/bin/sh", ["-c", holding, "sh", file], {
    // Out of the terminal's group, so that Ctrl-C does not let go of the lock too early.
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const closed = new Promise<number | null>((resolve) => holder.once("close", resolve));
  const release = async () => {
    holder.stdin.end();
    await closed;
  };
  const onAbort = () => signalGroup(holder, "SIGTERM");
  signal?.addEventListener("abort", onAbort, { once: true });
  const waiting = setTimeout(() => onWait?.(), 500);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once("error", reject);
      void closed.then((code) =>
        reject(code === absent ? new NoFlock() : new Error(`flock ${file} ended with ${code}`)),
      );
      // cat echoes it once flock has the lock.
      holder.stdout.once("data", () => resolve());
      holder.stdin.on("error", () => {});
      holder.stdin.write("held\n");
    });
    return release;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof NoFlock && optional) return async () => {};
    throw error;
  } finally {
    clearTimeout(waiting);
    signal?.removeEventListener("abort", onAbort);
  }
}
