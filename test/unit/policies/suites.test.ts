import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkFiles } from "../../../components/policies/check.ts";
import { resourcesOf } from "../../../components/policies/files.ts";
import { controlIds } from "../../../components/policies/judge.ts";
import { disagreements, type Policy, type Suite, suites } from "./suites.ts";

const folder = process.env.SPILLWAY_SUITES;

interface Case {
  /** File, with the resource where that is the case. */
  name: string;
  isBad: boolean;
  isFlagged: boolean;
  isDisputed: boolean;
}

const filesIn = (path: string): string[] => {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((each) => filesIn(join(path, each)))
    .filter((each) => /\.ya?ml$/.test(each));
};

/** The resources of a file, and which of them break a control; nothing when it is for no reader of ours. */
async function judged(file: string, { control, settings = {} }: Policy) {
  const names = await resourcesOf(file).then(
    (all) => [...new Set(all.map(({ type, name }) => `${type}::${name}`))],
    () => [],
  );
  const flagged = new Set<string>();
  await checkFiles([file], { settings }, (each) => each.control === control && flagged.add(each.resource));
  return { names, flagged };
}

async function casesOf(suite: Suite, policy: Policy): Promise<Case[]> {
  const { bad, good } = { ...suite, ...policy };
  const cases: Case[] = [];
  for (const file of filesIn(join(folder!, suite.repository, policy.path))) {
    const { names, flagged } = await judged(file, policy);
    const short = file.slice(folder!.length + 1);
    const add = (subject: string, name: string, isFlagged: boolean) => {
      const isBad = bad.test(subject);
      if (!isBad && !good.test(subject)) return;
      const isDisputed = disagreements.some(
        (each) => each.path.test(short) && (each.name?.test(subject) ?? true),
      );
      cases.push({ name, isBad, isFlagged, isDisputed });
    };
    if (suite.by === "path") {
      if (names.length > 0) add(short, short, flagged.size > 0);
    } else {
      for (const each of names) add(each.split("::").at(-1)!, `${short} ${each}`, flagged.has(each));
    }
  }
  return cases;
}

test("each policy of a suite has a control that there is, and each disagreement a reason", () => {
  const controls = suites.flatMap(({ policies }) => policies.map(({ control }) => control));
  expect(controls.filter((control) => !controlIds.has(control))).toEqual([]);
  expect(new Set(controls).size).toBeGreaterThan(25);
  expect(disagreements.filter(({ reason }) => reason.length < 10)).toEqual([]);
});

// Where there is no folder there are no such tests, rather than skipped ones.
if (folder !== undefined)
  test.each(suites)("cases of $repository", async (suite) => {
    const cases = (await Promise.all(suite.policies.map((policy) => casesOf(suite, policy)))).flat();
    const [bad, good] = [cases.filter(({ isBad }) => isBad), cases.filter(({ isBad }) => !isBad)];
    const caught = bad.filter(({ isFlagged }) => isFlagged).length;
    const left = good.filter(({ isFlagged }) => !isFlagged).length;
    const disputed = cases.filter(({ isBad, isFlagged, isDisputed }) => isDisputed && isBad !== isFlagged);
    console.log(
      `${suite.repository}: ${caught} of ${bad.length} bad caught, ${left} of ${good.length} good left alone, ${disputed.length} disputed`,
    );
    const wrong = cases.filter(({ isBad, isFlagged, isDisputed }) => isBad !== isFlagged && !isDisputed);
    expect(wrong.map(({ name, isBad }) => `${isBad ? "missed" : "flagged"}: ${name}`)).toEqual([]);
    expect(bad.length).toBeGreaterThan(0);
  });
