import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ArtifactRequest } from "../../components/artifacts/list.ts";
import { buildProblems } from "../../tools/build-needs.ts";

const { source } = vi.hoisted(() => ({ source: { kind: "built" } }));
vi.mock("../../components/artifacts/source.ts", async (original) => ({
  ...(await original<object>()),
  chooseSource: async () => ({ source, reason: "" }),
}));
// It looks into /usr/bin as well.
vi.mock("../../components/lab/requirements.ts", async (original) => ({
  ...(await original<object>()),
  hasProgram: () => false,
}));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "build-needs-"));
  vi.stubEnv("PATH", folder);
  vi.stubEnv("SPILLWAY_CACHE", join(folder, "cache"));
  vi.stubEnv("SPILLWAY_ENGINE", "built");
  source.kind = "built";
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const flannel: ArtifactRequest = { kubernetes: "1.36", network: "overlay", policies: "unenforced" };
const problems = (request: ArtifactRequest) => buildProblems([request], new AbortController().signal);
const go = (version: string) =>
  writeFileSync(join(folder, "go"), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });

const gcc = [expect.stringMatching(/^gcc is not installed; flannel needs a C compiler/)];

test("what builds need and is missing is told all at once", async () => {
  const [engine, ...parts] = await problems(flannel);
  expect(engine).toMatch(/^go is not installed; install Go .* install Pulumi yourself/);
  expect(parts[0]).toMatch(/^go is not installed; install Go .* choose the source/);
  expect(parts.slice(1)).toEqual(gcc);
});

test("a C compiler is asked for where one is needed", async () => {
  go("go1.99");
  expect(await problems({ kubernetes: "1.36" })).toEqual([]);
  expect(await problems(flannel)).toEqual(gcc);
});

test("nothing is asked for what can be fetched or is built already", async () => {
  source.kind = "upstream";
  expect(await problems(flannel)).toEqual([expect.stringContaining("install Pulumi yourself")]);
  vi.stubEnv("SPILLWAY_ENGINE", "official");
  expect(await problems(flannel)).toEqual([]);
});
