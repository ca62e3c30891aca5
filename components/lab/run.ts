import { type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How a program is run. */
export interface RunOptions {
  /** Text for its standard input. @default none */
  input?: string;
  /** Called with every line it prints. @default none */
  onLine?: (line: string) => void;
  /** Ends the program, and what it started, when aborted. @default none */
  signal?: AbortSignal;
  /** Seconds it may take. @default 60 */
  timeoutSeconds?: number;
  /** Exit codes that are no error. @default 0 only */
  allowed?: (code: number) => boolean;
}

/** What a program left behind. */
export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program by its argument list; no shell reads it. Throws with the program's last words when it fails. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  const [program = "", ...args] = argv;
  const { timeoutSeconds = 60, allowed = (code) => code === 0 } = options;
  options.signal?.throwIfAborted();
  const spawnOptions: SpawnOptions = {
    // A group of its own, so that a stop reaches what it started as well.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    // `su` without a dash leaves the administrator's programs out of PATH.
    env: {
      ...process.env,
      PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`,
      LC_ALL: "C.UTF-8",
    },
  };
  const child = spawn(program, args, spawnOptions);
  const stdout: string[] = [];
  const stderr: string[] = [];
  const collect = (stream: NodeJS.ReadableStream, into: string[]) =>
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
      into.push(line);
      options.onLine?.(line);
    });
  collect(child.stdout!, stdout);
  collect(child.stderr!, stderr);
  // A program that ends without reading its input is judged by its exit code.
  child.stdin!.on("error", () => {});
  child.stdin!.end(options.input ?? "");

  let stopped: string | undefined;
  const stop = (why: string) => {
    stopped = why;
    if (child.pid) signalGroup(child.pid, "SIGKILL");
  };
  const onAbort = () => stop("was cancelled");
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop(`took longer than ${timeoutSeconds} s`), timeoutSeconds * 1000);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) => resolve(status ?? (signal ? 128 : 1)));
    });
    if (stopped) throw new Error(`${program} ${stopped}`);
    if (!allowed(code)) throw new Error(failure(argv, code, [...stdout.slice(-5), ...stderr.slice(-10)]));
    return { code, stdout: stdout.join("\n"), stderr: stderr.join("\n") };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

/** Standard output of a program, without the white space around it. */
export async function output(argv: readonly string[], options?: RunOptions): Promise<string> {
  return (await run(argv, options)).stdout.trim();
}

function failure(argv: readonly string[], code: number, words: string[]): string {
  const said = words.filter((line) => line.trim() !== "").join("\n  ");
  return `\`${argv.slice(0, 8).join(" ")}\` ended with ${code}${said ? `:\n  ${said}` : ""}`;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

/** Waits until `probe` gives a value; `undefined` when the time is over. */
export async function until<T>(
  seconds: number,
  probe: () => T | undefined | Promise<T | undefined>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    signal?.throwIfAborted();
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() >= end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
