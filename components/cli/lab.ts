import { type LabState, list, purge } from "../lab/control.ts";
import { nameProblems } from "../lab/names.ts";
import { requireLab } from "../lab/requirements.ts";
import { refuse } from "../model/problem.ts";
import { type Command, noMore, UsageError } from "./usage.ts";

/** Shows and clears labs, for those whose state was lost. */
export const labs: Command = {
  usage: `  lab list [--json]
      Labs and their hosts on this computer.
  lab purge NAME
      Removes a lab, its hosts and their data, for one whose Pulumi state was lost; else: pulumi destroy.
`,
  options: { json: { type: "boolean", default: false } },
  async run({ json }, [verb, ...words]) {
    if (verb === "list") {
      noMore(words);
      return json ? JSON.stringify(list(), undefined, 2) : describeLabs(list());
    }
    if (verb === "purge") return purgeLab(words);
    throw new UsageError(
      verb === undefined ? "say list or purge" : `lab ${JSON.stringify(verb)}: say list or purge`,
    );
  },
};

async function purgeLab([name, ...words]: string[]): Promise<string> {
  if (name === undefined) throw new UsageError("say which lab; spillway lab list shows them");
  noMore(words);
  refuse("lab purge", nameProblems("NAME", name));
  const found = list().find((lab) => lab.name === name);
  if (!found)
    throw new Error(`there is no lab ${name} on this computer; spillway lab list shows what there is`);
  requireLab();
  await purge(name);
  return `lab ${name} is gone, with ${found.hosts.length} hosts`;
}

/** One line a lab and one a host. */
export function describeLabs(states: readonly LabState[]): string {
  if (states.length === 0) return "no labs on this computer";
  return states
    .flatMap(({ name, range, hosts }) => [
      `${name}  ${range ?? "its network is gone"}`,
      ...hosts.map((host) => `  ${host.name}  ${host.address ?? "?"}  ${host.running ? "running" : "off"}`),
    ])
    .join("\n");
}
