import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { cacheRoot } from "../local/folders.ts";
import { run } from "../local/run.ts";
import { wholeFolder } from "../local/whole-folder.ts";
import type { Context } from "../provider/resource.ts";
import { configuredMirror } from "./apt-sources.ts";
import type { ImageInputs } from "./image.provider.ts";

/** Raise it when what is done to a root file system below changes: old images are then not used any more. */
const recipe = 2;

const basePackages = [
  "systemd-sysv",
  "dbus",
  "openssh-server",
  "iproute2",
  "iptables",
  "nftables",
  "procps",
  "ca-certificates",
];

/**
 * Units that make no sense in a container, or that would touch what all hosts share: consoles,
 * udev, the computer's clock and disks, timers of package tools.
 */
const maskedUnits = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "console-getty.service",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty.target",
  "hwclock-save.service",
  "modprobe@.service",
  "sys-kernel-config.mount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "systemd-binfmt.service",
  "systemd-hwdb-update.service",
  "systemd-modules-load.service",
  "systemd-networkd-wait-online.service",
  "systemd-networkd.service",
  "systemd-networkd.socket",
  "systemd-pstore.service",
  "systemd-rfkill.service",
  "systemd-rfkill.socket",
  "systemd-timesyncd.service",
  "systemd-udev-settle.service",
  "systemd-udev-trigger.service",
  "systemd-udevd-control.socket",
  "systemd-udevd-kernel.socket",
  "systemd-udevd.service",
];

/** Directory of the image with these inputs. */
export function imageDirectory({ suite, packages, mirror }: ImageInputs): string {
  const content = JSON.stringify({
    recipe,
    arch: process.arch,
    suite,
    packages: [...new Set(packages)].sort(),
    mirror,
  });
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 16);
  return join(cacheRoot(), "lab", "images", hash);
}

/** Whether an image was finished: its label is written last. */
export function isWhole(directory: string): boolean {
  return imageLabel(directory) !== undefined && existsSync(join(directory, "rootfs/usr/sbin/sshd"));
}

/** Tells one build of an image from the next; a host must not change its lower layer under way. */
export function imageLabel(directory: string): string | undefined {
  try {
    const { built } = JSON.parse(readFileSync(join(directory, "image.json"), "utf8")) as { built?: unknown };
    return typeof built === "string" ? built : undefined;
  } catch {
    return undefined;
  }
}

/** Path of the root file system with these inputs, built when it is not there whole. */
export async function ensureImage(context: Context, inputs: ImageInputs): Promise<string> {
  await wholeFolder({
    folder: imageDirectory(inputs),
    look: async (folder) => (isWhole(folder) ? { found: folder } : { damage: "it lacks its label" }),
    make: (draft) => build(context, inputs, draft),
    onWait: () => context.progress("another process builds this image; waiting for it"),
    signal: context.signal,
  });
  return join(imageDirectory(inputs), "rootfs");
}

async function build(context: Context, inputs: ImageInputs, draft: string): Promise<void> {
  const mirror = inputs.mirror ?? configuredMirror(inputs.suite);
  if (!mirror)
    throw new Error(`apt on this computer has no source for Debian ${inputs.suite}; give the image a mirror`);
  const rootfs = join(draft, "rootfs");
  mkdirSync(rootfs);
  await bootstrap(context, inputs, rootfs, mirror);
  context.progress("cleaning the image");
  await settle(rootfs);
  const label = { built: new Date().toISOString(), suite: inputs.suite, packages: inputs.packages, mirror };
  writeFileSync(join(draft, "image.json"), `${JSON.stringify(label, undefined, 2)}\n`);
  await run(["sync", "--file-system", draft], { timeoutSeconds: 600 });
}

async function bootstrap(
  context: Context,
  inputs: ImageInputs,
  rootfs: string,
  mirror: string,
): Promise<void> {
  const packages = [...new Set([...basePackages, ...inputs.packages])].join(",");
  const started = Date.now();
  const said: string[] = [];
  const progress = (line: string) => {
    said.push(line);
    const words = /^(?:I: |(?=(?:Get:\d+|Unpacking|Setting up) ))(.*)/.exec(line)?.[1];
    if (words) context.progress(`${words} (${Math.round((Date.now() - started) / 1000)} s)`);
  };
  // In a mount namespace of its own: /proc and /sys in the target are gone with it, whatever happens.
  const argv = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"];
  argv.push("mmdebstrap", "--mode=root", "--verbose", "--variant=minbase", `--include=${packages}`);
  argv.push(inputs.suite, rootfs, mirror);
  try {
    await run(argv, {
      onLine: progress,
      signal: context.signal,
      timeoutSeconds: context.timeoutSeconds || 1800,
    });
  } catch (error) {
    const errors = said.filter((line) => /^E: /.test(line));
    const tail = (errors.length > 0 ? errors : said).slice(-8).join("\n  ");
    throw new Error(
      `mmdebstrap of ${inputs.suite} from ${mirror} failed; check the mirror and the package names, then run again\n  ${tail}`,
      { cause: error },
    );
  }
}

/** Takes out what must differ between hosts, what only costs room, and what must not start by itself. */
async function settle(rootfs: string): Promise<void> {
  const inside = (path: string) => join(rootfs, path);
  const matching = (directory: string, pattern: RegExp) =>
    (existsSync(inside(directory)) ? readdirSync(inside(directory)) : [])
      .filter((name) => pattern.test(name))
      .map((name) => join(directory, name));
  const unwanted = [
    ...matching("etc/ssh", /^ssh_host_/),
    ...matching("var/lib/apt/lists", /./),
    ...matching("var/cache/apt", /./),
    ...matching("var/log", /\.log$|^apt$/),
    ...["rc2.d", "rc3.d", "rc4.d", "rc5.d"].flatMap((level) => matching(join("etc", level), /^S/)),
    "etc/hostname",
    "etc/resolv.conf",
    "var/lib/dbus/machine-id",
    "var/lib/glusterd/glusterd.info",
    "var/lib/systemd/random-seed",
  ];
  for (const path of unwanted) await rm(inside(path), { recursive: true, force: true });
  writeFileSync(inside("etc/machine-id"), "");
  mkdirSync(inside("etc/systemd/system-preset"), { recursive: true });
  // Whoever installs a service on a host enables it there, as on any machine.
  writeFileSync(inside("etc/systemd/system-preset/00-spillway.preset"), "enable ssh.service\ndisable *\n");
  await run(["systemctl", `--root=${rootfs}`, "preset-all"]);
  for (const path of maskedUnits.map((unit) => join("etc/systemd/system", unit))) {
    await rm(inside(path), { recursive: true, force: true });
    await symlink("/dev/null", inside(path));
  }
}
