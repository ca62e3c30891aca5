import { setTimeout as sleep } from "node:timers/promises";

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
    await sleep(100);
  }
}
