import { gridOf } from "./grid.ts";
import { digits, type Measure, median, ratio } from "./measure.ts";

const left = 200;
const panelWidth = 240;
/** Of the longest bar; the rest of a panel is for its label. */
const barWidth = 135;
const top = 64;
const rowHeight = 26;
const barHeight = 14;

/** Widest a picture may be for its text to stay readable in a column of a page. */
const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .bar { fill: #4a86c5 }
  .other { stroke: #d1242f; stroke-width: 2 }
  .spread { stroke: #1f2328; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .other { stroke: #ff7b72 }
    .spread { stroke: #f0f6fc }
  }
`;

/** What is drawn in a panel, and what its title says besides. */
export type Better = Readonly<Record<string, "more" | "less">>;

/** Bars of medians, one panel for what was measured, with the least, the most, and the mark of what is beside. */
export function picture(title: string, measures: readonly Measure[], better: Better): string {
  const { columns, rows } = gridOf(measures);
  const height = top + rows.length * rowHeight + 12;
  const width = left + columns.length * panelWidth;
  const names = rows.map(({ subject }, row) => text(8, middle(row), subject));
  const panels = columns.map((what, column) => {
    const cells = rows.map(({ measures: all }) => all[column]!);
    return panel(left + column * panelWidth, what, better[what], cells);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>${style}</style>
${text(8, 20, title, "head")}
${[...names, ...panels.flat()].join("\n")}
</svg>
`;
}

function panel(
  x: number,
  what: string,
  better: "more" | "less" | undefined,
  cells: readonly Measure[],
): string[] {
  const most = Math.max(...cells.flatMap(({ ours, other }) => [...ours, ...(other?.values ?? [])]));
  const scale = (value: number) => (value / most) * barWidth;
  const unit = cells[0]!.unit;
  return [
    text(x, 42, `${what}, ${unit}`, "head"),
    ...(better ? [text(x, 56, `${better} is better`, "small")] : []),
    ...cells.flatMap((measure, row) => bar(x, row, measure, scale)),
  ];
}

function bar(x: number, row: number, measure: Measure, scale: (value: number) => number): string[] {
  const { ours, other, absent = "", unit } = measure;
  if (ours.length === 0) return [text(x, middle(row), absent, "small")];
  const y = top + row * rowHeight;
  const center = y + barHeight / 2;
  const values = [...ours, ...(other ? [median(other.values)] : [])];
  const end = x + scale(Math.max(...values)) + 8;
  const times = ratio(measure);
  const label = `${digits(median(ours), unit)}${times === undefined ? "" : ` (${times.toFixed(2)})`}`;
  return [
    `<rect class="bar" x="${x}" y="${y}" width="${round(scale(median(ours)))}" height="${barHeight}"/>`,
    line("spread", x + scale(Math.min(...ours)), center, x + scale(Math.max(...ours)), center),
    ...(other ? [vertical("other", x + scale(median(other.values)), y)] : []),
    text(end, middle(row), label),
  ];
}

const middle = (row: number) => top + row * rowHeight + 11;
const round = (value: number) => Math.round(value * 10) / 10;

const vertical = (name: string, x: number, y: number) => line(name, x, y - 3, x, y + barHeight + 3);

function line(name: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${name}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

function text(x: number, y: number, words: string, name?: string): string {
  return `<text${name ? ` class="${name}"` : ""} x="${round(x)}" y="${y}">${escaped(words)}</text>`;
}

const escaped = (words: string) =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
