import { markdownTable } from "./markdown-table.ts";
import { digits, type Measure, median, ratio } from "./measure.ts";

/** Measures that were taken on several subjects: a row for each subject, a column for what was measured. */
export interface Grid {
  columns: string[];
  rows: { subject: string; measures: Measure[] }[];
}

export function gridOf(measures: readonly Measure[]): Grid {
  const columns = [...new Set(measures.map(({ what }) => what))];
  const subjects = [...new Set(measures.map(({ subject = "" }) => subject))];
  const rows = subjects.map((subject) => ({
    subject,
    measures: columns.map((what) => measures.find((one) => one.what === what && one.subject === subject)!),
  }));
  return { columns, rows };
}

/** Medians, each with its ratio to what was measured beside it. */
export function gridTable(heading: string, measures: readonly Measure[]): string {
  const { columns, rows } = gridOf(measures);
  return markdownTable(
    [heading, ...columns.flatMap((what) => [what, "ratio"])],
    rows.map(({ subject, measures: cells }) => [subject, ...cells.flatMap(pair)]),
  );
}

function pair(measure: Measure): [string, string] {
  if (measure.absent) return [measure.absent, ""];
  return [`${digits(median(measure.ours), measure.unit)} ${measure.unit}`, ratio(measure)?.toFixed(2) ?? ""];
}
