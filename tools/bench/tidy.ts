type Task = () => unknown;

const tasks: Task[] = [];
let stopping: Promise<void> | undefined;
let cut = false;

/** Notes what takes something back; it runs at the end of the bench, or when the run is cut. */
export function later(task: Task): void {
  tasks.push(task);
}

/** Takes everything back, the last thing first; one that fails does not keep the others from it. */
export function tidy(): Promise<void> {
  stopping ??= run().finally(() => {
    stopping = undefined;
  });
  return stopping;
}

async function run(): Promise<void> {
  for (let task = tasks.pop(); task; task = tasks.pop()) {
    try {
      await task();
    } catch (error) {
      console.error(`taking something back failed: ${(error as Error).message}`);
    }
  }
}

/** Whether a signal ended the run. */
export const interrupted = (): boolean => cut;

/** Ctrl-C and TERM take everything back before the process ends. */
export function tidyOnSignals(): void {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => {
      cut = true;
      console.error("interrupted: taking back what this run made");
      void tidy().finally(() => process.exit(code));
    });
  }
}
