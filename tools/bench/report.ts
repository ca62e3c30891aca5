import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { checkout } from "../engine/paths.ts";
import { kept, type Measure, ratio, shown } from "./measure.ts";

const headings = ["bench", "measure", "ours", "beside", "its value", "ratio", "limit", "kept"];

function cells(measure: Measure): string[] {
  const { bench, what, unit, ours, other, limit } = measure;
  const times = ratio(measure);
  const verdict = kept(measure);
  return [
    bench,
    what,
    shown(ours, unit),
    other?.what ?? "",
    other ? shown(other.values, unit) : "",
    times === undefined ? "" : `${times.toFixed(2)}${limit && "faster" in limit ? " times faster" : ""}`,
    limitText(measure),
    verdict === undefined ? "" : verdict ? "yes" : "NO",
  ];
}

function limitText({ limit, unit }: Measure): string {
  if (!limit) return "";
  if ("most" in limit) return `at most ${limit.most} ${unit}`;
  if ("mostTimes" in limit) return `at most ${limit.mostTimes}`;
  return `at least ${limit.faster}`;
}

/** The table in Markdown; its columns are padded so that a terminal shows it well too. */
export function table(measures: readonly Measure[]): string {
  const rows = [headings, ...measures.map(cells)];
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(headings), rule, ...rows.slice(1).map(line)].join("\n");
}

/** What of the machine decides about the figures. */
export function machine(): string {
  const [cpu] = cpus();
  const load = loadavg()[0]!.toFixed(1);
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} processors (${cpu?.model.trim() ?? "unknown"}), ${memory} GiB, Linux ${release()}, Node ${process.versions.node}; load ${load} at the start`;
}

interface Document {
  runs: Record<string, { date: string; machine: string; measures: Measure[] }>;
}

const folder = join(checkout, "docs");

/** Writes `docs/bench.json` and `docs/bench.md`; benches that this run left out keep their former figures. */
export function write(measures: readonly Measure[], where: string): void {
  const file = join(folder, "bench.json");
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Document) : { runs: {} };
  const date = new Date().toISOString().slice(0, 10);
  const names = [...new Set(measures.map(({ bench }) => bench))];
  const fresh = names.map((name) => {
    const own = measures.filter(({ bench }) => bench === name);
    return [name, { date, machine: where, measures: own }] as const;
  });
  const document: Document = { runs: { ...before.runs, ...Object.fromEntries(fresh) } };
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(document, undefined, 2)}\n`);
  writeFileSync(join(folder, "bench.md"), markdown(document));
}

function markdown({ runs }: Document): string {
  const all = Object.values(runs).flatMap(({ measures }) => measures);
  const origins = Object.entries(runs).map(
    ([name, { date, machine: where }]) => `- \`npm run bench -- ${name}\`: ${date}, ${where}`,
  );
  return `# Benchmark

Written by \`npm run bench -- --write\`. Times are medians of wall time, with the least and the most in
brackets; what stands beside was measured in the same run, by turns. \`tools/bench/\` says exactly how.

${table(all)}

Run by:

${origins.join("\n")}
`;
}
