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

/** Where the playbook keeps them for the next boot. */
export const sysctlFile = "/etc/sysctl.d/90-bench.conf";

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
