import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../local/run.ts";
import { refuse } from "../model/problem.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { limit } from "./cgroups.ts";
import { diskSize, plugDisks } from "./disks.ts";
import { hostFiles, hostsFile, hostUnits } from "./host-files.ts";
import { hostProblems } from "./host-problems.ts";
import { inotifyShortage } from "./inotify.ts";
import { awaitSsh, bootHost, consoleTail, deleteHost, hostProcess, stopHost } from "./machine.ts";
import { hostDirectory } from "./names.ts";
import { hostNames, readHost, writeHost } from "./record.ts";
import { computerProblems, requireLab, requireSpace } from "./requirements.ts";
import { imageLabel } from "./rootfs.ts";

/** Directories that container engines and stores need on a plain filesystem: overlay on overlay fails. */
export const labDiskBinds: readonly string[] = [
  "/var/lib/containerd",
  "/var/lib/docker",
  "/var/lib/kubelet",
  "/var/lib/etcd",
  "/var/lib/ceph",
  "/var/lib/spillway-registry",
];

/** One host of a lab. */
export interface HostInputs {
  /** Name of the lab. */
  lab: string;
  /** Name of the host, unique in the lab. */
  name: string;
  /** Its IPv4 address, unique in the lab. */
  address: string;
  /** Length of the lab range's prefix, in bits. */
  prefixLength: number;
  /** Largest packet of its link, in bytes. @default 1500 */
  mtu?: number;
  /** Where it sends what is not for the lab. */
  gateway: string;
  /** Directory of the root file system it starts from, an `Image`'s path. */
  image: string;
  /** Public key, as in authorized_keys, that may log in as root. */
  authorizedKey: string;
  /** Account to log in as. @default root, the only one */
  user?: "root";
  /** Addresses by name for its /etc/hosts. @default only its own */
  hosts?: Record<string, string>;
  /** MiB of memory it may use. @default no limit */
  memoryMiB?: number;
  /** Processors it may use, such as 0.5. @default no limit */
  cpus?: number;
  /** Directories that lie on the computer's own filesystem. @default `labDiskBinds` */
  diskBinds?: string[];
  /**
   * Sizes in GiB of its disks by the name below /dev, such as `{ sdb: 5 }`: sparse files of this
   * computer. They come and go while the host runs; what is on one goes with it. @default none
   */
  disks?: Record<string, number>;
  /** Whether it is switched on. A refresh finds a host that is off, the next update boots it. @default true */
  running?: boolean;
}

export interface HostOutputs {
  /** Port of sshd. */
  port: number;
  /** Its public host key, as in known_hosts. */
  hostKey: string;
  /** Its process 1, as this computer numbers it; 0 when it is off. */
  pid: number;
}

const sshPort = 22;

/** A host made on this computer: a systemd container with its own sshd, control groups and network. */
export const host: ResourceType<HostInputs, HostOutputs> = {
  token: "spillway:lab:Host",
  computed: ["port", "hostKey", "pid"],
  replaceOn: ["lab", "name", "address", "prefixLength", "mtu", "gateway", "image", "user", "diskBinds"],

  check: (inputs, unknown) => [...computerProblems(), ...hostProblems(inputs, unknown)],

  async create(context, inputs) {
    requireLab();
    requireSpace();
    refuseTwin(inputs);
    const outputs = await settle(context, inputs);
    return { id: `${inputs.lab}/${inputs.name}`, outputs };
  },

  async read(_context, old) {
    const { lab, name } = old.inputs;
    const hostKey = await publicHostKey(lab, name);
    if (!readHost(lab, name) || !hostKey) return undefined;
    const pid = hostProcess(lab, name) ?? 0;
    const running = pid > 0;
    const wanted = old.inputs.running ?? true;
    const inputs = running === wanted ? old.inputs : { ...old.inputs, running };
    return { inputs, outputs: { port: sshPort, hostKey, pid } };
  },

  async previewUpdate(_context, _old, inputs) {
    refuseOtherSizes(inputs);
  },

  async update(context, _old, inputs) {
    refuseOtherSizes(inputs);
    return settle(context, inputs);
  },

  async delete(context, old) {
    context.progress("shutting down");
    await deleteHost(old.inputs.lab, old.inputs.name);
  },
};

/** Brings a host, whatever is there of it, to what the inputs say. */
async function settle(context: Context, inputs: HostInputs): Promise<HostOutputs> {
  const { lab, name, address, running = true } = inputs;
  writeHost(lab, name, {
    address,
    image: inputs.image,
    // Kept from the first time: under an upper layer that was used the image must not change.
    imageLabel: readHost(lab, name)?.imageLabel ?? imageLabel(dirname(inputs.image)),
    memoryMiB: inputs.memoryMiB,
    cpus: inputs.cpus,
    diskBinds: [...(inputs.diskBinds ?? labDiskBinds)],
    disks: inputs.disks,
  });
  const hostKey = (await publicHostKey(lab, name)) ?? (await makeHostKey(lab, name));
  const wasRunning = hostProcess(lab, name) !== undefined;
  await writeFiles(inputs, wasRunning);
  if (!running) {
    await stopHost(lab, name);
    return { port: sshPort, hostKey, pid: 0 };
  }
  context.progress("booting");
  const pid = await bootHost(lab, name, context.signal);
  if (wasRunning) {
    limit(lab, name, inputs);
    await plugDisks(lab, name, pid, inputs.disks ?? {});
  }
  context.progress(`waiting for sshd at ${address}`);
  if (!(await awaitSsh(address, sshPort, context.timeoutSeconds || 60, context.signal))) {
    const cause = inotifyShortage() ?? `its console said\n  ${consoleTail(lab, name)}`;
    throw new Error(`boot of ${name}: sshd did not answer at ${address}:${sshPort}; ${cause}`);
  }
  return { port: sshPort, hostKey, pid };
}

/** Of a running host only what may change is written, through its own mount. */
async function writeFiles(inputs: HostInputs, running: boolean): Promise<void> {
  const directory = hostDirectory(inputs.lab, inputs.name);
  const root = join(directory, running ? "root" : "upper");
  const resolvConf = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  const files = hostFiles(inputs, resolvConf);
  const before = await readFile(join(root, "etc/hosts"), "utf8").catch(() => undefined);
  if (before !== undefined) files["etc/hosts"] = { content: hostsFile(before, inputs) };
  const changeable = ["etc/hosts", "root/.ssh/authorized_keys"];
  if (!running) {
    // A directory made in the upper layer hides the mode of the one below.
    await mkdir(join(root, "root/.ssh"), { recursive: true });
    await chmod(join(root, "root"), 0o700);
    await chmod(join(root, "root/.ssh"), 0o700);
  }
  for (const [path, { content, mode = 0o644 }] of Object.entries(files)) {
    if (!running || changeable.includes(path)) await writeWhole(join(root, path), content, mode);
  }
  if (running) return;
  const wants = join(root, "etc/systemd/system/sysinit.target.wants");
  await mkdir(wants, { recursive: true });
  for (const unit of hostUnits) {
    await rm(join(wants, unit), { force: true });
    await symlink(`/etc/systemd/system/${unit}`, join(wants, unit));
  }
}

async function writeWhole(file: string, content: string, mode: number): Promise<void> {
  const before = await readFile(file, "utf8").catch(() => undefined);
  if (before === content) return;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, content, { mode });
  await chmod(`${file}.new`, mode);
  await rename(`${file}.new`, file);
}

const keyFile = (lab: string, name: string) =>
  join(hostDirectory(lab, name), "upper/etc/ssh/ssh_host_ed25519_key");

async function publicHostKey(lab: string, name: string): Promise<string | undefined> {
  const text = await readFile(`${keyFile(lab, name)}.pub`, "utf8").catch(() => "");
  const [type, key] = text.split(" ");
  return type && key ? `${type} ${key.trim()}` : undefined;
}

async function makeHostKey(lab: string, name: string): Promise<string> {
  const file = keyFile(lab, name);
  await mkdir(dirname(file), { recursive: true });
  // A half of a pair, left by a cut, makes ssh-keygen ask.
  await rm(file, { force: true });
  await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file]);
  return (await publicHostKey(lab, name))!;
}

function refuseTwin({ lab, name, address }: HostInputs): void {
  const twin = hostNames(lab).find((other) => other !== name && readHost(lab, other)?.address === address);
  if (!twin) return;
  refuse(`host ${name}`, [
    {
      path: "address",
      found: `${address} is the address of host ${twin}`,
      remedy: "give every host its own",
    },
  ]);
}

function refuseOtherSizes({ lab, name, disks = {} }: HostInputs): void {
  const problems = Object.entries(disks).flatMap(([disk, wanted]) => {
    const size = diskSize(lab, name, disk);
    if (!size || size === wanted) return [];
    const found = `${wanted} GiB; it was made with ${size} GiB, and its data with it`;
    return [{ path: `disks.${disk}`, found, remedy: "leave it, or name another disk" }];
  });
  refuse(`host ${name}`, problems);
}
