import { expect, test } from "vitest";
import { inventories, leftovers, type Outcome, row, sweep } from "../lab/faults.sweep.ts";
import { FaultLab } from "../lab/faults.ts";

/** `SPILLWAY_FAULTS=4` takes a quarter of the cases, `4/1` another quarter. */
const [every, first] = (process.env.SPILLWAY_FAULTS ?? "1").split("/").map(Number);

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
  const lab = await FaultLab.make(`faults-${name}`, hosts);
  try {
    await work(lab);
  } finally {
    await lab.remove();
  }
}

const hours = 3_600_000;
const withDisks = { forStore: true };

test("a registry comes and goes whichever of its commands is cut", { timeout: hours }, () =>
  onLab("registry", async (lab) => report(await sweep(lab, ["hosts", "registry"], { every, first, note }))),
);

test("a cluster comes and goes whichever of its commands is cut", { timeout: 4 * hours }, () =>
  onLab("cluster", async (lab) => report(await sweep(lab, ["registry", "cluster"], { every, first, note }))),
);

test("a store comes and goes whichever of its commands is cut", { timeout: 4 * hours }, () =>
  onLab(
    "store",
    async (lab) => report(await sweep(lab, ["hosts", "store"], { every, first, note })),
    withDisks,
  ),
);

const dropIn = "/run/systemd/system/ceph-mon@cp1.service.d";

/** A monitor that its host starts and that never answers. */
const silence = `
mkdir -p ${dropIn}
printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep infinity\\n' >${dropIn}/silent.conf
systemctl daemon-reload
systemctl restart ceph-mon@cp1`;

test("a store whose monitors are gone for good is forgotten by the word alone", () =>
  onLab(
    "forgotten",
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
