import { type Result, run } from "../local/run.ts";
import { awaitSsh, bootHost, consoleTail, cutPower, hostProcess, stopHost } from "./machine.ts";
import { deleteNetwork } from "./network.provider.ts";
import { hostNames, labNames, readHost, readNetwork } from "./record.ts";

/** A lab as it is on this computer. */
export interface LabState {
  /** As its site is called. */
  name: string;
  /** Its IPv4 range; `undefined` when only hosts of it are left. */
  range?: string;
  /** What is left of its hosts, running or off. */
  hosts: { name: string; address?: string; running: boolean }[];
}

const cutTable = "inet spillway-cut";

/** Switches a host on and waits until its sshd answers. One that runs is left alone. */
export async function boot(lab: string, host: string): Promise<void> {
  await bootHost(lab, host);
  const address = readHost(lab, host)!.address;
  if (!(await awaitSsh(address, 22, 60))) {
    throw new Error(
      `boot of ${host}: sshd did not answer at ${address}:22; its console said\n  ${consoleTail(lab, host)}`,
    );
  }
}

/** Shuts a host down cleanly, within 45 s; its data stays. */
export async function stop(lab: string, host: string): Promise<void> {
  await stopHost(lab, host);
}

/** Cuts a host's power: everything on it ends at once, as it is. What it wrote stays. */
export async function powerCut(lab: string, host: string): Promise<void> {
  await cutPower(lab, host);
}

/** Drops all SSH traffic of a host, of open connections as well, until `restoreSsh` or its next boot. */
export async function cutSsh(lab: string, host: string): Promise<void> {
  const rules = `table ${cutTable}
delete table ${cutTable}
table ${cutTable} {
  chain input { type filter hook input priority raw - 10; tcp dport 22 drop; }
  chain output { type filter hook output priority raw - 10; tcp sport 22 drop; }
}
`;
  await firewall(lab, host, rules);
}

/** Takes `cutSsh` back. */
export async function restoreSsh(lab: string, host: string): Promise<void> {
  await firewall(lab, host, `table ${cutTable}\ndelete table ${cutTable}\n`);
}

/** Runs a program on a host, without SSH. Resolves with its exit code, whatever that is. */
export async function exec(
  lab: string,
  host: string,
  argv: readonly string[],
  input?: string,
): Promise<Result> {
  const target = [
    "nsenter",
    `--target=${runningProcess(lab, host)}`,
    "--mount",
    "--pid",
    "--net",
    "--uts",
    "--ipc",
  ];
  const clean = [
    "env",
    "-i",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
  ];
  return run([...target, "--root", "--wd", "--", ...clean, ...argv], {
    input,
    allowed: () => true,
    timeoutSeconds: 600,
  });
}

/** Labs and their hosts on this computer. */
export function list(): LabState[] {
  return labNames().map((name) => ({
    name,
    range: readNetwork(name)?.range,
    hosts: hostNames(name).map((host) => ({
      name: host,
      address: readHost(name, host)?.address,
      running: hostProcess(name, host) !== undefined,
    })),
  }));
}

/** Removes whatever is left of a lab on this computer: hosts with their data, network, records. */
export async function purge(lab: string): Promise<void> {
  await deleteNetwork(lab, () => {});
}

async function firewall(lab: string, host: string, rules: string): Promise<void> {
  // This computer's nft in the host's network: the host needs none.
  await run(["nsenter", `--target=${runningProcess(lab, host)}`, "--net", "--", "nft", "-f", "-"], {
    input: rules,
  });
}

function runningProcess(lab: string, host: string): number {
  const process = hostProcess(lab, host);
  if (!process) throw new Error(`host ${host} of lab ${lab} does not run; boot it first`);
  return process;
}
