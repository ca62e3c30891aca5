import type { Stack } from "../../test/lab/stack.ts";
import { cheapStack } from "./cheap-hosts.ts";
import { child } from "./child.ts";
import { clusterProgram } from "./cluster.ts";
import { makeLab } from "./lab.ts";
import { type Measure, said, seconds } from "./measure.ts";
import { rounds } from "./options.ts";
import { benchStack, pulumi, UP } from "./stack.ts";

const few = 3;
const many = 30;
const REFRESH = [...UP, "--refresh"];

/**
 * Runs that find nothing to change. A plain `up` compares the program with the state and asks no host;
 * `up --refresh` looks at every host. The floor is `up` of an empty program, which imports the SDK as
 * every new Pulumi program does, and after it `ssh HOST true` on all hosts in parallel. The cheap hosts
 * carry one small file each; the platform is a cluster of three hosts with its registry.
 */
export async function noChange(): Promise<Measure[]> {
  const lab = await makeLab("bench-cheap", few + many);
  const fewHosts = lab.connections.slice(0, few);
  const manyHosts = lab.connections.slice(few);
  const empty = benchStack({ name: "bench-empty", program: 'import "@pulumi/pulumi";\n' });
  const platform = benchStack({
    name: "bench-platform",
    program: clusterProgram("bench-platform"),
    labs: ["bench-platform"],
  });
  const cheapFew = cheapStack("bench-few", fewHosts);
  const cheapMany = cheapStack("bench-many", manyHosts);
  for (const stack of [empty, platform, cheapFew, cheapMany]) {
    await pulumi(stack, ...UP);
    // The first run after a change brings the state up to date; those that are timed change nothing.
    await pulumi(stack, ...REFRESH);
  }

  const cases = [
    { stack: platform, what: `platform on ${few} hosts`, hosts: fewHosts },
    { stack: cheapFew, what: `${few} cheap hosts`, hosts: fewHosts },
    { stack: cheapMany, what: `${many} cheap hosts`, hosts: manyHosts },
  ].map((one) => ({ ...one, plain: [] as number[], refreshed: [] as number[], floor: [] as number[] }));
  for (let round = 0; round < rounds(4); round++) {
    const emptyUp = said("empty program", await unchanged(empty, UP));
    for (const one of cases) {
      const names = one.hosts.map(({ host }) => host);
      one.floor.push(
        emptyUp + (await seconds(`ssh to ${names.length}`, () => roundTrips(lab.sshConfig, names))),
      );
      one.plain.push(said(`up, ${one.what}`, await unchanged(one.stack, UP)));
      one.refreshed.push(said(`up --refresh, ${one.what}`, await unchanged(one.stack, REFRESH)));
    }
  }
  return [...cases.flatMap(rows), inSeries(cases[1]!.refreshed, cases[2]!.refreshed)];
}

interface Case {
  what: string;
  plain: number[];
  refreshed: number[];
  floor: number[];
}

function rows({ what, plain, refreshed, floor }: Case): Measure[] {
  const other = { what: "empty program + SSH round trip a host", values: floor };
  const limit = { mostTimes: 1.5 };
  return [
    { bench: "no-change", what: `up, ${what}`, unit: "s", ours: plain, other, limit },
    { bench: "no-change", what: `up --refresh, ${what}`, unit: "s", ours: refreshed, other, limit },
  ];
}

/** Ten times the hosts take ten times the time only when one waits for the other. */
function inSeries(fewTimes: number[], manyTimes: number[]): Measure {
  return {
    bench: "no-change",
    what: `up --refresh, ${many} cheap hosts beside ${few}`,
    unit: "s",
    ours: manyTimes,
    other: { what: `${few} cheap hosts`, values: fewTimes },
  };
}

async function unchanged(stack: Stack, args: readonly string[]): Promise<number> {
  const { code, text, seconds: taken } = await stack.run([...args, "--expect-no-changes"]);
  if (code !== 0) throw new Error(`a run that should change nothing ended with code ${code}:\n${text}`);
  return taken;
}

/** A fresh connection to every host at once, as a person's `ssh HOST true`. */
async function roundTrips(config: string, hosts: readonly string[]): Promise<void> {
  await Promise.all(hosts.map((host) => child(["ssh", "-F", config, host, "true"])));
}
