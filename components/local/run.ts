import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How a program is run. */
export interface RunOptions {
  /** @default the process's own */
  cwd?: string;
  /** Added to the process's own environment. @default nothing */
  env?: Readonly<Record<string, string>>;
  /** Text for its standard input. @default none */
  input?: string;
  /** Sees every line it prints, as it comes. @default nobody does */
  onLine?(line: string): void;
  /** Ends the program, and what it started, when aborted. @default never */
  signal?: AbortSignal;
  /** Seconds it may take; 0 for no limit. @default 60 */
  timeoutSeconds?: number;
  /** Exit codes that are no error. @default 0 only */
  allowed?(code: number): boolean;
  /** What to do when the program is not installed. @default install the package of its name */
  missing?: string;
}

/** What a program left behind. */
export interface Result {
  code: number;
  /** Standard output as it was. */
  bytes: Buffer;
  /** Standard output as text, without the last line's end. */
  stdout: string;
  /** Standard error, as text alike. */
  stderr: string;
}

/** How many of the last lines an error message quotes. */
const quotedLines = 12;
/** What a program that is asked to stop has for clearing up, in milliseconds. */
const grace = 3000;

/**
 * Runs a program by its argument list; no shell reads it.
 *
 * @throws Error that names the program, its exit code and its last words; the signal's reason after an abort.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { signal, timeoutSeconds = 60, allowed = (code) => code === 0 } = options;
  signal?.throwIfAborted();
  const child = start(argv, options);
  const ended = ending(child, argv[0]!, options.missing);
  const bytes: Buffer[] = [];
  const stdout: string[] = [];
  const stderr: string[] = [];
  child.stdout!.on("data", (chunk: Buffer) => bytes.push(chunk));
  collect(child.stdout!, stdout, options.onLine);
  collect(child.stderr!, stderr, options.onLine);
  // A program that ends without reading its input is judged by its exit code.
  child.stdin!.on("error", () => {});
  child.stdin!.end(options.input ?? "");

  let late = false;
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup(child, "SIGINT");
    killer ??= setTimeout(() => signalGroup(child, "SIGKILL"), grace);
  };
  const onTimeout = () => {
    late = true;
    stop();
  };
  const timer = timeoutSeconds > 0 ? setTimeout(onTimeout, timeoutSeconds * 1000) : undefined;
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const code = await ended;
    signal?.throwIfAborted();
    if (late) throw new Error(`${label(argv)} took longer than ${timeoutSeconds} s`);
    if (!allowed(code)) throw new Error(`${label(argv)} ended with ${code}: ${lastWords(stdout, stderr)}`);
    return { code, bytes: Buffer.concat(bytes), stdout: stdout.join("\n"), stderr: stderr.join("\n") };
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Standard output of a program, without the white space around it. */
export async function output(argv: readonly string[], options?: RunOptions): Promise<string> {
  return (await run(argv, options)).stdout.trim();
}

function start([program = "", ...args]: readonly string[], { cwd, env }: RunOptions): ChildProcess {
  return spawn(program, args, {
    cwd,
    // A group of its own, so that a stop reaches what it started as well.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    // `su` without a dash leaves the administrator's programs out of PATH.
    env: {
      ...process.env,
      PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`,
      LC_ALL: "C.UTF-8",
      ...env,
    },
  });
}

function ending(child: ChildProcess, program: string, missing?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      const remedy = missing ?? `install it, on Debian with: apt-get install ${program}`;
      reject(error.code === "ENOENT" ? new Error(`${program} is not installed; ${remedy}`) : error);
    });
    child.once("close", (code, signal) => resolve(code ?? (signal ? 128 : 1)));
  });
}

function collect(stream: NodeJS.ReadableStream, into: string[], onLine?: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
    into.push(line);
    onLine?.(line);
  });
}

/** Enough of the command line to know which of many it was. */
function label(argv: readonly string[]): string {
  const words = argv.slice(0, 8).join(" ");
  return `\`${words.length > 100 ? `${words.slice(0, 100)}...` : words}\``;
}

function lastWords(stdout: readonly string[], stderr: readonly string[]): string {
  const filled = (lines: readonly string[]) => lines.filter((line) => line.trim() !== "");
  const said = filled(stderr).length > 0 ? filled(stderr) : filled(stdout);
  return said.length > 0 ? `\n  ${said.slice(-quotedLines).join("\n  ")}` : "it said nothing";
}

/** Signals a program that was started `detached`, and what it started. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}
