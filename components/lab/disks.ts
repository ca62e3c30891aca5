import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { output, run } from "../local/run.ts";
import { until } from "../local/until.ts";
import { hostDirectory } from "./names.ts";

/*
 * A host's disk is a sparse file in the host's directory behind a loop device of this computer. The
 * kernel numbers loop devices for all hosts together and tells the file of each: whose a device is
 * follows from there, and no record can be wrong about it.
 */

/** Sizes of a host's disks in GiB, by name. */
export type Disks = Readonly<Record<string, number>>;

const directoryOf = (lab: string, host: string) => join(hostDirectory(lab, host), "disks");

/** Size of a host's disk in GiB, `undefined` when there is none of this name. */
export function diskSize(lab: string, host: string, disk: string): number | undefined {
  const file = join(directoryOf(lab, host), disk);
  return existsSync(file) ? statSync(file).size / 2 ** 30 : undefined;
}

/**
 * Brings the disks of a host to these and gives the device of each on this computer. What is on a
 * disk stays; one that is not named any more goes with its data.
 */
export async function attachDisks(lab: string, host: string, disks: Disks): Promise<Record<string, string>> {
  for (const disk of surplus(lab, host, disks)) {
    const file = join(directoryOf(lab, host), disk);
    await detach(file);
    rmSync(file);
  }
  const devices: Record<string, string> = {};
  for (const [disk, sizeGiB] of Object.entries(disks)) {
    const file = join(directoryOf(lab, host), disk);
    if (!diskSize(lab, host, disk)) makeFile(file, sizeGiB);
    devices[disk] = loops(file)[0] ?? (await output(["losetup", "--find", "--show", file]));
  }
  return devices;
}

/** Takes away the loop devices of a host that does not run; its disks stay. */
export async function detachDisks(lab: string, host: string): Promise<void> {
  for (const disk of diskNames(lab, host)) await detach(join(directoryOf(lab, host), disk));
}

/** `attachDisks` for a host that runs: its `/dev` follows. */
export async function plugDisks(lab: string, host: string, init: number, disks: Disks): Promise<void> {
  const inside = async (script: string, ...args: string[]) => {
    await run([
      "nsenter",
      `--target=${init}`,
      "--mount",
      "--pid",
      "--root",
      "--",
      "sh",
      "-ec",
      script,
      ...args,
    ]);
  };
  for (const disk of surplus(lab, host, disks)) {
    // The container manager bound it at boot; one that was plugged in later is a plain node.
    await inside('umount "$0" 2>/dev/null || :; rm -f "$0"', `/dev/${disk}`);
  }
  for (const [disk, device] of Object.entries(await attachDisks(lab, host, disks))) {
    const numbers = readFileSync(`/sys/block/${basename(device)}/dev`, "utf8")
      .trim()
      .split(":");
    await inside('[ -b "$0" ] || mknod --mode=660 "$0" b "$1" "$2"', `/dev/${disk}`, ...numbers);
  }
}

function surplus(lab: string, host: string, disks: Disks): string[] {
  return diskNames(lab, host).filter((disk) => disks[disk] === undefined);
}

function diskNames(lab: string, host: string): string[] {
  return existsSync(directoryOf(lab, host)) ? readdirSync(directoryOf(lab, host)) : [];
}

/** Empty files that a cut left short are made anew; no host has seen them. */
function makeFile(file: string, sizeGiB: number): void {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "a");
  try {
    ftruncateSync(descriptor, sizeGiB * 2 ** 30);
  } finally {
    closeSync(descriptor);
  }
}

async function detach(file: string): Promise<void> {
  for (const device of loops(file)) await run(["losetup", "--detach", device]);
  // The kernel keeps a device until its last user has closed it.
  if (await until(10, () => loops(file).length === 0 || undefined)) return;
  throw new Error(`the disk ${file} is still in use as ${loops(file).join(", ")}`);
}

/** Loop devices of this computer that show a file. */
function loops(file: string): string[] {
  return readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop") && backingFile(name) === file)
    .map((name) => `/dev/${name}`);
}

function backingFile(loop: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${loop}/loop/backing_file`, "utf8").trimEnd();
  } catch {
    // In use by nobody.
    return undefined;
  }
}
