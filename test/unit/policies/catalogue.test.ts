import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { catalogue } from "../../../components/policies/catalogue.ts";
import { controls, setControls } from "../../../components/policies/controls/index.ts";
import { controlsFile, controlsJson, docsFile, withTable } from "../../../tools/controls.ts";
import { checkout } from "../../../tools/engine/paths.ts";

const all = [...controls, ...setControls];

test("what is generated from the controls is up to date: npm run controls", () => {
  expect(readFileSync(controlsFile, "utf8")).toBe(controlsJson());
  const docs = readFileSync(docsFile, "utf8");
  expect(withTable(docs)).toBe(docs);
});

test("controls have names of their own, of short words", () => {
  const ids = all.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z]+){0,3}$/);
});

test.each(all)("$id says what must be so and what to do, without a full stop", ({ title, remedy, types }) => {
  expect(title).toMatch(/^[A-Z].*[^.]$/);
  expect(remedy).toMatch(/^[a-z`].*[^.]$/);
  expect(types.length).toBeGreaterThan(0);
});

test("the catalogue names each control once, below its practice", () => {
  const { practices } = catalogue();
  const named = Object.values(practices).flatMap((practice) => practice.controls);
  expect(named.sort()).toEqual(all.map(({ id }) => id).sort());
});

test("the pack has the package's version", () => {
  const versionOf = (path: string) =>
    (JSON.parse(readFileSync(join(checkout, path), "utf8")) as { version: string }).version;
  expect(versionOf("policies/package.json")).toBe(versionOf("package.json"));
});
