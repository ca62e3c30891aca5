import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { checkout } from "../engine/paths.ts";
import { gridTable } from "./grid.ts";
import { markdownTable } from "./markdown-table.ts";
import { kept, type Measure, ratio, shown } from "./measure.ts";
import { tools } from "./network-tools.ts";
import { picture } from "./picture.ts";

const headings = ["bench", "measure", "ours", "beside", "its value", "ratio", "limit", "kept"];

function cells(measure: Measure): string[] {
  const { bench, what, subject, unit, ours, other, limit } = measure;
  const times = ratio(measure);
  const verdict = kept(measure);
  return [
    bench,
    subject ? `${what}, ${subject}` : what,
    measure.absent ?? shown(ours, unit),
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
  if ("leastTimes" in limit) return `at least ${limit.leastTimes}`;
  return `at least ${limit.faster}`;
}

/** The table in Markdown, and below it what was found out besides. */
export function table(measures: readonly Measure[]): string {
  return [markdownTable(headings, measures.map(cells)), ...notes(measures)].join("\n");
}

function notes(measures: readonly Measure[]): string[] {
  const told = measures.flatMap(({ bench, subject, note }) =>
    note ? [`- ${[bench, subject].filter(Boolean).join(", ")}: ${note}`] : [],
  );
  return told.length === 0 ? [] : ["", ...new Set(told)];
}

/** What of the machine decides about the figures. */
export function machine(): string {
  const [cpu] = cpus();
  const load = loadavg()[0]!.toFixed(1);
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} processors (${cpu?.model.trim() ?? "unknown"}), ${memory} GiB, Linux ${release()}, Node ${process.versions.node}; load ${load} at the start`;
}

/** What `docs/bench.json` keeps. */
export interface Document {
  runs: Record<string, { date: string; machine: string; measures: Measure[] }>;
}

/** Writes the figures into `docs/` and the README; benches that this run left out keep their former ones. */
export function write(measures: readonly Measure[], where: string): void {
  const before = existsSync(join(checkout, figures)) ? figuresOf(read(figures)) : { runs: {} };
  const date = new Date().toISOString().slice(0, 10);
  const names = [...new Set(measures.map(({ bench }) => bench))];
  const fresh = names.map((name) => {
    const own = measures.filter(({ bench }) => bench === name);
    return [name, { date, machine: where, measures: own }] as const;
  });
  const document: Document = { runs: { ...before.runs, ...Object.fromEntries(fresh) } };
  mkdirSync(join(checkout, "docs"), { recursive: true });
  writeFileSync(join(checkout, figures), `${JSON.stringify(document, undefined, 2)}\n`);
  for (const [path, text] of Object.entries(pages(document, read("README.md"))))
    writeFileSync(join(checkout, path), text);
}

export const figures = "docs/bench.json";
export const figuresOf = (text: string): Document => JSON.parse(text) as Document;
const read = (path: string): string => readFileSync(join(checkout, path), "utf8");

/** Every file in which figures stand, by its path in the checkout. */
export function pages(document: Document, readme: string): Record<string, string> {
  const whats = tools.map(({ what }) => what);
  const networks = document.runs.network?.measures.filter(({ what }) => whats.includes(what));
  const told = withFigures(readme, "missed", missedTable(measuresOf(document)));
  return {
    "docs/bench.md": markdown(document),
    "README.md": networks ? withFigures(told, "network", gridTable("network", networks)) : told,
    ...(networks && { "docs/network.svg": networkPicture(networks) }),
  };
}

const measuresOf = ({ runs }: Document): Measure[] => Object.values(runs).flatMap(({ measures }) => measures);

/** What did not keep its limit. */
function missedTable(measures: readonly Measure[]): string {
  const missed = measures.filter((measure) => kept(measure) === false);
  return markdownTable(
    headings.slice(0, -1),
    missed.map((measure) => cells(measure).slice(0, -1)),
  );
}

const networkPicture = (measures: readonly Measure[]) =>
  picture(
    "From a pod to one on another host. Red: between two hosts in no cluster, by turns. In brackets: ours to theirs.",
    measures,
    Object.fromEntries(tools.map(({ what, better }) => [what, better])),
  );

/** Replaces what stands between two marks of a document. */
export function withFigures(text: string, bench: string, fresh: string): string {
  const [begin, end] = [`<!-- figures: ${bench} -->\n`, "\n<!-- end of figures -->"];
  const start = text.indexOf(begin);
  const stop = text.indexOf(end, start);
  if (start < 0 || stop < 0) throw new Error(`the document has no marks for the figures of ${bench}`);
  return `${text.slice(0, start + begin.length)}${fresh}${text.slice(stop)}`;
}

function markdown(document: Document): string {
  const { runs } = document;
  const origins = Object.entries(runs).map(
    ([name, { date, machine: where }]) => `- \`npm run bench -- ${name}\`: ${date}, ${where}`,
  );
  return `# Benchmark

Written by \`npm run bench -- --write\`. Times are medians of wall time, with the least and the most in
brackets; what stands beside was measured in the same run, by turns. \`tools/bench/\` says exactly how.

${table(measuresOf(document))}

Run by:

${origins.join("\n")}
${runs.network ? networks : ""}`;
}

/** How the figures of networks are to be read. */
const networks = `
## Networks

![Throughput, latency and connections a second of every network](network.svg)

A cluster of two lab hosts is made for each network, by the library's own components, and two more hosts that are in no
cluster. Paths lead from a pod to one on the other host, from host to host of the cluster, and from host to host beside
it. They are measured by turns, in several rounds:

- throughput: \`iperf3\`, one TCP stream for three seconds after one that is not counted
- latency: \`sockperf ping-pong --tcp\`, the median round trip within two seconds
- connections: \`ab\` and \`lighttpd\`, 8,000 of them, 8 at a time, one request for an empty file on each

The programs are the hosts' own and enter the network namespace of a pod (\`nsenter --net\`): packets go exactly the
pod's way, and no image is needed; limits of a pod's control group would come on top. A network costs its hosts' own
programs something as well: rows "of its hosts" say how much.

The hosts are containers on one computer: no card and no wire is between them, and packets of 64 KiB pass unsplit. What
differs is processor time. On real machines a card of 1 or 10 Gb/s may hide a difference in throughput, and one that
does not take work off tunnels may make it larger.
`;
