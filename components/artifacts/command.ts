import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Context } from "../provider/resource.ts";

/** What long work is given: where to show progress and when to stop. */
export type Work = Pick<Context, "progress" | "warn" | "signal">;

/** How a program is run. */
export interface RunOptions {
  /** @default the process's own */
  cwd?: string;
  /** Added to the process's own environment. */
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Sees every line of standard error as it comes. */
  onLine?(line: string): void;
  /** What to do when the program is not installed. @default install it */
  missing?: string;
}

/** How many of the last lines of standard error an error message quotes. */
const quotedLines = 12;

/**
 * Runs a program to its end and returns what it wrote to standard output, bytes untouched.
 *
 * @throws Error that names the program, its exit code and the end of its standard error.
 */
export function run(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<Buffer> {
  const [program, ...args] = command;
  const label = args[0] && !args[0].startsWith("-") ? `${program} ${args[0]}` : program;
  return new Promise((resolve, reject) => {
    options.signal?.throwIfAborted();
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that an abort reaches what the program started as well.
      detached: true,
    });
    const abort = () => child.pid !== undefined && process.kill(-child.pid, "SIGINT");
    options.signal?.addEventListener("abort", abort, { once: true });
    const output: Buffer[] = [];
    const tail: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    createInterface({ input: child.stderr }).on("line", (line) => {
      tail.push(line);
      if (tail.length > quotedLines) tail.shift();
      options.onLine?.(line);
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      const remedy = options.missing ?? `install it, on Debian with: apt-get install ${program}`;
      reject(error.code === "ENOENT" ? new Error(`${program} is not installed; ${remedy}`) : error);
    });
    child.on("close", (code, signal) => {
      options.signal?.removeEventListener("abort", abort);
      const said = tail.join("\n").trim() || "it said nothing";
      if (options.signal?.aborted) reject(options.signal.reason as Error);
      else if (code === 0) resolve(Buffer.concat(output));
      else reject(new Error(`${label} ended with ${code ?? signal}: ${said}`));
    });
  });
}

/**
 * Like `Promise.all`, but nothing still runs when it fails.
 *
 * @throws Error with every different failure's message; the failure itself when there is one.
 */
export async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  const failures = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as Error] : [],
  );
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) {
    const messages = new Set(failures.map(({ message }) => message));
    throw new AggregateError(failures, [...messages].join("\n"));
  }
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}

/** Shows a step with the time it has taken so far, every two seconds while it lasts. */
export async function timed<T>(
  work: Work,
  step: string,
  action: (detail: (text: string) => void) => Promise<T>,
): Promise<T> {
  const start = performance.now();
  let detail = "";
  const show = () =>
    work.progress(`${step} (${duration(performance.now() - start)})${detail && `: ${detail}`}`);
  show();
  const timer = setInterval(show, 2000);
  try {
    return await action((text) => {
      detail = text;
    });
  } finally {
    clearInterval(timer);
  }
}

/** `7 s`, `3 min 20 s`. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}
