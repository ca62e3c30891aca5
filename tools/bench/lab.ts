import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as control from "../../components/lab/control.ts";
import { host } from "../../components/lab/host.provider.ts";
import { image, labPackages } from "../../components/lab/image.provider.ts";
import { network } from "../../components/lab/network.provider.ts";
import { rangeClash } from "../../components/lab/wiring.ts";
import type { Connection } from "../../components/model/connection.ts";
import { context } from "./context.ts";
import { eachOf } from "./parallel.ts";
import { later } from "./tidy.ts";

/** Hosts of the bench's own. */
export interface Lab {
  name: string;
  /** For keys and settings; nobody else may read it. */
  folder: string;
  connections: Connection[];
  /** Settings of the OpenSSH client for all hosts, called by their names. */
  sshConfig: string;
  /** Runs shell text on a host, not by SSH. */
  inside(host: string, text: string): Promise<string>;
}

/** Boots hosts and notes their end. */
export async function makeLab(name: string, hosts: number, more: readonly string[] = []): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  later(() => rmSync(folder, { recursive: true, force: true }));
  later(() => control.purge(name));
  await control.purge(name);
  allowMoreWatchers(hosts);
  const key = join(folder, "id");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const { outputs: made } = await image.create(context(), {
    suite: "bookworm",
    packages: [...labPackages, ...more],
  });
  const range = await freeRange(name);
  const { outputs: net } = await network.create(context(), { lab: name, range, nat: false });
  const privateKey = readFileSync(key, "utf8");
  const authorizedKey = readFileSync(`${key}.pub`, "utf8").trim();
  const names = Array.from({ length: hosts }, (_, i) => `h${i + 1}`);
  const connections = await eachOf(names, 6, async (hostName, i): Promise<Connection> => {
    const address = range.replace("0/24", String(11 + i));
    const lab = { lab: name, prefixLength: 24, gateway: net.gateway, image: made.path, authorizedKey };
    const { outputs } = await host.create(
      { ...context(), timeoutSeconds: 120 },
      { ...lab, name: hostName, address },
    );
    return { host: hostName, address, port: outputs.port, hostKey: outputs.hostKey, privateKey };
  });
  const inside = async (hostName: string, text: string) => {
    const { stdout, stderr, code } = await control.exec(name, hostName, ["/bin/sh", "-eu"], text);
    if (code !== 0) throw new Error(`in ${hostName}: ${stderr}`);
    return stdout;
  };
  return { name, folder, connections, sshConfig: writeSshConfig(folder, connections), inside };
}

/** Each host's systemd and its services watch files; the kernel's usual 128 watchers end at some 20 hosts. */
function allowMoreWatchers(hosts: number): void {
  const file = "/proc/sys/fs/inotify/max_user_instances";
  const before = Number(readFileSync(file, "utf8"));
  const wanted = 128 + hosts * 10;
  if (before >= wanted) return;
  writeFileSync(file, String(wanted));
  later(() => writeFileSync(file, String(before)));
}

/** Writes keys, known hosts and settings for the OpenSSH client; gives the path of the settings. */
export function writeSshConfig(folder: string, connections: readonly Connection[]): string {
  const known = join(folder, "known_hosts");
  const blocks = connections.map(({ host: name, address, port = 22, user = "root", privateKey }) => {
    const key = join(folder, `key-${name}`);
    writeFileSync(key, privateKey, { mode: 0o600 });
    return `Host ${name}
  HostName ${address}
  Port ${port}
  User ${user}
  IdentityFile ${key}
`;
  });
  writeFileSync(known, connections.map(({ address, hostKey }) => `${address} ${hostKey}\n`).join(""));
  const all = `Host *
  IdentitiesOnly yes
  UserKnownHostsFile ${known}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  LogLevel ERROR
`;
  const path = join(folder, "ssh_config");
  writeFileSync(path, [...blocks, all].join(""));
  return path;
}

/** A range for a lab's network that nothing on this computer uses. */
export async function freeRange(lab: string): Promise<string> {
  for (let third = 0; third < 256; third++) {
    const range = `10.253.${third}.0/24`;
    if ((await rangeClash(lab, range)) === undefined) return range;
  }
  throw new Error("no range below 10.253.0.0/16 is free for the bench's hosts; end the labs that use them");
}
