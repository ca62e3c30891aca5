import { describe, expect, test } from "vitest";
import {
  inventories,
  leftovers,
  modes,
  type Outcome,
  row,
  sweep,
  sweepInChains,
} from "../lab/faults.sweep.ts";
import { type Extent, FaultLab } from "../lab/faults.ts";

/**
 * Of the cuts that stand alone: `SPILLWAY_FAULTS=4` takes a quarter of them, `4/1` another quarter. All of a
 * cluster's take three hours; those on one way, one after the other, half of one.
 */
const [every, first] = (process.env.SPILLWAY_FAULTS ?? "12").split("/").map(Number);
/** Of the cuts on one way: `SPILLWAY_CUTS=before,power` leaves the others out. */
const only = modes.filter((mode) => (process.env.SPILLWAY_CUTS ?? modes.join()).split(",").includes(mode));

const note = (outcome: Outcome) => {
  console.log(row(outcome));
  for (const problem of outcome.problems) console.log(`    ${problem}`);
};

function report(outcomes: Outcome[]): void {
  console.log(["", ...outcomes.map(row)].join("\n"));
  expect(outcomes.length).toBeGreaterThan(0);
  expect(outcomes.filter(({ problems }) => problems.length > 0).map(row)).toEqual([]);
}

/** A lab of the test's own, gone with it. */
async function onLab(
  name: string,
  work: (lab: FaultLab) => Promise<void>,
  hosts?: Parameters<typeof FaultLab.make>[1],
): Promise<void> {
  const lab = await FaultLab.make(name, hosts);
  try {
    await work(lab);
  } finally {
    await lab.remove();
  }
}

const hours = 3_600_000;
const withDisks = { forStore: true };

describe.each<{ what: string; way: [Extent, Extent]; hosts?: Parameters<typeof FaultLab.make>[1] }>([
  { what: "registry", way: ["hosts", "registry"] },
  { what: "cluster", way: ["registry", "cluster"] },
  { what: "store", way: ["hosts", "store"], hosts: withDisks },
])("a $what comes and goes", { timeout: 4 * hours }, ({ what, way, hosts }) => {
  test("while one command after the other is cut", () =>
    onLab(`all-${what}`, async (lab) => report(await sweepInChains(lab, way, { only, note })), hosts));

  test("whichever of its commands is cut", () =>
    onLab(`one-${what}`, async (lab) => report(await sweep(lab, way, { every, first, note })), hosts));
});

const dropIn = "/run/systemd/system/ceph-mon@cp1.service.d";

/** A monitor that its host starts and that never answers. */
const silence = `
mkdir -p ${dropIn}
printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep infinity\\n' >${dropIn}/silent.conf
systemctl daemon-reload
systemctl restart ceph-mon@cp1`;

test("a store whose monitors are gone for good is forgotten by the word alone", () =>
  onLab(
    "faults-forgotten",
    async (lab) => {
      const before = await inventories(lab);
      await lab.succeed("store");
      await lab.inside("cp1", silence);
      const refused = await lab.up("hosts");
      expect(refused.code).not.toBe(0);
      expect(refused.text).toMatch(
        /no quorum answers[\s\S]*gone for good, run with SPILLWAY_DELETE_UNREACHABLE=true/,
      );
      const given = await lab.stack.destroy({
        ...lab.environment("hosts"),
        SPILLWAY_DELETE_UNREACHABLE: "true",
      });
      expect(given.code, given.text).toBe(0);
      await lab.inside("cp1", `rm -r ${dropIn}; systemctl daemon-reload`);
      expect(await leftovers(lab, before)).toEqual([]);
    },
    withDisks,
  ));
