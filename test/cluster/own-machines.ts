import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { exec } from "../../components/lab/control.ts";
import type { Connection } from "../../components/model/connection.ts";
import { checkout } from "../../tools/engine/paths.ts";
import { Stack } from "../lab/stack.ts";
import { storePackages } from "../lab/store-packages.ts";

/** Machines with sshd, systemd, a store's packages and an account with sudo, and the stack that users copy. */
export class OwnMachines {
  static readonly hosts = ["cp1", "w1", "w2"];
  readonly lab: string;
  readonly machines: Stack;
  readonly platform = newPlatform();
  /** How each is reached, by its name; known after `make`. */
  readonly known: Record<string, Connection> = {};
  readonly #settings = settingsOf(this.platform);
  #range = "";

  constructor(lab: string) {
    this.lab = lab;
    this.machines = new Stack({ name: `m-${lab}`, labs: [lab], program: machines(lab) });
  }

  async make(): Promise<void> {
    const up = await this.machines.up();
    expect(up.code, up.text).toBe(0);
    const { range, connections } = await this.machines.outputs<{
      range: string;
      connections: Connection[];
    }>();
    for (const host of OwnMachines.hosts) await this.onHost(host, account);
    for (const connection of connections) this.known[connection.host] = connection;
    this.#range = range;
    await this.#begin(this.platform);
  }

  /** The same program for the same machines, with the same names and a state of its own, as on another computer. */
  async elsewhere(): Promise<Stack> {
    const other = newPlatform();
    await this.#begin(other);
    return other;
  }

  async #begin(platform: Stack): Promise<void> {
    this.#fillIn(settingsOf(platform));
    const init = await platform.run(["stack", "init"]);
    expect(init.code, init.text).toBe(0);
    const key = ["config", "set", "--secret", "onprem:sshKey"];
    const set = await platform.run(key, {}, this.known.cp1!.privateKey);
    expect(set.code, set.text).toBe(0);
  }

  async remove(): Promise<void> {
    await this.platform.remove();
    await this.machines.remove();
  }

  async onHost(host: string, script: string): Promise<string> {
    const { code, stdout, stderr } = await exec(this.lab, host, ["sh", "-euc", script]);
    expect(code, `${host}: ${stderr}`).toBe(0);
    return stdout.trim();
  }

  kubectl(words: string): Promise<string> {
    return this.onHost("cp1", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl ${words}`);
  }

  nodes(): Promise<string> {
    return this.kubectl("get nodes -o 'jsonpath={.items[*].metadata.name}'");
  }

  /** Does something while the settings are others. */
  async withSettings<T>(change: (settings: string) => string, use: () => Promise<T>): Promise<T> {
    const settings = readFileSync(this.#settings, "utf8");
    const changed = change(settings);
    expect(changed).not.toBe(settings);
    writeFileSync(this.#settings, changed);
    try {
      return await use();
    } finally {
      writeFileSync(this.#settings, settings);
    }
  }

  /** The example's settings with these machines in the places of its addresses and host keys. */
  #fillIn(file: string): void {
    let settings = readFileSync(join(checkout, "Pulumi.onprem.yaml"), "utf8")
      .replace("192.0.2.0/24", this.#range)
      .replace("sshUser: root", "sshUser: ops")
      // Bare machines would each fetch and unpack a compiler; policies have tests of their own.
      .replace("network: overlay", "network: overlay\n  onprem:policies: unenforced");
    for (const { host, address, hostKey } of Object.values(this.known)) {
      const example = new RegExp(`(${host}: \\{) .* \\}`);
      expect(settings).toMatch(example);
      const said = `$1 address: ${address}, hostKey: "${hostKey.trim()}", container: true }`;
      settings = settings.replace(example, said);
    }
    writeFileSync(file, settings);
  }
}

/** What a user copies; its configuration belongs to the project `spillway`. */
/** What a user copies, into a project of a name of their own. */
const newPlatform = () =>
  new Stack({ name: "platform", program: readFileSync(join(checkout, "stacks", "onprem.ts"), "utf8") });

const settingsOf = ({ project }: Stack) => join(project, "Pulumi.t.yaml");

/** Says another name for the machine of w2; keys and ciphers may hold these letters too. */
export const rename = (settings: string) =>
  settings.replace(/\bw2(?=[:\]])|- w2$/gm, (found) => found.replace("w2", "node2"));

// What else the platform needs comes from Debian's archive.
const machines = (lab: string) => `
import * as pulumi from "@pulumi/pulumi";
import { Site } from "spillway/lab";

const hosts = ${JSON.stringify(OwnMachines.hosts)};
const disks = Object.fromEntries(hosts.map((host) => [host, { sdb: 5 }]));
const site = new Site("${lab}", { hosts, packages: ${JSON.stringify(storePackages)}, nat: true, disks });
export const range = site.range;
export const connections = pulumi.secret(pulumi.all(hosts.map((host) => site.connection(host))));
`;

const account = `
useradd --create-home ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
install -d -o ops -m 0700 /home/ops/.ssh
install -o ops -m 0600 /root/.ssh/authorized_keys /home/ops/.ssh/authorized_keys
`;
