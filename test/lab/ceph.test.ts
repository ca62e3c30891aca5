import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as control from "../../components/lab/control.ts";
import { Stack } from "./stack.ts";

const minutes = 60_000;
const lab = "t-ceph";
const hosts = ["s1", "s2", "s3"];

const machines = `
import { CephStore, Site, VolumeMount } from "spillway/lab";

const site = new Site("${lab}", {
  hosts: ${JSON.stringify(hosts)},
  nat: true,
  disks: { s1: { sdb: 6, sdc: 5 }, s2: { sdb: 6, sdc: 5 }, s3: { sdb: 6, sdc: 1 } },
});
`;

const store = (osds: object, more = "") => `${machines}
const store = new CephStore("shared", {
  site,
  monitors: ${JSON.stringify(hosts)},
  osds: ${JSON.stringify(osds)},
  osdMemoryMiB: 896,
  ${more}
});
const volume = store.volume("data", { capacityGiB: 2 });
for (const host of ["s1", "s2"]) new VolumeMount(\`data-\${host}\`, { volume, host, path: "/srv/data" });
export const health = store.health;
export const capacity = store.capacity;
`;
const disks = { s1: ["/dev/sdb"], s2: ["/dev/sdb"], s3: ["/dev/sdb"] };

const stack = new Stack({ name: "t-ceph", labs: [lab], program: machines });

beforeAll(async () => {
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  await onHost("s1", "mkfs.ext4 -q /dev/sdc");
  await onHost("s2", "mkfs.ext4 -q /dev/sdc && mount /dev/sdc /mnt");
});

afterAll(() => stack.remove());

test("devices that hold data, are mounted, too small or not there are refused all at once, before anything is done", async () => {
  const bad = { s1: ["/dev/sdc"], s2: ["/dev/sdc"], s3: ["/dev/sdc", "/dev/sdz"] };
  const preview = await withProgram(store(bad), () => stack.run(["preview"]));
  expect(preview.code, preview.text).not.toBe(0);
  for (const words of [
    "osds.s1: /dev/sdc holds data (ext4)",
    "osds.s2: /dev/sdc is mounted",
    "osds.s3: /dev/sdc has 1.0 GiB",
    "osds.s3: /dev/sdz is not there",
  ]) {
    expect(preview.text).toContain(words);
  }
  expect(await onHost("s1", "command -v ceph-osd || echo none")).toBe("none");
});

test(
  "three hosts become a healthy store, and a second run changes nothing",
  async () => {
    const up = await withProgram(store(disks), () => stack.up());
    expect(up.code, up.text).toBe(0);
    console.log(`ceph: up with packages from the mirror ${Math.round(up.seconds)} s`);
    const { health, capacity } = await stack.outputs<{ health: string; capacity: { total: number } }>();
    expect(health).toBe("HEALTH_OK");
    expect(capacity.total).toBeGreaterThan(4 * 2 ** 30);
    const preview = await withProgram(store(disks), async () => {
      const refresh = await stack.refresh();
      expect(refresh.code, refresh.text).toBe(0);
      return stack.previewNothing();
    });
    expect(preview.code, preview.text).toBe(0);
  },
  30 * minutes,
);

test("what one host writes another reads, within the quota and with a key for that directory alone", async () => {
  await onHost("s1", "echo hello >/srv/data/greeting; sync");
  expect(await onHost("s2", "cat /srv/data/greeting")).toBe("hello");
  expect(await onHost("s2", "df -B1 --output=size /srv/data | tail -n 1")).toBe(String(2 * 2 ** 30));
  const others = await control.exec(lab, "s1", [
    ...["timeout", "-k", "5", "60", "ceph", "--id", "shared-data", "--conf"],
    ...["/etc/ceph/spillway/shared-data.conf", "auth", "ls"],
  ]);
  expect(others.code).not.toBe(0);
  expect(others.stderr).toContain("EACCES");
});

/** Writes numbered files with contents that follow from their numbers until /run/stop is there. */
const writer = `
import hashlib, os, time
longest, last, i = 0.0, time.time(), 0
while not os.path.exists("/run/stop"):
    with open(f"/srv/data/w/{i}", "wb") as file:
        file.write(hashlib.sha256(str(i).encode()).digest() * 512)
        file.flush()
        os.fsync(file.fileno())
    longest, last, i = max(longest, time.time() - last), time.time(), i + 1
    time.sleep(0.02)
print(i, round(longest, 1))
`;

const reader = `
import hashlib, sys
for i in range(int(sys.argv[1])):
    assert open(f"/srv/data/w/{i}", "rb").read() == hashlib.sha256(str(i).encode()).digest() * 512, i
print("whole")
`;

test(
  "a host that loses its power under a writer loses nothing, and health returns by itself after its boot",
  async () => {
    await onHost("s2", "mkdir -p /srv/data/w");
    const writing = control.exec(lab, "s2", ["python3", "-c", writer]);
    await expect.poll(() => count(), { timeout: 2 * minutes }).toBeGreaterThan(50);
    await control.powerCut(lab, "s3");
    const atCut = await count();
    await expect.poll(() => count(), { timeout: 5 * minutes, interval: 2000 }).toBeGreaterThan(atCut + 100);
    await control.boot(lab, "s3");
    const booted = Date.now();
    await expect.poll(() => health(), { timeout: 8 * minutes, interval: 3000 }).toBe("HEALTH_OK");
    console.log(`ceph: healthy ${Math.round((Date.now() - booted) / 1000)} s after the boot of a lost host`);
    await onHost("s2", "touch /run/stop");
    const { code, stdout, stderr } = await writing;
    expect(code, stderr).toBe(0);
    const [written, pause] = stdout.trim().split(" ");
    console.log(`ceph: longest pause of the writer ${pause} s, ${written} files`);
    const check = await control.exec(lab, "s1", ["python3", "-c", reader, written!]);
    expect(check.stdout.trim(), check.stderr).toBe("whole");
  },
  25 * minutes,
);

test(
  "a destroy is refused without the word, in the words of what to do",
  async () => {
    const destroy = await withProgram(store(disks), () => stack.destroy());
    expect(destroy.code, destroy.text).not.toBe(0);
    expect(destroy.text).toMatch(/volume "data": allowDataLoss: it holds data .*say `allowDataLoss: true`/);
    expect(await onHost("s1", "timeout -k 5 60 ceph fs subvolume ls shared")).toContain('"data"');
  },
  15 * minutes,
);

test(
  "with the word all goes, and the hosts and devices are as before",
  async () => {
    const word = await withProgram(store(disks, "allowDataLoss: true,"), () => stack.up());
    expect(word.code, word.text).toBe(0);
    const gone = await withProgram(machines, () => stack.up());
    expect(gone.code, gone.text).toBe(0);
    for (const host of hosts) {
      const left = await onHost(
        host,
        "ls -d /etc/ceph /var/lib/spillway/ceph* 2>/dev/null || :; pgrep -l ceph || :; head -c 1048576 /dev/sdb | tr -d '\\0' | wc -c",
      );
      expect(left, host).toBe("0");
    }
  },
  20 * minutes,
);

async function withProgram<T>(program: string, work: () => Promise<T>): Promise<T> {
  writeFileSync(join(stack.project, "index.ts"), program);
  return work();
}

async function count(): Promise<number> {
  const { stdout } = await control.exec(lab, "s2", ["sh", "-c", "ls /srv/data/w | wc -l"]);
  return Number(stdout.trim());
}

async function health(): Promise<string> {
  const { stdout } = await control.exec(lab, "s1", ["timeout", "-k", "5", "30", "ceph", "health"]);
  return stdout.trim();
}

async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await control.exec(lab, host, ["sh", "-ec", script]);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}
