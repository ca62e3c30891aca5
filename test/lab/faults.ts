import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as control from "../../components/lab/control.ts";
import { hostDirectory } from "../../components/lab/names.ts";
import type { Connection } from "../../components/model/connection.ts";
import { stepsDirectory } from "../../components/ssh/step.ts";
import { folder, gate, install } from "./faults.gate.ts";
import { type Ended, type Running, Stack } from "./stack.ts";
import { storePackages } from "./store-packages.ts";

/** What of the platform is there: bare hosts, a registry, a cluster with its registry; or a store with a mounted volume. */
export type Extent = "hosts" | "registry" | "cluster" | "store";

/** How a command on a host goes wrong. */
export type Mode =
  /** The connection ends before it runs. */
  | "before"
  /** The connection ends after it ran, without its exit code. */
  | "after"
  /** The host's power is cut while it runs. */
  | "power";

export interface Cut {
  host: string;
  /**
   * Which of the commands that the host is given by SSH: its number, from 1; with `after`, the first at
   * whose end this file is on the host, so that one command more or less does not move the cut; or the
   * `next` that is planned and was not cut yet.
   */
  at: number | string;
  mode: Mode;
}

/** A command that waits at its beginning until it is let go: what is done to its run meanwhile hits it there. */
export interface Hold {
  host: string;
  at: number;
  mode: "hold";
}

/** What a step on a host leaves until its answer was taken. */
export const resultOf = (step: string): string => `${stepsDirectory}/${step}/code`;

/* One fact a line; names only where numbers count packets or time. */
const inventory = `
systemctl is-system-running --wait >/dev/null 2>&1 || :
set -f
places='/etc /usr/local /opt /var/lib/spillway /var/lib/ceph /var/lib/kubelet /var/lib/etcd /var/lib/cni /var/lib/cilium /run/cilium /run/spillway /var/log/pods'
find $places -xdev ! -type f -printf '%y %p %m %u:%g %l\\n' 2>/dev/null
find $places -xdev -type f -printf 'f %p %m %u:%g\\n' 2>/dev/null
find $places -xdev -type f -exec sha256sum {} + 2>/dev/null
dpkg-query -W -f 'package \${Package} \${db:Status-Status}\\n'
ip -o link | sed 's/^[0-9]*: \\([^:@]*\\).*/link \\1/'
ip -4 route | sed 's/^/route /'
ip rule | sed 's/^/rule /'
tc filter show dev host0 ingress | sed -n 's/.* \\(cil_[a-z_]*\\).*/filter \\1/p'
awk '$2 !~ "^/run/(user|credentials)/" { print "mount", $2 }' /proc/mounts
iptables-save 2>/dev/null | sed -n 's/^-A/rule -A/p; s/^:\\([^ ]*\\) - .*/chain \\1/p'
systemctl list-unit-files --state=enabled --no-legend --plain | sed 's/^\\([^ ]*\\).*/enabled \\1/'
systemctl list-units --state=active,failed --no-legend --plain |
  sed -n 's/^\\([^ ]*\\.\\(service\\|timer\\|mount\\)\\) *[^ ]* *\\([^ ]*\\).*/unit \\1 \\3/p' | grep -Ev '(session|user|fstrim|apt|dpkg|credentials|proc-sys)'
ps -eo comm= | grep -E '^(kube|etcd|coredns|cilium|pause|containerd-shim|hello|docker-reg|ceph)' | sed 's/^/process /'
for key in net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables; do sysctl "$key" 2>/dev/null; done
if systemctl -q is-active containerd; then
  ctr -n k8s.io images ls -q | sed 's/^/image /'
  ctr -n k8s.io containers ls -q | sed 's/^/container /'
fi
`;

/* Hosts for a store have its packages and a disk each. */
const machines = (lab: string, forStore: boolean) => `
import * as pulumi from "@pulumi/pulumi";
import { Site } from "spillway/lab";

const store = { disks: { cp1: { sdb: 5 }, w1: { sdb: 5 } }, packages: ${JSON.stringify(storePackages)} };
const site = new Site("${lab}", { hosts: ["cp1", "w1"]${forStore ? ", ...store" : ""} });
export const range = site.range;
export const connections = pulumi.secret(pulumi.all({ cp1: site.connection("cp1"), w1: site.connection("w1") }));
`;

const platform = `
import * as pulumi from "@pulumi/pulumi";
import { CephStore, KubernetesCluster, Registry, Site, VolumeMount } from "spillway/onprem";

const { range, connections } = JSON.parse(process.env.MACHINES!);
const host = ({ address, hostKey }: { address: string; hostKey: string }) => ({ address, hostKey, container: true });
const site = new Site("site", {
  range,
  ssh: { privateKey: pulumi.secret(connections.cp1.privateKey) },
  hosts: { cp1: host(connections.cp1), w1: host(connections.w1) },
});
const store = () => {
  const osds = { cp1: ["/dev/sdb"], w1: ["/dev/sdb"] };
  const sizes = { replicas: 2, osdMemoryMiB: 896 };
  const ceph = new CephStore("shared", { site, monitors: ["cp1"], osds, ...sizes, allowDataLoss: true });
  new VolumeMount("data", { volume: ceph.volume("data", { capacityGiB: 1 }), host: "w1", path: "/srv/data" });
};
const registry = process.env.EXTENT === "store" ? undefined : new Registry("registry", { site, host: "cp1" });
if (registry === undefined) store();
if (registry && process.env.EXTENT === "cluster") {
  const pools = { general: { hosts: ["w1"] } };
  const network = { mode: "bridge", policies: "enforced" } as const;
  new KubernetesCluster("c", { site, version: "1.36", controlPlane: ["cp1"], pools, network, registry });
}
`;

interface Machines {
  range: string;
  connections: Record<string, Connection>;
}

/** Waits until something of a run is to be seen. */
export async function comes(run: Running, seen: () => boolean): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  run.end.then(end, end);
  while (!seen()) {
    if (over) throw new Error(`the run ended too early:\n${run.text()}`);
    await sleep(50);
  }
}

/** A lab of one control plane and one worker whose SSH commands fail where a test says. */
export class FaultLab {
  static readonly hosts = ["cp1", "w1"];
  readonly lab: string;
  /** The platform's; the machines have one of their own, as if they had always been there. */
  readonly stack: Stack;
  readonly #machines: Stack;
  #environment: NodeJS.ProcessEnv = {};

  private constructor(lab: string, forStore: boolean) {
    this.lab = lab;
    this.stack = new Stack({ name: `faults-${lab}`, program: platform });
    this.#machines = new Stack({ name: `machines-${lab}`, program: machines(lab, forStore), labs: [lab] });
  }

  /**
   * Brings up the bare hosts.
   *
   * @param forStore with a disk each
   */
  static async make(lab: string, { forStore = false } = {}): Promise<FaultLab> {
    const made = new FaultLab(lab, forStore);
    try {
      const { code, text } = await made.#machines.up();
      if (code !== 0) throw new Error(text);
      const init = await made.stack.run(["stack", "init"]);
      if (init.code !== 0) throw new Error(init.text);
      made.#environment = { MACHINES: JSON.stringify(await made.machines()) };
      await Promise.all(FaultLab.hosts.map((host) => made.inside(host, install, gate)));
      return made;
    } catch (error) {
      await made.remove();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.stack.remove();
    await this.#machines.remove();
  }

  /** How the hosts are reached. */
  machines(): Promise<Machines> {
    return this.#machines.outputs<Machines>();
  }

  environment(extent: Extent): NodeJS.ProcessEnv {
    return { ...this.#environment, EXTENT: extent };
  }

  /** `pulumi up` to what an extent has; with bare hosts as the aim, `pulumi destroy`. */
  up(extent: Extent): Promise<Ended> {
    return this.launch(extent).end;
  }

  launch(extent: Extent): Running {
    const command = extent === "hosts" ? "destroy" : "up";
    return this.stack.launch([command, "--yes", "--skip-preview"], this.environment(extent));
  }

  /** A run that must come to its end. */
  async succeed(extent: Extent): Promise<Ended> {
    const ended = await this.up(extent);
    if (ended.code !== 0) throw new Error(`the run to ${extent} failed:\n${ended.text}`);
    return ended;
  }

  /** Throws when anything is left to do. */
  async mustBeSettled(extent: Extent): Promise<void> {
    if (extent === "hosts") {
      const { stdout } = await this.stack.run(["stack", "export"]);
      const { resources = [] } = JSON.parse(stdout).deployment as { resources?: { urn: string }[] };
      if (resources.length === 0) return;
      throw new Error(`destroy left in the state: ${resources.map(({ urn }) => urn).join(", ")}`);
    }
    const { code, text } = await this.stack.previewNothing(this.environment(extent));
    if (code !== 0) throw new Error(`the preview after a finished up is not empty:\n${text}`);
  }

  /** Throws unless both nodes are Ready as the API sees them. */
  async mustBeReady(): Promise<void> {
    const ask = `KUBECONFIG=/etc/kubernetes/admin.conf kubectl get nodes --no-headers`;
    const nodes = (await this.inside("cp1", ask)).trim().split("\n");
    const ready = nodes.filter((node) => / Ready /.test(node));
    if (ready.length !== FaultLab.hosts.length || nodes.length !== ready.length)
      throw new Error(`not all nodes are ready:\n${nodes.join("\n")}`);
  }

  /** Throws unless the store's volume is mounted and takes what is written. */
  async mustBeMounted(): Promise<void> {
    await this.inside(
      "w1",
      `mountpoint -q /srv/data && echo x >/srv/data/x && sync /srv/data/x || {
  echo "the volume is not mounted, or takes nothing" >&2; exit 1
}`,
    );
  }

  /** Sets the counters to 0 and what happens when one of them gets there. */
  async arm(cut?: Cut | Hold): Promise<void> {
    await Promise.all(
      FaultLab.hosts.map((host) => {
        const armed = cut?.host === host ? `${cut.at} ${cut.mode}` : "0 none";
        const script = `cd ${folder}; exec 9>>lock; flock 9; rm -f cut chosen again power held; : >given; echo 0 >count; echo ${armed} ${randomUUID()} >armed`;
        return this.inside(host, script);
      }),
    );
  }

  async isCut({ host }: Cut): Promise<boolean> {
    return (await this.inside(host, `[ ! -e ${folder}/cut ] || echo cut`)) !== "";
  }

  /** From now on notes what each host is given, for `given`. */
  async note(): Promise<void> {
    await this.arm();
    for (const host of FaultLab.hosts)
      await this.inside(host, `cd ${folder}; : >plan; : >cuts; echo next none ${randomUUID()} >armed`);
  }

  /** The commands that a host was given in this run, a line each. */
  given(host: string): Promise<string[]> {
    return this.#lines(host, "given");
  }

  /** The commands that a cut at `next` is for. */
  async plan(host: string, commands: readonly string[]): Promise<void> {
    const text = commands.map((command) => `${command}\n`).join("");
    await this.inside(host, `cd ${folder}; cat >plan; : >cuts`, text);
  }

  /** The planned commands at which this run was to be cut: more than one only when it outlives its cuts. */
  chosen(host: string): Promise<string[]> {
    return this.#lines(host, "chosen");
  }

  /** Takes note of what this run was to be cut at, so that the next passes it. */
  async passChosen(host: string): Promise<void> {
    await this.inside(host, `cd ${folder}; [ ! -e chosen ] || cat chosen >>cuts`);
  }

  async #lines(host: string, file: string): Promise<string[]> {
    const text = await this.inside(host, `cd ${folder}; [ ! -e ${file} ] || cat ${file}`);
    return text.split("\n").filter((line) => line !== "");
  }

  /** Commands that a host was given since it was armed. */
  async count(host: string): Promise<number> {
    return Number(await this.inside(host, `cat ${folder}/count`));
  }

  /**
   * Cuts a host's power each time that it asks for it, and boots it again: a run outlives most of that.
   * Gives how often.
   */
  async powerCutsDuring(run: Running, host: string): Promise<number> {
    let over = false;
    const end = () => {
      over = true;
    };
    run.end.then(end, end);
    for (let cuts = 0; ; ) {
      if (this.has(host, `${folder}/power`)) {
        await control.powerCut(this.lab, host);
        await control.boot(this.lab, host);
        await this.inside(host, `cd ${folder}; exec 9>>lock; flock 9; rm power; : >again`);
        cuts++;
      } else if (over) return cuts;
      else await sleep(20);
    }
  }

  /** Starts a run, and waits until one of its commands is held. */
  async launchHeld(extent: Extent, host: string, at: number): Promise<Running> {
    await this.arm({ host, at, mode: "hold" });
    const run = this.launch(extent);
    await comes(run, () => this.has(host, `${folder}/held`));
    return run;
  }

  /** Lets go what is held. */
  async release(host: string): Promise<void> {
    await this.inside(host, `rm ${folder}/held`);
  }

  /** Whether a file was made on a host since its installation; asked often, it costs the host nothing. */
  has(host: string, path: string): boolean {
    return existsSync(join(hostDirectory(this.lab, host), "upper", path));
  }

  /** All that a host shows of us, sorted. */
  async inventory(host: string): Promise<string[]> {
    const text = await this.inside(host, inventory);
    return text.trim().split("\n").sort();
  }

  /** What differs between an inventory and the host as it is now. */
  async changesSince(host: string, before: readonly string[]): Promise<string[]> {
    const now = await this.inventory(host);
    const [old, fresh] = [new Set(before), new Set(now)];
    const changes = [
      ...now.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
      ...before.filter((line) => !fresh.has(line)).map((line) => `- ${line}`),
    ];
    // A lock's file stays as long as anything of ours is on the host.
    return old.has("d /run/spillway 700 root:root ")
      ? changes.filter((line) => !/ \/run\/spillway\//.test(line))
      : changes;
  }

  /** Runs shell text on a host, not by SSH. */
  async inside(host: string, text: string, input?: string): Promise<string> {
    const { code, stdout, stderr } = await control.exec(this.lab, host, ["/bin/sh", "-c", text], input);
    if (code !== 0 && stderr !== "") throw new Error(`in ${host}: ${stderr}`);
    return stdout;
  }
}
