/** One line of the table. */
export interface Measure {
  /** The bench it belongs to: `npm run bench -- NAME` runs it alone. */
  bench: string;
  what: string;
  unit: "s" | "MB";
  /** One value a run. */
  ours: number[];
  /** The floor or the peer, in the same run. @default nothing to compare with */
  other?: { what: string; values: number[] };
  /** @default it is only reported */
  limit?: Limit;
}

export type Limit =
  /** At most so much, in the measure's unit. */
  | { most: number }
  /** Ours is at most so many times the other's. */
  | { mostTimes: number }
  /** The other's is at least so many times ours. */
  | { faster: number };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Ours divided by the other's, or the other way round where it says how many times faster. */
export function ratio({ ours, other, limit }: Measure): number | undefined {
  if (!other) return undefined;
  const times = median(ours) / median(other.values);
  return limit && "faster" in limit ? 1 / times : times;
}

/** Whether the limit is kept; `undefined` where there is none. */
export function kept(measure: Measure): boolean | undefined {
  const { limit, ours } = measure;
  if (!limit) return undefined;
  if ("most" in limit) return median(ours) <= limit.most;
  if ("mostTimes" in limit) return ratio(measure)! <= limit.mostTimes;
  return ratio(measure)! >= limit.faster;
}

/** Median, with least and most where there are several runs. */
export function shown(values: readonly number[], unit: Measure["unit"]): string {
  const digits = (value: number) => value.toFixed(unit === "MB" ? 0 : value < 1 ? 2 : 1);
  const text = `${digits(median(values))} ${unit}`;
  if (values.length < 2) return text;
  return `${text} (${digits(Math.min(...values))} to ${digits(Math.max(...values))})`;
}

/** Seconds that work takes; says them. */
export async function seconds(what: string, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return said(what, (performance.now() - began) / 1000);
}

/** Shows one value as progress. */
export function said(what: string, value: number): number {
  console.error(`  ${what}: ${value.toFixed(2)} s`);
  return value;
}
