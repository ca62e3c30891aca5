import { afterAll, beforeAll, expect, test } from "vitest";
import { type Outcome, row, sweep } from "../lab/faults.sweep.ts";
import { FaultLab } from "../lab/faults.ts";

/** `SPILLWAY_FAULTS=4` takes a quarter of the cases, `4/1` another quarter. */
const [every, first] = (process.env.SPILLWAY_FAULTS ?? "1").split("/").map(Number);
let lab: FaultLab;

beforeAll(async () => {
  lab = await FaultLab.make("faults-long");
});

afterAll(() => lab?.remove());

const note = (outcome: Outcome) => {
  console.log(row(outcome));
  for (const problem of outcome.problems) console.log(`    ${problem}`);
};

function report(outcomes: Outcome[]): void {
  console.log(["", ...outcomes.map(row)].join("\n"));
  expect(outcomes.length).toBeGreaterThan(0);
  expect(outcomes.filter(({ problems }) => problems.length > 0).map(row)).toEqual([]);
}

test("a registry comes and goes whichever of its commands is cut", async () => {
  report(await sweep(lab, ["hosts", "registry"], { every, first, note }));
});

test("a cluster comes and goes whichever of its commands is cut", { timeout: 4 * 3_600_000 }, async () => {
  report(await sweep(lab, ["registry", "cluster"], { every, first, note }));
});
