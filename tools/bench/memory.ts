import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Stack } from "../../test/lab/stack.ts";
import { cheapStack } from "./cheap-hosts.ts";
import { makeLab } from "./lab.ts";
import type { Measure } from "./measure.ts";
import { benchStack, mustEnd, UP } from "./stack.ts";

const hosts = 100;

/** Processes of a run, told by their command lines. */
const roles = {
  program: /@pulumi\/pulumi\/cmd\/run/,
  plugin: /dist\/provider\/main\.js/,
  engine: /^\S*pulumi\0/,
} as const;

type Role = keyof typeof roles;

/** Most memory of the program, the plugin with the SSH layer, and the engine: without a host and with 100. */
export async function memory(): Promise<Measure[]> {
  const lab = await makeLab("bench-hundred", hosts);
  const none = benchStack({ name: "bench-none", program: 'import "spillway/ssh";\n' });
  const one = cheapStack("bench-one", lab.connections.slice(0, 1));
  const hundred = cheapStack("bench-hundred", lab.connections);
  const first = await peaks(hundred, UP);
  const refresh = await peaks(hundred, [...UP, "--refresh"]);
  await peaks(one, UP);
  const single = await peaks(one, [...UP, "--refresh"]);
  const empty = await peaks(none, UP);

  const row = (what: string, peak: Peaks, role: Role, other?: Measure["other"]): Measure[] =>
    peak[role] === undefined ? [] : [{ bench: "memory", what, unit: "MB", ours: [peak[role]], other }];
  const beside = (what: string, peak: Peaks, role: Role) =>
    peak[role] === undefined ? undefined : { what, values: [peak[role]] };
  return [
    ...row(
      `program, ${hosts} hosts, first up`,
      first,
      "program",
      beside("program without resources", empty, "program"),
    ),
    ...row(
      `plugin (SSH layer), ${hosts} hosts, first up`,
      first,
      "plugin",
      beside("1 host, up --refresh", single, "plugin"),
    ),
    ...row(
      `plugin (SSH layer), ${hosts} hosts, up --refresh`,
      refresh,
      "plugin",
      beside("1 host, up --refresh", single, "plugin"),
    ),
    ...row(`engine (pulumi), ${hosts} hosts, first up`, first, "engine", beside("no host", empty, "engine")),
  ];
}

type Peaks = Partial<Record<Role, number>>;

/** Peak resident set in MB of each role's process in a run that has to succeed. */
async function peaks(stack: Stack, args: readonly string[]): Promise<Peaks> {
  const running = stack.launch([...args]);
  const first = running.child.pid!;
  const found: Peaks = {};
  let over = false;
  const end = running.end.finally(() => {
    over = true;
  });
  while (!over) {
    for (const [role, size] of sizes(first)) found[role] = Math.max(found[role] ?? 0, size);
    await sleep(50);
  }
  mustEnd(await end);
  return found;
}

/** The kernel keeps each process's own peak (VmHWM), so looking now and then is enough. */
function sizes(first: number): [Role, number][] {
  return descendants(first).flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const role = (Object.keys(roles) as Role[]).find((name) => roles[name].test(command));
      const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return role && peak ? [[role, Number(peak) / 1024] as [Role, number]] : [];
    } catch {
      // It ended while it was looked at.
      return [];
    }
  });
}

/** A process and all that it started, each in a group of its own. */
function descendants(first: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return [[Number(pid), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])] as const];
      } catch {
        return [];
      }
    });
  const found = [first];
  for (const parent of found) for (const [pid, its] of parents) if (its === parent) found.push(pid);
  return found;
}
