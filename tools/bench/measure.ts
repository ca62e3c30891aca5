/** One line of the table. */
export interface Measure {
  /** The bench it belongs to: `npm run bench -- NAME` runs it alone. */
  bench: string;
  what: string;
  /** What it was measured on, where a bench measures the same on several. @default there is one only */
  subject?: string;
  unit: Unit;
  /** One value a run; none where it could not be measured. */
  ours: number[];
  /** Stands in the place of values that could not be measured. @default there are some */
  absent?: string;
  /** The floor or the peer, in the same run. @default nothing to compare with */
  other?: { what: string; values: number[] };
  /** @default it is only reported */
  limit?: Limit;
  /** What was found out beside the values. @default nothing */
  note?: string;
}

export type Unit = "s" | "MB" | "Gb/s" | "µs" | "/s";

export type Limit =
  /** At most so much, in the measure's unit. */
  | { most: number }
  /** Ours is at most so many times the other's. */
  | { mostTimes: number }
  /** Ours is at least so many times the other's. */
  | { leastTimes: number }
  /** The other's is at least so many times ours. */
  | { faster: number };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Ours divided by the other's, or the other way round where it says how many times faster. */
export function ratio({ ours, other, limit }: Measure): number | undefined {
  if (!other || ours.length === 0) return undefined;
  const times = median(ours) / median(other.values);
  return limit && "faster" in limit ? 1 / times : times;
}

/** Whether the limit is kept; `undefined` where there is none. */
export function kept(measure: Measure): boolean | undefined {
  const { limit, ours } = measure;
  if (!limit) return undefined;
  if ("most" in limit) return median(ours) <= limit.most;
  if ("mostTimes" in limit) return ratio(measure)! <= limit.mostTimes;
  if ("leastTimes" in limit) return ratio(measure)! >= limit.leastTimes;
  return ratio(measure)! >= limit.faster;
}

/** A value as it is read: no more digits than it is worth. */
export const digits = (value: number, unit: Unit): string =>
  value.toFixed(unit === "MB" || unit === "/s" ? 0 : value < 1 ? 2 : 1);

/** Median, with least and most where there are several runs. */
export function shown(values: readonly number[], unit: Unit): string {
  const text = `${digits(median(values), unit)} ${unit}`;
  if (values.length < 2) return text;
  return `${text} (${digits(Math.min(...values), unit)} to ${digits(Math.max(...values), unit)})`;
}

/** Seconds that work takes; says them. */
export async function seconds(what: string, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return said(what, (performance.now() - began) / 1000);
}

/** Shows one value as progress. */
export function said(what: string, value: number, unit: Unit = "s"): number {
  console.error(`  ${what}: ${value.toFixed(2)} ${unit}`);
  return value;
}
