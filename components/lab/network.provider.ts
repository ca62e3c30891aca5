import { rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { locked } from "../local/lock.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { parseRange } from "../model/range.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { switchOff, switchOn } from "./forwarding.ts";
import { raiseInotifyLimit, restoreInotifyLimit } from "./inotify.ts";
import { deleteHost } from "./machine.ts";
import { interfaceName, labDirectory, labsDirectory, nameProblems } from "./names.ts";
import { computerOf, gatewayOf, labRangeProblems } from "./range.ts";
import { hostNames, labNames, lockFile, readNetwork, removeNetworkRecord, writeNetwork } from "./record.ts";
import { computerProblems, labChanges, requireLab } from "./requirements.ts";
import { defaultInterface, hasNamespace, isWired, rangeClash, unwire, wire } from "./wiring.ts";

/** The network of one lab: a bridge in a network namespace of its own, and a cable to this computer. */
export interface NetworkInputs {
  /** Name of the lab. */
  lab: string;
  /** IPv4 range of 24 bits that this computer does not use; .1 is the bridge, .254 this computer. */
  range: string;
  /**
   * Lets hosts reach what this computer reaches, under its address. A firewall of the computer that
   * drops forwarded packets, such as Docker's, still does. @default false: hosts reach each other and
   * this computer only
   */
  nat?: boolean;
  /** Whether it is there. A refresh finds one that went with a reboot, the next update makes it again. @default true */
  wired?: boolean;
}

export interface NetworkOutputs {
  /** The hosts' gateway: the bridge. */
  gateway: string;
  /** This computer's interface in the lab. */
  interface: string;
  /** This computer's address in the lab. */
  computer: string;
}

export const network: ResourceType<NetworkInputs, NetworkOutputs> = {
  token: "spillway:lab:Network",
  computed: ["gateway", "interface", "computer"],
  replaceOn: ["lab", "range"],

  check(inputs, unknown) {
    return [
      ...computerProblems(),
      ...(unknown.has("lab") ? [] : nameProblems("lab", inputs.lab ?? "")),
      ...(unknown.has("range") ? [] : labRangeProblems("range", inputs.range ?? "")),
    ];
  },

  async preview(context, inputs) {
    await refuseForeign(context, inputs);
    tellChanges(context, inputs.lab);
  },

  async create(context, inputs) {
    requireLab();
    return locked(lockFile("networks"), async () => {
      await refuseForeign(context, inputs);
      refuseUnknownHosts(inputs);
      context.progress(`making the network ${inputs.range}`);
      return { id: inputs.lab, outputs: await make(context, inputs) };
    });
  },

  async read(_context, old) {
    const { lab, range, nat = false } = old.inputs;
    if (!readNetwork(lab)) return undefined;
    // Not gone: its hosts are there, and a state that makes the network of hosts is one that does not know them.
    const inputs = (await isWired(lab, range, nat)) ? old.inputs : { ...old.inputs, wired: false };
    return { inputs, outputs: outputsOf(lab, range) };
  },

  async update(context, _old, inputs) {
    return locked(lockFile("networks"), () => make(context, inputs));
  },

  async delete(context, old) {
    await deleteNetwork(old.inputs.lab, (words) => context.progress(words));
  },
};

/** Told by the preview before a lab is made, and not again when a cut one goes on. */
function tellChanges(context: Context, lab: string): void {
  if (readNetwork(lab) === undefined)
    context.info(
      `a lab on this computer:\n${labChanges()
        .map((change) => `- ${change}\n`)
        .join("")}`,
    );
}

function outputsOf(lab: string, text: string): NetworkOutputs {
  const range = parseRange(text)!;
  return { gateway: gatewayOf(range), interface: interfaceName(lab), computer: computerOf(range) };
}

async function make(context: Context, { lab, range, nat = false }: NetworkInputs): Promise<NetworkOutputs> {
  const before = readNetwork(lab);
  if (before && before.range !== range) await unwire(lab);
  const forwarding = before?.forwarding;
  // Written first: what a cut leaves behind has an owner then.
  writeNetwork(lab, { ...before, owner: context.urn, range, nat });
  giveInotifyInstances(context, lab);
  await wire(lab, range, nat);
  if (nat) await switchForwardingOn(context, lab);
  else if (forwarding) await switchForwardingOff(lab);
  return outputsOf(lab, range);
}

async function switchForwardingOn(context: Context, lab: string): Promise<void> {
  switchOn(interfaceName(lab));
  const outside = await defaultInterface();
  if (!outside) return context.warn("this computer has no default route: NAT leads nowhere");
  if (switchOn(outside)) writeNetwork(lab, { ...readNetwork(lab)!, forwarding: outside });
}

/** Hands the duty to switch forwarding off to another lab with NAT, else does it. */
async function switchForwardingOff(lab: string): Promise<void> {
  const record = readNetwork(lab);
  if (!record?.forwarding) return;
  const heir = labNames().find((other) => other !== lab && readNetwork(other)?.nat);
  if (heir) writeNetwork(heir, { ...readNetwork(heir)!, forwarding: record.forwarding });
  else switchOff(record.forwarding);
  writeNetwork(lab, { ...record, forwarding: undefined });
}

function giveInotifyInstances(context: Context, lab: string): void {
  try {
    raiseInotifyLimit((before) => writeNetwork(lab, { inotifyBefore: before, ...readNetwork(lab)! }));
  } catch (error) {
    context.warn(`the limit of inotify instances was not raised: ${(error as Error).message}`);
  }
}

/** Hands the duty to set the limit back to another lab, else does it. */
function takeInotifyInstancesBack(lab: string): void {
  const record = readNetwork(lab);
  if (!record?.inotifyBefore) return;
  const heir = labNames().find((other) => other !== lab && hasNamespace(other) && readNetwork(other));
  if (heir) writeNetwork(heir, { ...readNetwork(heir)!, inotifyBefore: record.inotifyBefore });
  else restoreInotifyLimit(record.inotifyBefore);
  writeNetwork(lab, { ...record, inotifyBefore: undefined });
}

/** Throws when the name belongs to another stack or the range to something else. */
async function refuseForeign(context: Context, { lab, range }: NetworkInputs): Promise<void> {
  const problems: Problem[] = [];
  const owner = readNetwork(lab)?.owner;
  if (owner && owner !== context.urn) {
    problems.push({
      path: "lab",
      found: `lab ${lab} is on this computer already and belongs to ${owner}`,
      remedy: "choose another name, or destroy that one first",
    });
  }
  const clash = await rangeClash(lab, range);
  if (clash) {
    problems.push({
      path: "range",
      found: `${range} is in use on this computer by ${clash}`,
      remedy: "choose another range of 24 bits",
    });
  }
  refuse(`lab ${lab}`, problems);
}

/**
 * The name is no identity: another state, or the successor of one that was lost, may have the same. Hosts come once
 * their network is in the state, and those of one that is replaced go with it; hence not in a preview.
 */
function refuseUnknownHosts({ lab }: NetworkInputs): void {
  const hosts = hostNames(lab);
  if (hosts.length === 0) return;
  const found = `lab ${lab} is on this computer already (${hosts.join(", ")}), and this state does not know it`;
  const remedy = `bring back the state that made it, choose another name, or clear it by \`npx spillway lab purge ${lab}\``;
  refuse(`lab ${lab}`, [{ path: "lab", found, remedy }]);
}

/** Removes a lab's network and whatever hosts a cut left in it. Succeeds when all is gone already. */
export async function deleteNetwork(lab: string, progress: (words: string) => void): Promise<void> {
  for (const host of hostNames(lab)) {
    progress(`removing the left-over host ${host}`);
    await deleteHost(lab, host);
  }
  await locked(lockFile("networks"), async () => {
    await switchForwardingOff(lab);
    takeInotifyInstancesBack(lab);
    await unwire(lab);
    removeNetworkRecord(lab);
    for (const directory of [labDirectory(lab), labsDirectory, dirname(labsDirectory)]) {
      if (!removeEmpty(directory)) break;
    }
    if (labNames().length > 0) return;
    await locked(lockFile("groups"), async () => rmSync(lockFile("groups")));
    rmSync(lockFile("networks"));
  });
}

function removeEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
