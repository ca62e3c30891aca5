import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as control from "../../components/lab/control.ts";
import { type HostInputs, type HostOutputs, host } from "../../components/lab/host.provider.ts";
import { image, labPackages } from "../../components/lab/image.provider.ts";
import { kubeletSettings } from "../../components/lab/kernel-settings.ts";
import { awaitSsh } from "../../components/lab/machine.ts";
import { hostDirectory, interfaceName, namespaceName } from "../../components/lab/names.ts";
import { type NetworkInputs, type NetworkOutputs, network } from "../../components/lab/network.provider.ts";
import { labProblems } from "../../components/lab/requirements.ts";
import { rangeClash } from "../../components/lab/wiring.ts";
import type { Context, Existing } from "../../components/provider/resource.ts";
import { kernelSettings, sharedSettings, traces } from "./traces.ts";

const execute = promisify(execFile);
const minutes = 60_000;
const run = randomBytes(2).toString("hex");
const labs = { a: `test-a-${run}`, b: `test-b-${run}`, many: `test-m-${run}` };
const files = mkdtempSync(join(tmpdir(), "spillway-lab-test-"));

const shown = async () => ({ ...(await traces(Object.values(labs))), ...sharedSettings() });

const context = (urn = "urn:test"): Context => ({
  urn,
  preview: false,
  progress: () => {},
  info: () => {},
  warn: () => {},
  signal: new AbortController().signal,
  timeoutSeconds: 0,
});

type Net = Existing<NetworkInputs, NetworkOutputs>;
type Machine = Existing<HostInputs, HostOutputs>;

let rootfs: string;
let authorizedKey: string;
let before: Record<string, string[]>;
const nets = {} as Record<"a" | "b", Net>;
const hosts: Record<string, Machine> = {};

beforeAll(async () => {
  expect(labProblems()).toEqual([]);
  before = await shown();
  const made = await image.create(context(), { suite: "bookworm", packages: [...labPackages] });
  rootfs = made.outputs.path;
  await execute("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(files, "id")]);
  authorizedKey = readFileSync(join(files, "id.pub"), "utf8");
  nets.a = await makeNetwork({ lab: labs.a, range: await freeRange(labs.a) });
  // With NAT the computer forwards for this lab: only the fence keeps it from the other.
  nets.b = await makeNetwork({ lab: labs.b, range: await freeRange(labs.b), nat: true });
  const names = ["a1", "a2", "b1", "b2"];
  const machines = await Promise.all(
    names.map((name, index) => makeHost(hostInputs(nets[name[0] as "a" | "b"], name, 11 + index))),
  );
  for (const machine of machines) hosts[machine.inputs.name] = machine;
}, 15 * minutes);

afterAll(async () => {
  await Promise.all(Object.values(labs).map((lab) => control.purge(lab)));
  rmSync(files, { recursive: true, force: true });
}, 5 * minutes);

describe("an image", () => {
  test("holds nothing that must differ between hosts, and starts no service but sshd", () => {
    const entries = (path: string) => readdirSync(join(rootfs, path));
    expect(entries("etc/ssh").filter((name) => name.startsWith("ssh_host"))).toEqual([]);
    expect(readFileSync(join(rootfs, "etc/machine-id"), "utf8")).toBe("");
    expect(entries("var/lib/apt/lists")).toEqual([]);
    expect(entries("var/cache/apt")).toEqual([]);
    expect(existsSync(join(rootfs, "usr/bin/containerd"))).toBe(true);
    expect(entries("etc/systemd/system/multi-user.target.wants")).toEqual(["ssh.service"]);
  });

  test("is read as there, and as gone when it is not whole", async () => {
    const inputs = { suite: "bookworm" as const, packages: [...labPackages] };
    const { id, outputs } = await image.create(context(), inputs);
    expect(await image.read!(context(), { id, inputs, outputs })).toEqual({ inputs, outputs });
    expect(await image.read!(context(), { id: join(files, "none"), inputs, outputs })).toBeUndefined();
  });

  test(
    "is built once by two processes at a time, over a half one and after a cancelled build",
    async () => {
      const cache = join(files, "cache");
      const script = join(files, "build.ts");
      const provider = join(import.meta.dirname, "../../components/lab/image.provider.ts");
      writeFileSync(script, buildScript(provider));
      const build = (...args: string[]) =>
        execute(process.execPath, [script, ...args], { env: { ...process.env, SPILLWAY_CACHE: cache } });

      expect((await build("cancel")).stdout).toContain("cancelled");
      const [lock, ...drafts] = readdirSync(join(cache, "lab/images"));
      expect(drafts).toEqual([]);
      const whole = join(cache, "lab/images", lock!.replace(".lock", ""));
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(cache);
      for (const half of [whole, `${whole}.draft-killed`])
        mkdirSync(join(half, "rootfs/usr"), { recursive: true });

      const said = (await Promise.all([build(), build()])).map(({ stdout }) => stdout.trim().split("\n"));
      expect(said.map((lines) => lines.at(-1))).toEqual([join(whole, "rootfs"), join(whole, "rootfs")]);
      expect(
        said.filter((lines) => lines.some((line) => line.startsWith("downloading packages"))),
      ).toHaveLength(1);
      expect(existsSync(join(whole, "rootfs/usr/sbin/sshd"))).toBe(true);
      expect(readdirSync(join(cache, "lab/images"))).toHaveLength(2);
    },
    10 * minutes,
  );
});

describe("a host", () => {
  test("answers by SSH with the host key it told, and to that key only", async () => {
    expect(await ssh("a1", "hostname; systemctl is-system-running --wait")).toBe("a1\nrunning");
    await expect(ssh("a1", "true", hosts.a2!.outputs.hostKey)).rejects.toThrow(/[Hh]ost key/);
  });

  test("refuses a password, and every key but its own", async () => {
    const { stderr } = await execute("ssh", [
      ...sshOptions("a1"),
      "-i",
      "/dev/null",
      "-oPreferredAuthentications=password,keyboard-interactive",
      "true",
    ]).catch((error: { stderr: string }) => error);
    expect(stderr).toContain("Permission denied (publickey)");
  });

  test("has control groups of its own that it may write, and shared mounts", async () => {
    const words =
      "for at in /sys/fs/cgroup/*; do mkdir $at/probe && rmdir $at/probe || exit 1; done; findmnt -no PROPAGATION / && cut -d: -f3 /proc/1/cgroup | sort -u && stat -fc %T /sys/fs/bpf && test -c /dev/kmsg";
    const lines = (await ssh("a1", words)).split("\n");
    expect(lines).toEqual(["shared", "/", "/init.scope", "bpf_fs"]);
  });

  test("runs containerd with its overlay snapshotter", async () => {
    const words = "systemctl start containerd && ctr plugins ls | grep -w overlayfs";
    expect(await ssh("a1", words)).toMatch(/io\.containerd\.snapshotter\.v1\s+overlayfs\s+\S+\s+ok/);
  });

  test("sets its network as it likes and nothing of the computer, and reads what kubelet would set", async () => {
    const settings = kernelSettings();
    const words = `sysctl -qw net.ipv4.conf.all.log_martians=1 kernel.shmmax=65536 && sysctl -n kernel.shmmax
${Object.keys(kubeletSettings)
  .map((path) => `cat /proc/sys/${path}`)
  .join("; ")}
for path in ${[...Object.keys(kubeletSettings), "vm/swappiness", "fs/aio-max-nr"].join(" ")}; do
  if echo 77 >/proc/sys/$path; then echo $path was set; fi
done`;
    expect((await ssh("a1", words)).split("\n")).toEqual(["65536", ...Object.values(kubeletSettings)]);
    expect(kernelSettings()).toEqual(settings);
    expect(readFileSync("/proc/sys/kernel/shmmax", "utf8")).not.toBe("65536\n");
  });

  test("reaches the hosts of its lab by name, and this computer", async () => {
    await expect(tcp("a1", "a2")).resolves.toBe(true);
    await expect(tcp("b1", hosts.b2!.inputs.address)).resolves.toBe(true);
    const answer = await ssh("a1", "echo $SSH_CLIENT");
    expect(answer.split(" ")[0]).toBe(nets.a.outputs.computer);
  });

  test("does not reach another lab, and would without the fence", async () => {
    const other = hosts.a1!.inputs.address;
    // As on a computer that forwards everywhere.
    writeFileSync(`/proc/sys/net/ipv4/conf/${interfaceName(labs.a)}/forwarding`, "1");
    expect(await tcp("b1", other)).toBe(false);
    expect(await tcp("a1", hosts.b1!.inputs.address)).toBe(false);
    for (const lab of [labs.a, labs.b]) {
      await execute("nft", ["flush", "chain", "inet", namespaceName(lab), "forward"]);
    }
    expect(await tcp("b1", other)).toBe(true);
    for (const net of Object.values(nets)) await network.update!(context(), net, net.inputs);
    expect(await tcp("b1", other)).toBe(false);
  });

  test(
    "is cut off from SSH, open connections as well, and comes back",
    async () => {
      const session = spawn("ssh", [...sshOptions("a2"), "cat"], { stdio: ["pipe", "pipe", "ignore"] });
      try {
        let echoed = "";
        session.stdout.on("data", (data) => {
          echoed += String(data);
        });
        session.stdin.write("one\n");
        await expect.poll(() => echoed, { timeout: 60_000 }).toBe("one\n");
        await control.cutSsh(labs.a, "a2");
        await control.cutSsh(labs.a, "a2");
        session.stdin.write("two\n");
        expect(await awaitSsh(hosts.a2!.inputs.address, 22, 2)).toBe(false);
        expect(echoed).toBe("one\n");
        await control.restoreSsh(labs.a, "a2");
        await expect.poll(() => echoed, { timeout: 60_000 }).toBe("one\ntwo\n");
        await control.restoreSsh(labs.a, "a2");
      } finally {
        session.kill();
      }
    },
    minutes,
  );

  test(
    "loses its power: it reads as off, boots again, keeps its files and its key",
    async () => {
      const machine = hosts.a2!;
      await ssh("a2", "echo kept > /root/file; echo kept > /var/lib/etcd/file");
      await control.powerCut(labs.a, "a2");
      expect(existsSync(`/proc/${machine.outputs.pid}`)).toBe(false);
      const seen = await host.read!(context(), machine);
      expect(seen).toEqual({
        inputs: { ...machine.inputs, running: false },
        outputs: { ...machine.outputs, pid: 0 },
      });
      const outputs = await host.update!(context(), machine, machine.inputs);
      hosts.a2 = { ...machine, outputs };
      expect(outputs.hostKey).toBe(machine.outputs.hostKey);
      expect(await ssh("a2", "cat /root/file /var/lib/etcd/file")).toBe("kept\nkept");
    },
    minutes,
  );

  test(
    "is found off when its process 1 was killed behind our back",
    async () => {
      const machine = hosts.b2!;
      process.kill(machine.outputs.pid, "SIGKILL");
      const off = async () => (await host.read!(context(), machine))?.inputs.running;
      await expect.poll(off, { timeout: 60_000 }).toBe(false);
      await control.boot(labs.b, "b2");
      expect(await ssh("b2", "hostname")).toBe("b2");
    },
    minutes,
  );

  test(
    "stops cleanly, and comes back from a reboot of its own",
    async () => {
      await ssh(
        "a2",
        "systemd-run --quiet --unit=witness -p ExecStop='/bin/sh -c \"echo clean > /root/stopped\"' -r /bin/true",
      );
      await control.stop(labs.a, "a2");
      expect(control.list().find(({ name }) => name === labs.a)?.hosts).toMatchObject([
        { name: "a1", running: true },
        { name: "a2", running: false },
      ]);
      await control.boot(labs.a, "a2");
      expect(await ssh("a2", "cat /root/stopped")).toBe("clean");
      const bootId = () => ssh("a2", "stat -c %Y.%i /proc/1; systemctl show -p UserspaceTimestampMonotonic");
      const first = await bootId();
      await control.exec(labs.a, "a2", ["systemctl", "reboot"]);
      await expect.poll(() => bootId().catch(() => first), { timeout: 60_000 }).not.toBe(first);
    },
    2 * minutes,
  );

  test(
    "is adopted by a create whose answer was lost, and finished when it was half made",
    async () => {
      const machine = hosts.a1!;
      const again = await host.create(context(), machine.inputs);
      expect(again.outputs).toEqual(machine.outputs);
      const inputs = hostInputs(nets.a, "half", 30);
      mkdirSync(join(hostDirectory(labs.a, "half"), "upper/etc/ssh"), { recursive: true });
      writeFileSync(join(hostDirectory(labs.a, "half"), "upper/etc/ssh/ssh_host_ed25519_key"), "half a k");
      hosts.half = await makeHost(inputs);
      expect(await ssh("half", "hostname")).toBe("half");
      await host.delete(context(), hosts.half);
      await host.delete(context(), hosts.half);
      expect(await host.read!(context(), hosts.half)).toBeUndefined();
    },
    minutes,
  );

  test(
    "learns new neighbours and limits while it runs",
    async () => {
      const machine = hosts.b1!;
      await ssh("b1", "echo 192.0.2.99 foreign >> /etc/hosts");
      const inputs = {
        ...machine.inputs,
        hosts: { ...machine.inputs.hosts, late: "192.0.2.7" },
        memoryMiB: 256,
        cpus: 0.5,
      };
      const outputs = await host.update!(context(), machine, inputs);
      expect(outputs.pid).toBe(machine.outputs.pid);
      expect(await ssh("b1", "getent hosts late foreign")).toMatch(/^192\.0\.2\.7 .*\n192\.0\.2\.99 /);
      const hungry = "head -c 400M /dev/zero | tail -c 399M | wc -c";
      expect(await ssh("b1", hungry)).not.toBe(String(399 * 2 ** 20));
      await host.update!(context(), machine, machine.inputs);
      expect(await ssh("b1", hungry)).toBe(String(399 * 2 ** 20));
    },
    minutes,
  );
});

describe("a lab is refused", () => {
  test("when its range is another lab's, with the interface that has it", async () => {
    const create = network.create(context(), { lab: labs.many, range: nets.a.inputs.range });
    await expect(create).rejects.toThrow(`in use on this computer by interface ${interfaceName(labs.a)}`);
  });

  test("when its name belongs to another stack", async () => {
    await expect(network.create(context("urn:other"), nets.a.inputs)).rejects.toThrow("belongs to urn:test");
  });

  test("when its hosts are another state's of the same name", async () => {
    await expect(network.create(context(), nets.a.inputs)).rejects.toThrow(
      /\(a1.*\), and this state does not know it; .*lab purge/,
    );
  });

  test("when two hosts have one address", async () => {
    const inputs = { ...hostInputs(nets.a, "twin", 40), address: hosts.a1!.inputs.address };
    await expect(host.create(context(), inputs)).rejects.toThrow("is the address of host a1");
  });
});

test(
  "ten hosts boot at once",
  async () => {
    const net = await makeNetwork({ lab: labs.many, range: await freeRange(labs.many) });
    const started = Date.now();
    const machines = await Promise.all(
      Array.from({ length: 10 }, (_, index) => makeHost(hostInputs(net, `h${index}`, 11 + index))),
    );
    console.log(`ten hosts: ${((Date.now() - started) / 1000).toFixed(1)} s`);
    expect(new Set(machines.map(({ outputs }) => outputs.hostKey)).size).toBe(10);
  },
  2 * minutes,
);

test(
  "delete leaves mounts, interfaces, control groups, namespaces, processes and files as before",
  async () => {
    const during = await shown();
    // A lab beside this one may have the computer forward, and its limit raised, already.
    if (before.forwarding!.length > 0) delete during.forwarding;
    if (before.inotify![0] === "8192") delete during.inotify;
    expect(during.kernel).toEqual(before.kernel);
    delete during.kernel;
    for (const [kind, found] of Object.entries(during)) expect(found, kind).not.toEqual(before[kind]);
    for (const [name, machine] of Object.entries(hosts)) {
      await host.delete(context(), machine);
      expect(existsSync(hostDirectory(machine.inputs.lab, name))).toBe(false);
    }
    for (const net of Object.values(nets)) {
      expect(await network.read!(context(), net)).toBeDefined();
      await network.delete(context(), net);
      await network.delete(context(), net);
      expect(await network.read!(context(), net)).toBeUndefined();
    }
    // Ten hosts that no state knows go with their network.
    await control.purge(labs.many);
    expect(await shown()).toEqual(before);
  },
  3 * minutes,
);

async function freeRange(lab: string): Promise<string> {
  for (let third = 0; third < 256; third++) {
    const range = `10.77.${(third + process.pid) % 256}.0/24`;
    if (!(await rangeClash(lab, range))) return range;
  }
  throw new Error("no free range in 10.77.0.0/16");
}

async function makeNetwork(inputs: NetworkInputs): Promise<Net> {
  return { inputs, ...(await network.create(context(), inputs)) };
}

async function makeHost(inputs: HostInputs): Promise<Machine> {
  expect(host.check!(inputs, new Set())).toEqual([]);
  return { inputs, ...(await host.create(context(), inputs)) };
}

function hostInputs(net: Net, name: string, last: number): HostInputs {
  const address = (number: number) => net.inputs.range.replace("0/24", String(number));
  const prefix = name[0];
  return {
    lab: net.inputs.lab,
    name,
    address: address(last),
    prefixLength: 24,
    gateway: net.outputs.gateway,
    image: rootfs,
    authorizedKey,
    hosts: prefix === "a" ? { a1: address(11), a2: address(12) } : {},
    disks: name === "a1" ? { sdb: 1 } : {},
  };
}

function sshOptions(name: string, hostKey = hosts[name]!.outputs.hostKey): string[] {
  const { address } = hosts[name]!.inputs;
  const known = join(files, `known-${name}-${randomBytes(4).toString("hex")}`);
  writeFileSync(known, `${address} ${hostKey}\n`);
  const options = [
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${known}`,
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "ConnectTimeout=5",
  ];
  return [
    "-F",
    "none",
    "-i",
    join(files, "id"),
    ...options.map((option) => `-o${option}`),
    `root@${address}`,
  ];
}

async function ssh(name: string, words: string, hostKey?: string): Promise<string> {
  return (await execute("ssh", [...sshOptions(name, hostKey), words], { timeout: 30_000 })).stdout.trim();
}

/** Whether a host opens a connection to sshd somewhere. */
async function tcp(from: string, to: string): Promise<boolean> {
  const { lab } = hosts[from]!.inputs;
  const words = ["timeout", "3", "bash", "-c", 'exec 3<>"/dev/tcp/$0/22" && head -c 4 <&3', to];
  return (await control.exec(lab, from, words)).stdout === "SSH-";
}

function buildScript(provider: string): string {
  return `import { image } from ${JSON.stringify(provider)};
const controller = new AbortController();
const cancel = process.argv[2] === "cancel";
const progress = (line) => {
  console.log(line);
  if (cancel && line.startsWith("Unpacking")) controller.abort();
};
const context = { urn: "urn:test", preview: false, progress, info: () => {}, warn: () => {}, signal: controller.signal, timeoutSeconds: 0 };
try {
  const { outputs } = await image.create(context, { suite: "bookworm", packages: [] });
  console.log(outputs.path);
} catch (error) {
  console.log(cancel ? "cancelled" : error);
}
`;
}
