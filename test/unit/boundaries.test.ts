import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const checkout = join(import.meta.dirname, "../..");
const longest = 400;

interface Source {
  path: string;
  text: string;
  /** What it imports, types left out: they are gone when it runs. */
  imports: string[];
}

const sources = ["components", "stacks", "tools", "test"].flatMap(sourcesIn);
const below = (...folders: string[]) =>
  sources.filter(({ path }) => folders.some((folder) => path.startsWith(`${folder}/`)));
const importers = (among: Source[], pattern: RegExp) =>
  among.filter(({ imports }) => imports.some((name) => pattern.test(name))).map(({ path }) => path);

function sourcesIn(folder: string): Source[] {
  return readdirSync(join(checkout, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, "utf8");
      return { path: relative(checkout, file), text, imports: importsOf(text) };
    });
}

function importsOf(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm);
  const dynamic = text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g);
  return [...statements, ...dynamic].map((match) => match[1]!);
}

/** The files that running a file loads, itself included. */
function reach(start: string, seen = new Set<string>()): Set<string> {
  if (seen.has(start)) return seen;
  seen.add(start);
  const source = sources.find(({ path }) => path === start);
  for (const name of source?.imports ?? []) if (name.startsWith(".")) reach(join(start, "..", name), seen);
  return seen;
}

test("the check sees imports of every form", () => {
  const text = `import "a";
import b from "b";
import * as c from "c";
import { d } from "d";
import {
  e,
  type F,
} from "e";
export { g } from "g";
export * from "h";
import type { I } from "i";
const j = await import("j");
`;
  expect(importsOf(text)).toEqual(["a", "b", "c", "d", "e", "g", "h", "j"]);
  expect(importers([{ path: "x.ts", text, imports: importsOf(text) }], /^c$/)).toEqual(["x.ts"]);
});

test("renderers and the model never load Pulumi", () => {
  const files = below("components/render", "components/model");
  expect(files.length).toBeGreaterThan(10);
  for (const { path } of files) {
    const loaded = sources.filter((source) => reach(path).has(source.path));
    expect(importers(loaded, /^@pulumi\//), path).toEqual([]);
  }
});

test("what the plugin carries out never loads Pulumi's SDK for programs", () => {
  const files = below("components").filter(({ path }) => path.endsWith(".provider.ts"));
  expect(files.length).toBeGreaterThan(5);
  for (const { path } of files) {
    const loaded = sources.filter((source) => reach(path).has(source.path));
    expect(importers(loaded, /^@pulumi\/pulumi$/), path).toEqual([]);
  }
});

test("only components/kubernetes imports Pulumi's Kubernetes SDK", () => {
  const others = below("components").filter(({ path }) => !path.startsWith("components/kubernetes/"));
  expect(importers(others, /^@pulumi\/kubernetes/)).toEqual([]);
  expect(importers(below("components/kubernetes"), /^@pulumi\/kubernetes/)).not.toEqual([]);
});

test("what ships imports nothing of the tools and the tests", () => {
  expect(importers(below("components", "stacks"), /\.\.\/(tools|test)\//)).toEqual([]);
});

test("importing spillway loads no cloud's SDK and not Kubernetes'", () => {
  expect(sdksLoadedBy("components/index.ts")).toEqual([]);
  expect(sdksLoadedBy("components/onprem/index.ts")).toEqual([]);
  expect(sdksLoadedBy("components/kubernetes/index.ts")).toContain("kubernetes");
}, 240_000);

/** Pulumi's SDKs besides its own that a fresh process has loaded after the import. */
function sdksLoadedBy(path: string): string[] {
  const script = `
    await import(${JSON.stringify(join(checkout, path))});
    const { createRequire } = await import("node:module");
    console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));`;
  const args = ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", script];
  const loaded = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as string[];
  const names = loaded.map((file) => /node_modules\/@pulumi\/([^/]+)\//.exec(file)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined && name !== "pulumi"))] as string[];
}

test("no preview is told from an up, and no resource made inside apply", () => {
  const among = below("components", "stacks");
  expect(among.filter(({ text }) => /\bisDryRun\b/.test(text)).map(({ path }) => path)).toEqual([]);
  expect(among.filter(({ text }) => makesInApply(text)).map(({ path }) => path)).toEqual([]);
});

test("the check sees a resource made inside apply", () => {
  expect(makesInApply("ready.apply(() => { const x = (1); new Role('a', {}); })")).toBe(true);
  expect(makesInApply("pulumi.all([a]).apply(([a]) => new aws.Bucket(a))")).toBe(true);
  expect(makesInApply("a.apply((text) => new URL(text).host); new Role('b')")).toBe(false);
});

/** Plain values that an `apply` may make. */
const plain = new Set(["AggregateError", "Date", "Error", "Map", "Set", "URL"]);

function makesInApply(text: string): boolean {
  return [...text.matchAll(/\.apply\(/g)].some(({ index }) => {
    const body = parenthesis(text, index + ".apply".length);
    return [...body.matchAll(/\bnew ([\w.]+)/g)].some((match) => !plain.has(match[1]!));
  });
}

/** From an opening parenthesis to the one that closes it. */
function parenthesis(text: string, start: number): string {
  let depth = 0;
  for (let end = start; end < text.length; end++) {
    if (text[end] === "(") depth++;
    if (text[end] === ")" && --depth === 0) return text.slice(start, end);
  }
  return text.slice(start);
}

test(`no source of what ships is longer than ${longest} lines`, () => {
  const lines = (text: string) => text.split("\n").length - 1;
  const long = below("components", "stacks", "tools").filter(({ text }) => lines(text) > longest);
  expect(long.map(({ path, text }) => `${path}: ${lines(text)}`)).toEqual([]);
});
