import { duration } from "../local/duration.ts";
import type { Context } from "../provider/resource.ts";

/** What long work is given: where to show progress and when to stop. */
export type Work = Pick<Context, "progress" | "warn" | "signal">;

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
