import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mirrorOf, parseDeb822, parseSourcesList } from "../../components/lab/apt-sources.ts";
import { hierarchies } from "../../components/lab/cgroups.ts";
import { host } from "../../components/lab/host.provider.ts";
import { hostFiles, hostsFile, resolvConf } from "../../components/lab/host-files.ts";
import { image } from "../../components/lab/image.provider.ts";
import { inotifyShortage } from "../../components/lab/inotify.ts";
import { kernelSettingsScript, kubeletSettings } from "../../components/lab/kernel-settings.ts";
import { hostDirectory, interfaceName, machineName, nameProblems } from "../../components/lab/names.ts";
import { network } from "../../components/lab/network.provider.ts";
import { labRangeProblems, rangeOf } from "../../components/lab/range.ts";
import { type Computer, labChanges, labProblems } from "../../components/lab/requirements.ts";
import { imageDirectory } from "../../components/lab/rootfs.ts";
import { fence } from "../../components/lab/wiring.ts";
import type { Problem } from "../../components/model/problem.ts";
import { formatRange, overlap, parseRange } from "../../components/model/range.ts";

const none: ReadonlySet<string> = new Set();
/** Paths of what is wrong with the inputs, whatever this computer lacks. */
const paths = (problems: Problem[]) => problems.map(({ path }) => path).filter((path) => path !== "lab");
const hostile = [
  "$(touch /tmp/x)",
  "-oProxyCommand=x",
  "../up",
  "a b",
  'a"b',
  "a\nb",
  "",
  "UP",
  "a".repeat(21),
  "-a",
  "a-",
];

describe("names", () => {
  test.each(hostile)("of labs and hosts are never %j", (name) => {
    expect(nameProblems("name", name)).toHaveLength(1);
    expect(() => hostDirectory("lab", name)).toThrow("is no name");
    expect(() => interfaceName(name)).toThrow("is no name");
  });

  test("make interface names that the kernel takes, one for each lab", () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/);
    fc.assert(
      fc.property(label, label, (one, other) => {
        expect(interfaceName(one)).toMatch(/^spw[0-9a-f]{1,12}$/);
        expect(interfaceName(one) === interfaceName(other)).toBe(one === other);
      }),
    );
    expect(machineName("a-b", "c")).not.toBe(machineName("b", "c-a"));
  });
});

describe("ranges of labs", () => {
  test.each(["10.0.0.1/24", "10.0.0.0/33", "10.0.0/24", "010.0.0.0/24", "10.0.0.0/24/1", "999.0.0.0/24", ""])(
    "are not %j",
    (text) => {
      expect(labRangeProblems("range", text)).toHaveLength(1);
    },
  );

  test("of a lab have 24 bits", () => {
    expect(labRangeProblems("range", "10.1.2.0/24")).toEqual([]);
    expect(labRangeProblems("range", "10.1.0.0/16")).toHaveLength(1);
  });

  test("that follow from a name never meet a cluster's pods and services", () => {
    const taken = ["10.244.0.0/16", "10.96.0.0/16"].map((range) => parseRange(range)!);
    const allowed = parseRange("10.64.0.0/10")!;
    const follows = (name: string) => {
      const range = parseRange(rangeOf(name))!;
      expect(labRangeProblems("range", formatRange(range))).toEqual([]);
      expect(overlap(range, allowed)).toBe(true);
      expect(taken.filter((other) => overlap(range, other))).toEqual([]);
    };
    // One of those that fell among the services.
    follows("lab39");
    fc.assert(fc.property(fc.stringMatching(/^[a-z0-9]{1,20}$/), follows), { numRuns: 1000 });
  });
});

describe("apt's sources", () => {
  test("give the archive of a release from the one-line form", () => {
    const text = `# deb http://old.example/debian bookworm main
deb [signed-by=/k.gpg arch=amd64] http://one.example/debian bookworm main contrib # near
deb-src http://src.example/debian bookworm main
deb https://vendor.example/apt stable main`;
    expect(mirrorOf(parseSourcesList(text), "bookworm")).toBe("http://one.example/debian");
    expect(mirrorOf(parseSourcesList(text), "trixie")).toBeUndefined();
  });

  test("give it from the deb822 form, without disabled and source stanzas", () => {
    const text = `Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
# a remark
URIs: http://two.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /k.gpg
`;
    expect(mirrorOf(parseDeb822(text), "bookworm")).toBe("http://two.example/debian");
    expect(mirrorOf(parseDeb822(text), "bookworm-updates")).toBe("http://two.example/debian");
  });
});

describe("the computer", () => {
  const able: Computer = {
    platform: "linux",
    uid: 0,
    hasProgram: () => true,
    filesystems: "nodev\tproc\nnodev\toverlay\n\text4\n",
    canMakeNamespace: () => true,
    freeGiB: () => 50,
    onOverlay: () => false,
  };

  test("carries a lab when nothing is missing", () => {
    expect(labProblems(able)).toEqual([]);
  });

  test.each<[string, Partial<Computer>, string]>([
    ["another system", { platform: "darwin" }, "run the lab on a Linux machine"],
    ["no root", { uid: 1000 }, "run as root"],
    ["no nspawn", { hasProgram: (name) => name !== "systemd-nspawn" }, "apt-get install systemd-container"],
    ["no overlay", { filesystems: "nodev\toverlayish\n" }, "modprobe overlay"],
    ["no namespaces", { canMakeNamespace: () => false }, "CAP_SYS_ADMIN"],
    ["an overlay root", { onOverlay: () => true }, "mount an ext4"],
  ])("with %s says what to do", (_name, lack, remedy) => {
    const problems = labProblems({ ...able, ...lack });
    expect(problems).toHaveLength(1);
    expect(problems[0]!.remedy).toContain(remedy);
  });

  test("that lacks several things says all at once", () => {
    expect(labProblems({ ...able, hasProgram: () => false, freeGiB: () => 1 }).length).toBeGreaterThan(10);
  });

  test("whose inotify instances are used up is told why hosts do not answer", () => {
    expect(inotifyShortage(100, 128)).toBeUndefined();
    expect(inotifyShortage(126, 128)).toContain("126 of the 128");
    expect(inotifyShortage()).toBeUndefined();
  });

  test("is told what a lab changes on it", () => {
    expect(labChanges().join("\n")).toMatch(/nftables[\s\S]*IPv4 forwarding[\s\S]*inotify/);
  });

  test("has its control group hierarchies read from its mounts, version 1 and 2", () => {
    const one =
      "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
    expect(hierarchies(one)).toEqual(["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"]);
    expect(hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")).toEqual(["/sys/fs/cgroup"]);
  });
});

describe("inputs", () => {
  const good = {
    lab: "paris",
    name: "cp1",
    address: "10.77.1.11",
    prefixLength: 24,
    gateway: "10.77.1.1",
    image: "/var/cache/image/rootfs",
    authorizedKey: "ssh-ed25519 AAAA me",
  };

  test("of a good host are taken", () => {
    expect(paths(host.check!(good, none))).toEqual([]);
  });

  test.each<[string, object]>([
    ["name", { name: "../up" }],
    ["address", { address: "10.77.1.300" }],
    ["address", { address: "10.77.2.11" }],
    ["address", { address: "10.77.1.254" }],
    ["address", { address: "10.77.1.1" }],
    ["gateway", { gateway: "x" }],
    ["prefixLength", { prefixLength: 99 }],
    ["image", { image: "/a,upperdir=/etc" }],
    ["authorizedKey", { authorizedKey: 'ssh-ed25519 AAAA x\ncommand="rm" ssh-rsa AAAA' }],
    ["authorizedKey", { authorizedKey: "-----BEGIN OPENSSH PRIVATE KEY-----" }],
    ['hosts["a b"]', { hosts: { "a b": "10.0.0.1" } }],
    ["diskBinds[0]", { diskBinds: ["/var/../etc"] }],
    ["diskBinds[0]", { diskBinds: ["/var/lib/x:/etc"] }],
    ['disks["null"]', { disks: { null: 1 } }],
    ['disks["../x"]', { disks: { "../x": 1 } }],
    ['disks["sdb"]', { disks: { sdb: 0.5 } }],
    ["memoryMiB", { memoryMiB: 1 }],
    ["cpus", { cpus: 0 }],
    ["user", { user: "ops" }],
  ])("of a host with a bad %s are refused", (path, change) => {
    expect(paths(host.check!({ ...good, ...change }, none))).toEqual([path]);
  });

  test("that a preview does not know are not called missing", () => {
    const unknown = new Set(["gateway", "image", "authorizedKey"]);
    const { gateway, image: rootfs, authorizedKey, ...known } = good;
    expect(paths(host.check!(known, unknown))).toEqual([]);
    expect(paths(host.check!(known, none))).toEqual(["gateway", "image", "authorizedKey"]);
    expect([gateway, rootfs, authorizedKey]).not.toContain(undefined);
  });

  test("of an image and of a network are checked as well", () => {
    const packages = ["containerd", "--include=x", "a,b"];
    const mirror = "http://user:secret@mirror.example/debian";
    const problems = image.check!({ suite: "bookworm", packages, mirror }, none);
    expect(paths(problems)).toEqual(["packages[1]", "packages[2]", "mirror"]);
    expect(JSON.stringify(problems)).not.toContain("secret");
    expect(paths(network.check!({ lab: "paris", range: "10.0.0.0/16" }, none))).toEqual(["range"]);
  });

  test("of an image name its directory, in any order of the packages", () => {
    const of = (...packages: string[]) => imageDirectory({ suite: "bookworm", packages });
    expect(of("a1", "b1")).toBe(of("b1", "a1"));
    expect(of("a1")).not.toBe(of("a1", "b1"));
  });
});

describe("files of a host", () => {
  const facts = {
    lab: "paris",
    name: "cp1",
    address: "10.77.1.11",
    prefixLength: 24,
    gateway: "10.77.1.1",
    authorizedKey: "ssh-ed25519 AAAA",
  };

  test("set its address before sshd and let nobody in by password", () => {
    const files = hostFiles(facts, "");
    const unit = files["etc/systemd/system/spillway-network.service"]!.content;
    expect(unit).toContain("ip address replace 10.77.1.11/24 dev host0\n");
    expect(unit).toMatch(/^Before=.*ssh\.service$/m);
    expect(files["etc/ssh/sshd_config.d/00-spillway.conf"]!.content).toContain(
      "PermitRootLogin prohibit-password\n",
    );
    expect(files["root/.ssh/authorized_keys"]).toEqual({ content: "ssh-ed25519 AAAA\n", mode: 0o600 });
  });

  test("keep foreign lines of /etc/hosts and are the same the second time", () => {
    const first = hostsFile("1.2.3.4 foreign", { ...facts, hosts: { w1: "10.77.1.21" } });
    const second = hostsFile(`${first}5.6.7.8 late\n`, { ...facts, hosts: { w2: "10.77.1.22" } });
    expect(second).toContain("1.2.3.4 foreign\n");
    expect(second).toContain("5.6.7.8 late\n");
    expect(second).toContain("10.77.1.22 w2\n");
    expect(second).not.toContain("w1");
    expect(hostsFile(second, { ...facts, hosts: { w2: "10.77.1.22" } })).toBe(second);
  });

  test("keep packages from settings that all hosts share, as files that dpkg leaves alone", () => {
    expect(hostFiles(facts, "")["etc/sysctl.d/30-ceph-osd.conf"]).toEqual({ content: "" });
  });

  // Namespaces need root, or a kernel that lets others make them.
  const apart = ["--user", "--map-root-user", "--mount", "--net", "--ipc", "--pid", "--fork", "--mount-proc"];
  const canBeApart = spawnSync("unshare", [...apart, "true"]).status === 0;

  test.skipIf(!canBeApart)("leave the computer's kernel settings alone, and let kubelet read its own", () => {
    const script = kernelSettingsScript.replaceAll("/run/", `${mkdtempSync(join(tmpdir(), "settings-"))}/`);
    const words = `mount --make-rshared /
${script}${script}
grep -c ' /proc/sys/net ' /proc/self/mountinfo
for path in ${Object.keys(kubeletSettings).join(" ")}; do cat /proc/sys/$path; done
echo 1 >/proc/sys/net/ipv4/ip_forward
cat /proc/sys/net/ipv4/ip_forward
for path in vm/swappiness kernel/panic fs/aio-max-nr; do
  if sh -c 'echo 77 >"$0"' /proc/sys/$path; then echo $path was set; fi
done`;
    const { stdout, stderr } = spawnSync("unshare", [...apart, "sh", "-euc", words], { encoding: "utf8" });
    expect(stdout.split("\n"), stderr).toEqual(["1", ...Object.values(kubeletSettings), "1", ""]);
    expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
    expect(hostFiles(facts, "")["usr/local/sbin/spillway-mounts"]!.content).toContain(kernelSettingsScript);
  });

  test("name no server that only the computer can reach", () => {
    expect(resolvConf("# x\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nsearch example\n")).toBe(
      "nameserver 10.0.0.2\nsearch example\n",
    );
  });
});

describe("the fence of a lab", () => {
  test("forwards nothing without NAT", () => {
    const rules = fence("paris", "10.77.1.0/24", false);
    expect(rules.match(/ drop$/gm)).toHaveLength(2);
    expect(rules).not.toContain("masquerade");
  });

  test("keeps labs apart with NAT as well, before anything is let through", () => {
    const rules = fence("paris", "10.77.1.0/24", true);
    const end = interfaceName("paris");
    expect(rules).toContain(`iifname "${end}" oifname "spw*" drop`);
    expect(rules).toContain(`ip saddr 10.77.1.0/24 oifname != "${end}" masquerade`);
  });
});
