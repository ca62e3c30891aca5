import { kernelSettingsScript } from "./kernel-settings.ts";

/** A file that a lab host starts with. */
export interface HostFile {
  content: string;
  /** Permissions. @default 0644 */
  mode?: number;
}

/** What the files of a host are made from. */
export interface HostFacts {
  lab: string;
  name: string;
  address: string;
  prefixLength: number;
  /** @default 1500 */
  mtu?: number;
  gateway: string;
  authorizedKey: string;
  /** The other hosts' addresses by name. @default none */
  hosts?: Record<string, string>;
}

/**
 * Settings of Debian packages that no namespace holds: a host may not set them, and says so at each boot.
 * Empty files, which dpkg keeps as the administrator's; over a link to /dev/null it installs nothing.
 */
const machineWideSysctls = [
  "30-ceph-osd.conf",
  "30-lxc-inotify.conf",
  "50-pid-max.conf",
  "99-protect-links.conf",
];

const begin = "# lab hosts, begin";
const end = "# lab hosts, end";

/** Files that make the image into this host, by path. */
export function hostFiles(facts: HostFacts, computerResolvConf: string): Record<string, HostFile> {
  return {
    "etc/hostname": { content: `${facts.name}\n` },
    "etc/hosts": { content: hostsFile(localHosts, facts) },
    "etc/resolv.conf": { content: resolvConf(computerResolvConf) },
    "root/.ssh/authorized_keys": { content: `${facts.authorizedKey.trim()}\n`, mode: 0o600 },
    "etc/ssh/sshd_config.d/00-spillway.conf": { content: sshdConfig },
    "etc/systemd/system/spillway-network.service": { content: networkUnit(facts) },
    "etc/systemd/system/spillway-mounts.service": { content: mountsUnit },
    "usr/local/sbin/spillway-mounts": { content: mountsScript, mode: 0o755 },
    ...Object.fromEntries(machineWideSysctls.map((file) => [`etc/sysctl.d/${file}`, { content: "" }])),
  };
}

/** Units to start at boot. */
export const hostUnits: readonly string[] = ["spillway-mounts.service", "spillway-network.service"];

const localHosts = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", ""].join("\n");

/** An `/etc/hosts` with the lab's part put in or replaced; what else is in it stays. */
export function hostsFile(before: string, { name, address, hosts = {} }: HostFacts): string {
  const lines = Object.entries({ ...hosts, [name]: address }).map(([host, at]) => `${at} ${host}`);
  const part = [begin, ...lines.sort(), end, ""].join("\n");
  const [head = "", rest] = before.split(`${begin}\n`);
  if (rest === undefined) return `${head}${head === "" || head.endsWith("\n") ? "" : "\n"}${part}`;
  const [, tail = ""] = rest.split(`${end}\n`);
  return `${head}${part}${tail}`;
}

/** The computer's name servers without those that only it can reach. */
export function resolvConf(computer: string): string {
  const lines = computer
    .split("\n")
    .filter((line) => /^(nameserver|search|options)\s/.test(line))
    // CoreDNS calls a loopback server a loop and stops.
    .filter((line) => !/^nameserver\s+(127\.|::1)/.test(line));
  return [...lines, ""].join("\n");
}

const sshdConfig = `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
`;

// systemd-networkd waits for udev, which does not run in a container.
function networkUnit({ address, prefixLength, mtu = 1500, gateway }: HostFacts): string {
  return `[Unit]
Description=Address of this lab host
DefaultDependencies=no
Before=sysinit.target network.target network-online.target ssh.service
Wants=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip address replace ${address}/${prefixLength} dev host0
ExecStart=/usr/sbin/ip link set host0 mtu ${mtu} up
ExecStart=/usr/sbin/ip route replace default via ${gateway}

[Install]
WantedBy=sysinit.target
`;
}

const mountsUnit = `[Unit]
Description=Mounts that containers on this lab host need
DefaultDependencies=no
Before=systemd-sysctl.service sysinit.target ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/spillway-mounts

[Install]
WantedBy=sysinit.target
`;

const mountsScript = `#!/bin/sh
# Container engines mount below / and want their mounts seen by the containers.
mount --make-rshared /
# The container manager mounts the control groups read-only; they are this host's own.
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -o remount,rw /sys/fs/cgroup
for place in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if mountpoint -q "$place"; then mount -o remount,bind,rw "$place"; fi
done
mkdir -p /sys/fs/bpf
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
${kernelSettingsScript}# The kubelet reads the kernel's messages.
if [ ! -e /dev/kmsg ]; then ln -s /dev/console /dev/kmsg; fi
exit 0
`;
