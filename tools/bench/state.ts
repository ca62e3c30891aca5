import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Stack } from "../../test/lab/stack.ts";
import { changesOf, preparePlay } from "./ansible.ts";
import { child } from "./child.ts";
import { hostStateArgs, inventory, takeOff } from "./declared.ts";
import { type Lab, makeLab } from "./lab.ts";
import { type Measure, seconds } from "./measure.ts";
import { rounds } from "./options.ts";
import { benchStack, pulumi, UP } from "./stack.ts";

const program = `
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { HostState } from "spillway/ssh";
for (const { connection, ...rest } of JSON.parse(readFileSync("states.json", "utf8"))) {
  const privateKey = pulumi.secret(connection.privateKey);
  new HostState(connection.host, { connection: { ...connection, privateKey }, ...rest });
}
`;

/**
 * The same declared state on 1 and 10 hosts by Spillway and by Ansible, by turns: the first run, then
 * runs that look at the hosts and find nothing to change. Spillway twice: through the engine (`up`, and
 * `up --refresh`), and its provider functions in a process of their own, which leaves the engine out.
 * That both leave the same on a host is checked.
 */
export async function state(): Promise<Measure[]> {
  const lab = await makeLab("bench-state", 10, ["python3", "python3-apt"]);
  const play = await preparePlay(lab);
  const measures: Measure[] = [];
  for (const count of [1, 10]) {
    const names = lab.connections.slice(0, count).map(({ host }) => host);
    const candidates: Record<Name, Candidate> = {
      direct: directly(lab, count),
      engine: byEngine(lab, count),
      ansible: {
        first: () => play.run(names),
        look: async () => {
          const said = await play.run(names);
          if (changesOf(said) > 0) throw new Error(`Ansible's second run changed something:\n${said}`);
        },
        looks: 1,
        remove: () => Promise.all(names.map((name) => lab.inside(name, takeOff))),
      },
    };
    // Ansible takes minutes for ten hosts.
    measures.push(...rows(count, await compare(lab, candidates, count === 1 ? rounds(2) : 1)));
  }
  return measures;
}

type Name = "direct" | "engine" | "ansible";

interface Candidate {
  /** Brings about the state. */
  first(): Promise<unknown>;
  /** Looks at the hosts; fails when anything differs. */
  look(): Promise<unknown>;
  remove(): Promise<unknown>;
  /** How often it looks in each round. */
  looks: number;
}

interface Times {
  first: number[];
  look: number[];
}

async function compare(
  lab: Lab,
  candidates: Record<Name, Candidate>,
  times: number,
): Promise<Record<Name, Times>> {
  const fresh = (): Times => ({ first: [], look: [] });
  const taken: Record<Name, Times> = { direct: fresh(), engine: fresh(), ansible: fresh() };
  const entries = Object.entries(candidates) as [Name, Candidate][];
  await lab.inside("h1", takeOff);
  for (let round = 0; round < times; round++) {
    const found: string[] = [];
    for (const [name, { first, look, remove, looks }] of entries) {
      taken[name].first.push(await seconds(`${name}, first run`, first));
      for (let again = 0; again < looks; again++)
        taken[name].look.push(await seconds(`${name}, no change`, look));
      found.push(await lab.inside("h1", inventory));
      await remove();
    }
    if (new Set(found).size > 1) throw new Error(`not the same state:\n${found.join("\n---\n")}`);
  }
  return taken;
}

function directly(lab: Lab, count: number): Candidate {
  const script = fileURLToPath(new URL("direct.ts", import.meta.url));
  const input = JSON.stringify(lab.connections.slice(0, count));
  const act = (action: string) => child([process.execPath, script, action], { input });
  return {
    first: () => act("create"),
    look: () => act("look"),
    remove: () => act("delete"),
    looks: rounds(3),
  };
}

function byEngine(lab: Lab, count: number): Candidate {
  const stack: Stack = benchStack({ name: `bench-state-${count}`, program });
  const states = lab.connections.slice(0, count).map(hostStateArgs);
  writeFileSync(join(stack.project, "states.json"), JSON.stringify(states), { mode: 0o600 });
  return {
    first: () => pulumi(stack, ...UP),
    look: () => pulumi(stack, ...UP, "--refresh", "--expect-no-changes"),
    remove: () => pulumi(stack, "destroy", "--yes", "--skip-preview"),
    looks: rounds(3),
  };
}

function rows(count: number, { direct, engine, ansible }: Record<Name, Times>): Measure[] {
  const hosts = count === 1 ? "1 host" : `${count} hosts`;
  const row = (what: string, ours: number[], theirs: number[], faster: number): Measure => ({
    bench: "state",
    what: `${what}, ${hosts}`,
    unit: "s",
    ours,
    other: { what: "ansible-core, pipelining, 10 forks", values: theirs },
    limit: { faster },
  });
  return [
    row("first run, provider functions", direct.first, ansible.first, 5),
    row("first run, pulumi up", engine.first, ansible.first, 5),
    row("no change, provider functions", direct.look, ansible.look, 20),
    row("no change, pulumi up --refresh", engine.look, ansible.look, 20),
  ];
}
