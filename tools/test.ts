import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ArtifactRequest } from "../components/artifacts/list.ts";
import { obtain } from "../components/artifacts/obtain.ts";
import { chooseSource } from "../components/artifacts/source.ts";
import { labPackages } from "../components/lab/image.provider.ts";
import { ensureImage } from "../components/lab/rootfs.ts";
import type { Context } from "../components/provider/resource.ts";
import { whileBuilding } from "./build-ahead.ts";
import { requireBuilds } from "./build-needs.ts";
import { engine } from "./engine/engine.ts";
import { checkout } from "./engine/paths.ts";
import { type Progress, progressOn } from "./engine/progress.ts";
import { exitCodeOf, Interruption } from "./interruption.ts";
import { installPackages, missingPrograms, packagesOf } from "./machine.ts";

/** What is read of vitest's JSON report. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

interface Count {
  passed: number;
  failed: number;
}

/** vitest's projects; those in one group run at once: labs wait more than they compute. */
const groups =
  process.argv.length > 2
    ? process.argv.slice(2).map((name) => [name])
    : [["unit"], ["computer"], ["lab", "cluster"]];
/** Parts of the platforms that tests make. */
const parts: ArtifactRequest[] = [
  { kubernetes: "1.36", network: "underlay" },
  { kubernetes: "1.36", network: "overlay", policies: "unenforced" },
];
const interrupted = new AbortController();
process.on("SIGINT", () => interrupted.abort(new Interruption("SIGINT")));
try {
  const progress = progressOn();
  await requireBuilds(parts, interrupted.signal);
  const packages = packagesOf(missingPrograms());
  await whileBuilding(parts, interrupted.signal, async () => {
    if (packages.length > 0) await installPackages(packages, (text) => progress.line(`apt: ${text}`));
    await engine(progress, interrupted.signal);
  });
  if (groups.some(([first]) => first !== "unit")) await furnishLabs(progress);
  const counts: Count[] = [];
  for (const projects of groups) counts.push(...(await Promise.all(projects.map(run))));
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exitCode = exitCodeOf(error);
}

/** What labs are made of, before any test's time runs: with an empty cache it takes longer than a test may. */
async function furnishLabs(progress: Progress): Promise<void> {
  const work: Context = {
    urn: "tests",
    preview: false,
    timeoutSeconds: 0,
    progress: (text) => progress.status(text),
    info: (text) => progress.line(text),
    warn: (text) => progress.line(text),
    signal: interrupted.signal,
  };
  await ensureImage(work, { suite: "bookworm", packages: [...labPackages] });
  const { source } = await chooseSource({}, undefined, work.signal);
  for (const part of parts) await obtain(part, source, work);
  progress.done();
}

/** Runs one vitest project, and prints what it says line by line: several run at once. */
async function run(project: string): Promise<Count> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-test-"));
  const report = join(folder, "report.json");
  const vitest = join(checkout, "node_modules", "vitest", "vitest.mjs");
  try {
    const args = [
      vitest,
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
    ];
    const child = spawn(process.execPath, args, { cwd: checkout, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on("line", (line) => console.log(`${project.padEnd(9)}${line}`));
    const [status] = (await once(child, "close")) as [number | null];
    return count(
      existsSync(report) ? (JSON.parse(readFileSync(report, "utf8")) as Report) : undefined,
      status === 0,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file that failed outside of its tests, such as in an import, counts as one failure. */
function count(report: Report | undefined, succeeded: boolean): Count {
  if (report === undefined) return { passed: 0, failed: 1 };
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((one) => one.status === "failed"),
  );
  const failed = report.numFailedTests + broken.length;
  return { passed: report.numPassedTests, failed: failed === 0 && !succeeded ? 1 : failed };
}
