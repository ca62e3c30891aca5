import { stringify } from "yaml";
import type { HostStateArgs } from "../../components/ssh/host-state.ts";

/** What shall be on a host; said once, and carried out by Spillway and by Ansible. */
export const declared = {
  packages: ["containerd", "conntrack", "socat"],
  directories: Array.from({ length: 5 }, (_, i) => `/etc/bench/d${i + 1}`),
  /** Alike on all hosts. */
  copies: Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`/etc/bench/d${(i % 5) + 1}/copy${i + 1}.conf`, settings(i)]),
  ),
  /** With the host's name in it, where @HOST@ stands. */
  templates: Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [
      `/etc/bench/d${(i % 5) + 1}/template${i + 1}.conf`,
      `host = @HOST@\n${settings(i)}`,
    ]),
  ),
  // Such as belong to a host's own network.
  sysctls: {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "2",
    "net.ipv4.conf.default.rp_filter": "2",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.ip_local_port_range": "20000 60000",
  } as Record<string, string>,
  units: Object.fromEntries(["bench-a.service", "bench-b.service"].map((name) => [name, unit(name)])),
};

function settings(number: number): string {
  return Array.from({ length: 40 }, (_, line) => `setting_${number}_${line} = ${line * number}\n`).join("");
}

function unit(name: string): string {
  return `[Unit]
Description=${name}
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
`;
}

/** As Spillway's declared state. */
export function hostStateArgs(connection: HostStateArgs["connection"]): HostStateArgs {
  const { packages, directories, copies, templates, sysctls, units } = declared;
  const contents = Object.entries({ ...copies, ...templates });
  return {
    connection,
    name: "bench",
    packages,
    sysctls,
    directories: Object.fromEntries(directories.map((path) => [path, { mode: "0755" }])),
    files: Object.fromEntries(
      contents.map(([path, text]) => [path, { content: text.replace("@HOST@", connection.host) }]),
    ),
    units: Object.fromEntries(
      Object.entries(units).map(([name, content]) => [
        name,
        { content, enabled: true, running: true, restartOn: [] },
      ]),
    ),
  };
}

const sysctlFile = "/etc/sysctl.d/90-bench.conf";

/**
 * As a playbook, written to be quick: one task for all packages and one that reads all kernel settings
 * (ansible-core has no module for them), no gathering of facts.
 */
export function playbook(): string {
  const { packages, directories, copies, templates, sysctls, units } = declared;
  const item = (name: string) => `{{ item.${name} }}`;
  const pairs = (entries: Record<string, string>) =>
    Object.entries(entries).map(([dest, content]) => ({ dest, content }));
  const names = Object.keys(sysctls);
  const lines = names.map((name) => `${name} = ${sysctls[name]}\n`).join("");
  const builtin = (module: string) => `ansible.builtin.${module}`;
  const tasks = [
    { [builtin("apt")]: { name: packages, state: "present", install_recommends: false } },
    {
      [builtin("file")]: { path: "{{ item }}", state: "directory", mode: "0755" },
      loop: ["/etc/bench", ...directories],
    },
    {
      [builtin("copy")]: { dest: item("dest"), content: item("content"), mode: "0644" },
      loop: pairs(copies),
      loop_control: { label: item("dest") },
    },
    {
      [builtin("template")]: {
        src: "{{ item | basename }}.j2",
        dest: "{{ item }}",
        mode: "0644",
      },
      loop: Object.keys(templates),
    },
    { [builtin("copy")]: { dest: sysctlFile, content: lines, mode: "0644" } },
    {
      [builtin("command")]: { argv: ["sysctl", "-n", ...names] },
      register: "found",
      changed_when: false,
    },
    {
      [builtin("command")]: { argv: ["sysctl", "-p", sysctlFile] },
      when: `found.stdout_lines | map('replace', '\t', ' ') | list != ${JSON.stringify(Object.values(sysctls))}`,
    },
    {
      [builtin("copy")]: { dest: item("dest"), content: item("content"), mode: "0644" },
      loop: Object.entries(units).map(([name, content]) => ({
        dest: `/etc/systemd/system/${name}`,
        content,
      })),
      loop_control: { label: item("dest") },
      register: "unit_files",
    },
    {
      [builtin("systemd")]: {
        name: "{{ item }}",
        enabled: true,
        state: "started",
        daemon_reload: "{{ unit_files.changed }}",
      },
      loop: Object.keys(units),
    },
  ];
  return stringify([{ hosts: "all", gather_facts: false, tasks }], { lineWidth: 0 });
}

/** The templates that the playbook names, by file name. */
export function templateFiles(): Record<string, string> {
  const entries = Object.entries(declared.templates).map(([path, text]) => [
    `${path.slice(path.lastIndexOf("/") + 1)}.j2`,
    text.replace("@HOST@", "{{ inventory_hostname }}"),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Shell text: takes off what the playbook put, so that the next first run is one. */
export const takeOff = `
systemctl disable --now ${Object.keys(declared.units).join(" ")} 2>/dev/null || :
rm -rf /etc/bench ${sysctlFile} ${Object.keys(declared.units)
  .map((name) => `/etc/systemd/system/${name}`)
  .join(" ")}
systemctl daemon-reload
sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \\
  net.ipv4.conf.all.send_redirects=1 net.ipv4.ip_local_port_range="32768 60999"
`;

/** Shell text: prints what a host has of all this, the same for the same. */
export const inventory = `
find /etc/bench -type f -exec sha256sum {} + | sort
find /etc/bench -printf '%p %m %u:%g\\n' | sort
sysctl ${Object.keys(declared.sysctls).join(" ")}
cat ${Object.keys(declared.units)
  .map((name) => `/etc/systemd/system/${name}`)
  .join(" ")}
systemctl is-enabled ${Object.keys(declared.units).join(" ")}
systemctl is-active ${Object.keys(declared.units).join(" ")}
dpkg-query -W -f '\${Package} \${db:Status-Status}\\n' ${declared.packages.join(" ")}
`;
