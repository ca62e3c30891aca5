import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { gridTable } from "../../tools/bench/grid.ts";
import { kept, type Measure, ratio } from "../../tools/bench/measure.ts";
import { ab, iperf3, lighttpdFiles, sockperf } from "../../tools/bench/network-tools.ts";
import { picture } from "../../tools/bench/picture.ts";
import { figures, figuresOf, pages, table, withFigures } from "../../tools/bench/report.ts";

const checkout = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(checkout, path), "utf8");

const start = { address: "10.0.0.12", port: 5300 };
const end = { address: "10.0.0.11", port: 5300 };

describe("what the tools say", () => {
  const json = (value: object) => JSON.stringify(value);

  test("iperf3: what arrived, not what was sent", () => {
    const sum = { sum_sent: { bits_per_second: 9e9 }, sum_received: { bits_per_second: 8.5e9 } };
    expect(iperf3.read(json({ end: sum }))).toBe(8.5);
  });

  test("iperf3: an error in its answer is an error", () => {
    const error = "error - unable to connect to server: Connection refused";
    expect(() => iperf3.read(json({ end: {}, error }))).toThrow("Connection refused");
    expect(() => iperf3.read(json({ end: {} }))).toThrow("iperf3 gave no figure");
  });

  test("sockperf: the median round trip", () => {
    const said = `sockperf: Summary: Round trip is 76.196 usec
sockperf: ---> percentile 99.000 =  770.597
sockperf: ---> percentile 50.000 =   23.333
sockperf: ---> percentile 25.000 =   20.919
`;
    expect(sockperf.read(said)).toBe(23.333);
    expect(() => sockperf.read("sockperf: No messages were received from the server.")).toThrow("no figure");
  });

  const abSaid = `Complete requests:      8000
Failed requests:        0
Requests per second:    9876.54 [#/sec] (mean)
`;
  test("ab: connections a second, when every request was answered", () => {
    expect(ab.read(abSaid)).toBe(9876.54);
    expect(() => ab.read(abSaid.replace("requests:        0", "requests:        3"))).toThrow("failed");
    expect(() => ab.read(`${abSaid}Non-2xx responses:      8000\n`)).toThrow("failed");
    expect(() => ab.read("")).toThrow("failed");
  });

  test("a client binds the address of its start, and each server listens at a port of its own", () => {
    for (const tool of [iperf3, sockperf, ab])
      expect(tool.client(start, end).join(" ")).toMatch(/(--bind|--client_ip|-B) 10\.0\.0\.12\b/);
    expect([iperf3, sockperf, ab].map((tool) => tool.port(end))).toEqual([5300, 5301, 5302]);
    expect(lighttpdFiles(end)).toContain('server.bind = "10.0.0.11"\nserver.port = 5302\n');
  });
});

const measure = (subject: string, what: string, unit: Measure["unit"], ours: number[], host: number[]) => ({
  bench: "network",
  subject,
  what,
  unit,
  ours,
  other: { what: "host to host", values: host },
});
const gone = (what: string, unit: Measure["unit"]): Measure => ({
  bench: "network",
  subject: "none",
  what,
  unit,
  ours: [],
  absent: "no path",
  note: "iperf3: Network is unreachable",
});
const sample: Measure[] = [
  gone("throughput", "Gb/s"),
  gone("latency", "µs"),
  { ...measure("underlay", "throughput", "Gb/s", [9, 9.6, 10], [10, 10, 10]), limit: { leastTimes: 0.95 } },
  measure("underlay", "latency", "µs", [22, 20, 21], [20, 19, 21]),
  { ...measure("overlay", "throughput", "Gb/s", [7, 7.5, 8], [10, 10, 10]), limit: { leastTimes: 0.95 } },
  measure("overlay", "latency", "µs", [40, 44, 42], [21, 21, 21]),
];

describe("the figures of networks", () => {
  test("a limit from below is kept by what is at least so much of the other's", () => {
    expect(sample.map(kept)).toEqual([undefined, undefined, true, undefined, false, undefined]);
    expect(ratio(sample[0]!)).toBeUndefined();
  });

  test("a row for each network, with ratios; without a path it is said so", () => {
    expect(gridTable("network", sample)).toBe(
      `| network  | throughput | ratio | latency | ratio |
|----------|------------|-------|---------|-------|
| none     | no path    |       | no path |       |
| underlay | 9.6 Gb/s   | 0.96  | 21.0 µs | 1.05  |
| overlay  | 7.5 Gb/s   | 0.75  | 42.0 µs | 2.00  |`,
    );
  });

  test("the table of all benches has least and most, whether the limit is kept, and notes once", () => {
    const lines = table(sample).split("\n");
    expect(lines[2]).toMatch(/^\| network \| throughput, none +\| no path /);
    expect(lines[4]).toContain("| 9.6 Gb/s (9.0 to 10.0) ");
    expect(lines[4]).toMatch(/\| 0\.96 +\| at least 0\.95 \| yes {2}\|$/);
    expect(lines[6]).toMatch(/\| NO {3}\|$/);
    expect(lines.slice(8)).toEqual(["", "- network, none: iperf3: Network is unreachable"]);
  });

  test("the picture", async () => {
    const drawn = picture("Pods & hosts", sample, { throughput: "more", latency: "less" });
    await expect(drawn).toMatchFileSnapshot("../golden/bench/network.svg");
  });
});

test("figures replace what stands between their marks, and nothing else", () => {
  const text = "a\n<!-- figures: network -->\nold\n<!-- end of figures -->\nb\n";
  expect(withFigures(text, "network", "new")).toBe(text.replace("old", "new"));
  expect(() => withFigures(text, "store", "new")).toThrow("no marks for the figures of store");
});

test("what the documents show is what was measured", () => {
  const shown = pages(figuresOf(read(figures)), read("README.md"));
  for (const [path, text] of Object.entries(shown)) expect(read(path), path).toBe(text);
});
