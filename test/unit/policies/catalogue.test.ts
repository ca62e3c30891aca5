import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { catalogue } from "../../../components/policies/catalogue.ts";
import { controls, setControls } from "../../../components/policies/controls/index.ts";
import { controlsFile, controlsJson, docsFile, withTable } from "../../../tools/controls.ts";

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
