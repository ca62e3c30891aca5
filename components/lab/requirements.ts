import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheRoot } from "../local/folders.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { labsDirectory } from "./names.ts";

/** Programs the lab runs, and the Debian package that brings each. */
export const labPrograms: Readonly<Record<string, string>> = {
  "systemd-nspawn": "systemd-container",
  mmdebstrap: "mmdebstrap",
  nft: "nftables",
  ip: "iproute2",
  nsenter: "util-linux",
  unshare: "util-linux",
  flock: "util-linux",
  mount: "mount",
  losetup: "mount",
  sysctl: "procps",
  "ssh-keygen": "openssh-client",
};

/** GiB that have to be free for an image and for hosts that run something. */
const neededGiB = 5;

/** What the questions about this computer are answered from; tests give their own. */
export interface Computer {
  platform: string;
  uid: number;
  hasProgram(name: string): boolean;
  /** Filesystems that the kernel knows. */
  filesystems: string;
  canMakeNamespace(): boolean;
  /** GiB free where `path` would be. */
  freeGiB(path: string): number;
  /** Whether `path` would lie on an overlay filesystem. */
  onOverlay(path: string): boolean;
}

/** Everything that keeps this computer from carrying a lab; empty when it can. Changes nothing. */
export function labProblems(computer: Computer = thisComputer()): Problem[] {
  if (computer.platform !== "linux") {
    return [
      problem(
        `the system is ${computer.platform}`,
        "run the lab on a Linux machine, or in a Linux virtual machine",
      ),
    ];
  }
  if (computer.uid !== 0) {
    return [
      problem(`the user has number ${computer.uid}`, "run as root: containers, bridges and mounts need it"),
    ];
  }
  const missing = Object.keys(labPrograms).filter((name) => !computer.hasProgram(name));
  const problems = missing.map((name) =>
    problem(`there is no program ${name}`, `install it: apt-get install ${labPrograms[name]}`),
  );
  if (!/\boverlay$/m.test(computer.filesystems)) {
    problems.push(
      problem("the kernel has no overlayfs", "load it (modprobe overlay) or use a kernel that has it"),
    );
  }
  if (!missing.includes("unshare") && !computer.canMakeNamespace()) {
    problems.push(
      problem(
        "no network namespace can be made",
        "run outside of an unprivileged container: the lab needs CAP_SYS_ADMIN",
      ),
    );
  }
  if (computer.onOverlay(labsDirectory)) {
    problems.push(
      problem(
        `${labsDirectory} lies on an overlay filesystem`,
        "mount an ext4, xfs or btrfs filesystem there",
      ),
    );
  }
  return problems;
}

/** Too little room for more; what is there already goes on without. */
export function spaceProblems(computer: Pick<Computer, "freeGiB"> = thisComputer()): Problem[] {
  return [labsDirectory, cacheRoot()].flatMap((place) => {
    const free = computer.freeGiB(place);
    if (free >= neededGiB) return [];
    const remedy = `free at least ${neededGiB} GiB, for the image and the hosts`;
    return [problem(`${free.toFixed(1)} GiB are free at ${place}`, remedy)];
  });
}

let found: Problem[] | undefined;

/** `labProblems` of this computer, asked once for a process: a check runs for every host. */
export function computerProblems(): Problem[] {
  found ??= labProblems();
  // A missing program may be installed while a plugin runs: only a good answer is kept.
  const answer = found;
  if (answer.length > 0) found = undefined;
  return answer;
}

/** Throws a `Refusal` when there is no room for another image or host. */
export function requireSpace(): void {
  refuse("lab on this computer", spaceProblems());
}

/** Throws a `Refusal` with all problems when this computer cannot carry a lab. */
export function requireLab(): void {
  refuse("lab on this computer", computerProblems());
}

/** What a lab installs or changes on this computer, in words, and how far it is taken back. */
export function labChanges(): string[] {
  return [
    `${join(cacheRoot(), "lab")}: root file systems of lab hosts, about 0.5 GB each, fetched from the Debian mirror that apt is set to. Kept by destroy; delete the folder to get the space back.`,
    `${labsDirectory}/LAB: disks, logs and keys of the hosts of each lab. Removed by destroy.`,
    "/run/netns/spillway-LAB: a network namespace for each lab, with a bridge in it. Removed by destroy.",
    "spw...: an interface on this computer for each lab, with address .254 of the lab's range and a route to it. Removed by destroy.",
    "nftables table inet spillway-LAB: keeps labs apart, and masks their addresses with `nat: true`. Other tables are not touched. Removed by destroy.",
    "With `nat: true`: IPv4 forwarding on the lab's interface and on the interface of the default route. Taken back by destroy.",
    "fs.inotify.max_user_instances: raised to 8192 where it is less (Linux gives 128, which six hosts with Kubernetes use up). Set back when the last lab is destroyed.",
    "A loop device for each disk of a host (`disks`). Removed when the host is off.",
    "Each host: a container (systemd-nspawn) with a control group `spillway/LAB/HOST`. It runs as root with all capabilities and shares the kernel with this computer: a lab is for trying out, no fence against what runs in it. Removed by destroy.",
    "No kernel setting (sysctl) but those above: hosts set those of their own network and IPC, and find all others read-only. A privileged container on one may still set them.",
  ];
}

function problem(foundThere: string, remedy: string): Problem {
  return { path: "lab", found: foundThere, remedy };
}

function thisComputer(): Computer {
  return {
    platform: process.platform,
    uid: process.getuid?.() ?? -1,
    hasProgram,
    filesystems: existsSync("/proc/filesystems") ? readFileSync("/proc/filesystems", "utf8") : "",
    canMakeNamespace: () => spawnSync("unshare", ["--net", "true"]).status === 0,
    freeGiB(path) {
      const { bavail, bsize } = statfsSync(existing(path));
      return (bavail * bsize) / 2 ** 30;
    },
    onOverlay: (path) => statfsSync(existing(path)).type === 0x794c7630,
  };
}

/** Whether a program is on a PATH, or where `su` without a dash does not look. */
export function hasProgram(name: string, path = process.env.PATH ?? ""): boolean {
  const places = [...path.split(delimiter), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  return places.some((place) => {
    try {
      accessSync(join(place, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path));
}
