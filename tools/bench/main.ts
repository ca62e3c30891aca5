import { parseArgs } from "node:util";
import { engine } from "../engine/engine.ts";
import { progressOn } from "../engine/progress.ts";
import { interruptible } from "../interruption.ts";
import { installPackages, missingPrograms, packagesOf } from "../machine.ts";
import { cluster } from "./cluster.ts";
import type { Measure } from "./measure.ts";
import { memory } from "./memory.ts";
import { network } from "./network.ts";
import { noChange } from "./no-change.ts";
import { options } from "./options.ts";
import { policies } from "./policies.ts";
import { machine, table, write } from "./report.ts";
import { start } from "./start.ts";
import { state } from "./state.ts";
import { stores } from "./stores.ts";
import { interrupted, tidy, tidyOnSignals } from "./tidy.ts";

const usage = `npm run bench                all benches, more than an hour
npm run bench -- NAME ...    some of them
  start       npm start on a fresh state, and again
  cluster     the cluster on ready hosts, beside a bare shell script
  no-change   a run without changes, beside an empty program and SSH round trips
  state       declared state, beside Ansible
  stores      Ceph and Gluster on ready hosts, beside bare shell scripts
  memory      the program and the SSH layer with 100 hosts
  policies    the policy pack on the engine, and over files
  network     pods' paths in every network, beside their hosts' own, about 25 minutes
  --write     keep the figures in docs/bench.json and docs/bench.md
  --quick     one round of each, to see that all works
  --cold      start with empty caches: fetches and builds all, about 20 minutes
`;

const benches: Record<string, () => Promise<Measure[]>> = {
  start,
  cluster,
  "no-change": noChange,
  state,
  stores,
  memory,
  policies,
  network,
};

tidyOnSignals();
try {
  await main();
} catch (error) {
  // What a signal ended says so already.
  if (!interrupted()) console.error(`error: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await tidy();
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      write: { type: "boolean" },
      cold: { type: "boolean" },
      quick: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return console.log(usage);
  const unknown = positionals.filter((name) => !(name in benches));
  if (unknown.length > 0) throw new Error(`no bench is called ${unknown.join(", ")}\n\n${usage}`);
  options.cold = values.cold ?? false;
  options.quick = values.quick ?? false;

  const where = machine();
  const progress = progressOn();
  const packages = packagesOf(missingPrograms());
  if (packages.length > 0) await installPackages(packages, (text) => progress.line(`apt: ${text}`));
  if (!options.cold) await interruptible((signal) => engine(progress, signal));
  const measures: Measure[] = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
    progress.line(`${name} ...`);
    measures.push(...(await benches[name]!()));
    await tidy();
  }
  console.log(`\n${table(measures)}\n\n${where}`);
  if (values.write) write(measures, where);
}
