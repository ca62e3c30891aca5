import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { locked } from "../local/lock.ts";
import { run } from "../local/run.ts";
import { until } from "../local/until.ts";
import { groupProcesses, initProcess, limit, makeGroups, removeGroups, unifiedOnly } from "./cgroups.ts";
import { attachDisks, detachDisks } from "./disks.ts";
import { hostDirectory, machineName, namespacePath } from "./names.ts";
import { type HostRecord, lockFile, readHost } from "./record.ts";
import { imageLabel } from "./rootfs.ts";
import { bridge, hasNamespace } from "./wiring.ts";

// systemd's own signal for "power off"; the C library on both sides counts real-time signals from 34.
const powerOff = 34 + 4;

/**
 * Joins the groups of its arguments, up to the first `--` for itself and up to the second for the
 * host, then runs the rest; again when it ended because the host rebooted (133).
 */
const launcher = `
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done
shift
while :; do
  sh -c 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"' sh "$@"
  code=$?
  [ $code -eq 133 ] || exit $code
done`;

/** One host's last group and another's first one share a parent. */
const groupsLock = lockFile("groups");

/** Process 1 of a host as this computer numbers it, `undefined` when the host does not run. */
export function hostProcess(lab: string, host: string): number | undefined {
  return initProcess(lab, host);
}

/** Boots a host and gives its process 1. One that runs already is left alone. */
export async function bootHost(lab: string, host: string, signal?: AbortSignal): Promise<number> {
  return locked(hostLock(lab, host), async () => {
    const running = hostProcess(lab, host) ?? (await starting(lab, host));
    if (running) return running;
    const record = readHost(lab, host);
    if (!record) throw new Error(`lab ${lab} has no host ${host} on this computer`);
    if (!hasNamespace(lab)) {
      throw new Error(
        `boot of ${host}: the network of lab ${lab} is gone (was this computer restarted?); refresh, then up`,
      );
    }
    refuseOtherImage(host, record);
    await clear(lab, host);
    await mountRoot(lab, host, record);
    await launch(lab, host, record, await attachDisks(lab, host, record.disks ?? {}));
    const init = await until(15, () => hostProcess(lab, host), signal);
    if (!init)
      throw new Error(
        `boot of ${host}: no process 1 after 15 s; its console said\n  ${consoleTail(lab, host)}`,
      );
    return init;
  });
}

/** A start that another process began and did not see through. */
function starting(lab: string, host: string): Promise<number | undefined> | undefined {
  if (groupProcesses(lab, host).length === 0) return undefined;
  return until(3, () => hostProcess(lab, host));
}

function refuseOtherImage(host: string, record: HostRecord): void {
  const label = imageLabel(dirname(record.image));
  if (label !== undefined && label === record.imageLabel) return;
  throw new Error(
    `boot of ${host}: the image it started from, ${record.image}, is ${label ? "another build now" : "gone"}; ` +
      "replace the host (pulumi up --replace URN)",
  );
}

async function mountRoot(lab: string, host: string, { image, diskBinds }: HostRecord): Promise<void> {
  const directory = hostDirectory(lab, host);
  for (const part of ["upper", "work", "root"]) mkdirSync(join(directory, part), { recursive: true });
  for (const path of diskBinds) await makeBind(join(directory, "disk", path), join(image, path));
  const layers = `lowerdir=${image},upperdir=${directory}/upper,workdir=${directory}/work`;
  await run(["mount", "-t", "overlay", "overlay", "-o", layers, join(directory, "root")]);
}

/** A directory on the computer's filesystem, at first with what the image has there. */
async function makeBind(place: string, inImage: string): Promise<void> {
  if (existsSync(place)) return;
  mkdirSync(dirname(place), { recursive: true });
  await rm(`${place}.new`, { recursive: true, force: true });
  if (existsSync(inImage)) await run(["cp", "--archive", inImage, `${place}.new`]);
  else mkdirSync(`${place}.new`);
  renameSync(`${place}.new`, place);
}

async function launch(
  lab: string,
  host: string,
  record: HostRecord,
  disks: Record<string, string>,
): Promise<void> {
  const groups = await locked(groupsLock, async () => makeGroups(lab, host));
  limit(lab, host, record);
  const log = openSync(join(hostDirectory(lab, host), "console.log"), "w");
  try {
    const argv = ["-c", launcher, "sh", ...groups.launcher, "--", ...groups.system, "--"];
    const child = spawn("sh", [...argv, ...nspawn(lab, host, record, disks)], {
      // Its own session: neither Ctrl-C nor the end of this process reaches the host.
      detached: true,
      cwd: "/",
      stdio: ["ignore", log, log],
      // Not our environment: it may hold secrets, and the host would show them in /proc.
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        LC_ALL: "C.UTF-8",
        SYSTEMD_NSPAWN_API_VFS_WRITABLE: "yes",
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: unifiedOnly() ? "1" : "0",
        SYSTEMD_NSPAWN_LOCK: "0",
      },
    });
    child.on("error", () => {});
    child.unref();
  } finally {
    closeSync(log);
  }
}

function nspawn(
  lab: string,
  host: string,
  { diskBinds }: HostRecord,
  disks: Record<string, string>,
): string[] {
  const directory = hostDirectory(lab, host);
  const devices = ["/dev/fuse", "/dev/net/tun", "/dev/kmsg"].filter(existsSync);
  return [
    // `ip netns exec` would mount a fresh /sys and hide the control groups.
    ...["nsenter", `--net=${namespacePath(lab)}`, "--"],
    ...["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"],
    ...[`--directory=${directory}/root`, `--machine=${machineName(lab, host)}`, `--hostname=${host}`],
    ...["--capability=all", "--private-users=no", `--network-bridge=${bridge}`],
    "--system-call-filter=@mount @keyring @module bpf perf_event_open",
    ...["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only"],
    ...devices.map((device) => `--bind=${device}`),
    ...Object.entries(disks).map(([disk, device]) => `--bind=${device}:/dev/${disk}`),
    ...diskBinds.map((path) => `--bind=${directory}/disk${path}:${path}`),
    ...(existsSync("/lib/modules") ? ["--bind-ro=/lib/modules"] : []),
  ];
}

/** Shuts a host down as its own `poweroff` would; after so many seconds it is cut off. */
export async function stopHost(lab: string, host: string, seconds = 45): Promise<void> {
  await locked(hostLock(lab, host), () => shutDown(lab, host, seconds));
}

async function shutDown(lab: string, host: string, seconds: number): Promise<void> {
  const init = hostProcess(lab, host);
  if (init) {
    kill(init, powerOff);
    await until(seconds, () => hostProcess(lab, host) === undefined || undefined);
  }
  await clear(lab, host);
}

/**
 * Cuts a host's power: process 1 is killed and the kernel takes the rest along. Killing the container
 * manager instead would leave the host alive.
 */
export async function cutPower(lab: string, host: string): Promise<void> {
  await locked(hostLock(lab, host), () => clear(lab, host));
}

/** Removes a host with all its data. Succeeds when it is gone already. */
export async function deleteHost(lab: string, host: string): Promise<void> {
  const directory = hostDirectory(lab, host);
  await locked(hostLock(lab, host), async () => {
    await shutDown(lab, host, 20);
    await run(["rm", "--recursive", "--force", "--one-file-system", "--", directory], {
      timeoutSeconds: 600,
    });
    rmSync(hostLock(lab, host));
  });
}

/** Brings a host to "off": no process, mount, loop device, control group or interface of it is left. Keeps its data. */
async function clear(lab: string, host: string): Promise<void> {
  const init = hostProcess(lab, host);
  if (init) kill(init, 9);
  // The manager sees its host end and takes the interface down itself.
  const gone = () => groupProcesses(lab, host).length === 0 || undefined;
  if (!(await until(5, gone))) {
    for (const process of groupProcesses(lab, host)) kill(process, 9);
    if (!(await until(10, gone))) {
      throw new Error(`stop of ${host}: processes ${groupProcesses(lab, host).join(", ")} do not end`);
    }
  }
  await unmount(hostDirectory(lab, host));
  await detachDisks(lab, host);
  await locked(groupsLock, async () => removeGroups(lab, host));
  for (const place of ["propagate", "unix-export"]) {
    rmSync(join("/run/systemd/nspawn", place, machineName(lab, host)), { recursive: true, force: true });
  }
}

/** Unmounts everything below a directory, innermost first. */
async function unmount(directory: string): Promise<void> {
  const places = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((place) => place.startsWith(`${directory}/`));
  for (const place of places.reverse()) {
    const { code } = await run(["umount", place], { allowed: () => true });
    // Somebody looks into it, with a shell for instance: detach it all the same.
    if (code !== 0) await run(["umount", "--lazy", place]);
  }
}

/** Waits until sshd answers. */
export async function awaitSsh(
  address: string,
  port: number,
  seconds: number,
  signal?: AbortSignal,
): Promise<boolean> {
  return (await until(seconds, async () => (await banner(address, port)) || undefined, signal)) === true;
}

function banner(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 1000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (data) => end(data.toString("latin1").startsWith("SSH-")));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("close", () => resolve(false));
  });
}

/** The last lines of a host's console. */
export function consoleTail(lab: string, host: string): string {
  const log = join(hostDirectory(lab, host), "console.log");
  if (!existsSync(log)) return "nothing";
  return readFileSync(log, "utf8").trim().split("\n").slice(-10).join("\n  ") || "nothing";
}

function hostLock(lab: string, host: string): string {
  return lockFile(machineName(lab, host));
}

function kill(process_: number, signal: number): void {
  try {
    process.kill(process_, signal);
  } catch {
    // Gone already.
  }
}
