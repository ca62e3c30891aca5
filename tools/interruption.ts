/** Ctrl-C, or SIGTERM, ended the work. */
export class Interruption extends Error {
  /** What the process ends with, as shells count it. */
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`stopped by ${signal === "SIGINT" ? "Ctrl-C" : signal}; the same command goes on from here`);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

/** Does work that Ctrl-C and SIGTERM end: programs in groups of their own hear of neither. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const stop = (signal: "SIGINT" | "SIGTERM") => abort.abort(new Interruption(signal));
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    return await work(abort.signal);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** What a process ends with after this error. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Interruption ? error.exitCode : 1;
}
