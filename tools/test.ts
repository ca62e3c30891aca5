import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engine } from "./engine/engine.ts";
import { checkout } from "./engine/paths.ts";
import { progressOn } from "./engine/progress.ts";
import { installPackages, missingPrograms, packagesOf } from "./machine.ts";

interface Count {
  passed: number;
  failed: number;
}

const projects = process.argv.slice(2);
process.on("SIGINT", () => {});
try {
  const progress = progressOn();
  const packages = packagesOf(missingPrograms());
  if (packages.length > 0) await installPackages(packages, (text) => progress.line(`apt: ${text}`));
  await engine(progress);
  const counts = (projects.length > 0 ? projects : ["unit", "lab"]).map(run);
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exitCode = 1;
}

/** Runs one vitest project. What failed outside of a test, such as an import, counts as one failure. */
function run(project: string): Count {
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
    const { status } = spawnSync(process.execPath, args, { cwd: checkout, stdio: "inherit" });
    const { numPassedTests: passed, numFailedTests: failed } = existsSync(report)
      ? (JSON.parse(readFileSync(report, "utf8")) as { numPassedTests: number; numFailedTests: number })
      : { numPassedTests: 0, numFailedTests: 0 };
    return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
