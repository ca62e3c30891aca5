import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { hierarchies } from "../../components/lab/cgroups.ts";
import { kubeletSettings } from "../../components/lab/kernel-settings.ts";
import { interfaceName, interfacePrefix, labDirectory } from "../../components/lab/names.ts";
import { labNames, locksDirectory, locksPrefix } from "../../components/lab/record.ts";

const execute = promisify(execFile);

/** Whatever on this computer bears the name of one of these labs, or is all labs' while there is no other. Others may go on beside them. */
export async function traces(names: readonly string[]): Promise<Record<string, string[]>> {
  const lines = (text: string) =>
    text.split("\n").filter((line) => names.some((name) => line.includes(name)));
  const ends = names.map(interfaceName);
  const commands = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => {
      try {
        return readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    });
  return {
    mounts: lines(readFileSync("/proc/self/mounts", "utf8")),
    disks: lines((await execute("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"])).stdout),
    interfaces: readdirSync("/sys/class/net").filter((name) => ends.includes(name)),
    groups: hierarchies().flatMap((top) => names.filter((lab) => existsSync(join(top, "spillway", lab)))),
    namespaces: existsSync("/run/netns") ? lines(readdirSync("/run/netns").join("\n")) : [],
    processes: commands.filter((command) => names.some((name) => command.includes(name))),
    rules: lines((await execute("nft", ["list", "tables"])).stdout),
    propagation: existsSync("/run/systemd/nspawn/propagate")
      ? lines(readdirSync("/run/systemd/nspawn/propagate").join("\n"))
      : [],
    locks: readdirSync(locksDirectory).filter(
      (file) =>
        file.startsWith(locksPrefix) &&
        (names.some((name) => file.includes(name)) || labNames().every((lab) => names.includes(lab))),
    ),
    directories: names.filter((lab) => existsSync(labDirectory(lab))),
  };
}

/** What the first lab of the computer sets and the last one sets back: comparable only where no other comes or goes. */
export function sharedSettings(): Record<string, string[]> {
  const forwarding = readdirSync("/proc/sys/net/ipv4/conf").filter(
    (name) =>
      !name.startsWith(interfacePrefix) &&
      readFileSync(`/proc/sys/net/ipv4/conf/${name}/forwarding`, "utf8").startsWith("1"),
  );
  return {
    forwarding,
    inotify: [readFileSync("/proc/sys/fs/inotify/max_user_instances", "utf8").trim()],
    kernel: kernelSettings(),
  };
}

/** Settings of the whole computer that kubelet, Cilium, Ceph or Debian would set, and no lab does. */
export function kernelSettings(): string[] {
  const names = [
    ...Object.keys(kubeletSettings),
    ...["kernel/timer_migration", "kernel/unprivileged_bpf_disabled", "kernel/pid_max", "fs/aio-max-nr"],
    ...["fs/file-max", "fs/nr_open", "fs/protected_fifos", "fs/protected_regular", "fs/protected_symlinks"],
    ...["net/netfilter/nf_conntrack_max"],
  ];
  return names
    .filter((name) => existsSync(`/proc/sys/${name}`))
    .map((name) => `${name} = ${readFileSync(`/proc/sys/${name}`, "utf8").trim()}`);
}
