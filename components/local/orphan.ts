/** Calls `act`, again and again, once the process that started this one is gone: a killed one says nothing. */
export function whenOrphaned(act: () => void): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) act();
  }, 2000).unref();
}
