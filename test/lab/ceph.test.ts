import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as control from "../../components/lab/control.ts";
import { Stack } from "./stack.ts";
import { storePackages } from "./store-packages.ts";
import { fillTree, inside, treeOf } from "./trees.ts";
import { underWriter } from "./writer.ts";

const minutes = 60_000;
const lab = "t-ceph";
const hosts = ["s1", "s2", "s3"];

const machines = `
import { Backup, CephStore, HostStore, Migration, Restore, Site, Snapshot, VolumeMount } from "spillway/lab";

const site = new Site("${lab}", {
  hosts: ${JSON.stringify(hosts)},
  packages: ${JSON.stringify(storePackages)},
  disks: { s1: { sdb: 6, sdc: 5 }, s2: { sdb: 6, sdc: 5 }, s3: { sdb: 6, sdc: 1 } },
});
`;

/** What the program says of the store. */
interface Said {
  osds?: object;
  /** Further arguments of the store. */
  more?: string;
  /** @default 2 */
  capacityGiB?: number;
  /** Further resources. */
  operations?: string;
}

const disks = { s1: ["/dev/sdb"], s2: ["/dev/sdb"], s3: ["/dev/sdb"] };

const store = ({ osds = disks, more = "", capacityGiB = 2, operations = "" }: Said = {}) => `${machines}
const store = new CephStore("shared", {
  site,
  monitors: ${JSON.stringify(hosts)},
  osds: ${JSON.stringify(osds)},
  osdMemoryMiB: 896,
  ${more}
});
const volume = store.volume("data", { capacityGiB: ${capacityGiB} });
for (const host of ["s1", "s2"]) new VolumeMount(\`data-\${host}\`, { volume, host, path: "/srv/data" });
${operations}
export const health = store.health;
export const capacity = store.capacity;
`;

const stack = new Stack({ name: "t-ceph", labs: [lab], program: machines });

/** Where a store leaves its things, and its processes. */
const inventory = `
find /etc/ceph /etc/systemd/system /var/lib/ceph /var/lib/spillway /srv -xdev -printf '%y %p %m %u:%g\\n' 2>/dev/null | sort
pgrep -l ceph || :`;
let before: Record<string, string>;

// The first run makes the hosts' image.
beforeAll(async () => {
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  before = Object.fromEntries(
    await Promise.all(hosts.map(async (host) => [host, await onHost(host, inventory)])),
  );
  await onHost("s1", "mkfs.ext4 -q /dev/sdc");
  await onHost("s2", "mkfs.ext4 -q /dev/sdc && mount /dev/sdc /mnt");
}, 20 * minutes);

afterAll(() => stack.remove());

test("devices that hold data, are mounted, too small or not there are refused all at once, before anything is done", async () => {
  const bad = { s1: ["/dev/sdc"], s2: ["/dev/sdc"], s3: ["/dev/sdc", "/dev/sdz"] };
  const preview = await withProgram(store({ osds: bad }), () => stack.run(["preview"]));
  expect(preview.code, preview.text).not.toBe(0);
  for (const words of [
    "osds.s1: /dev/sdc holds data (ext4)",
    "osds.s2: /dev/sdc is mounted",
    "osds.s3: /dev/sdc has 1.0 GiB",
    "osds.s3: /dev/sdz is not there",
  ]) {
    expect(preview.text).toContain(words);
  }
  for (const host of hosts) expect(await onHost(host, inventory), host).toBe(before[host]);
});

test(
  "three hosts become a healthy store, and a second run changes nothing",
  async () => {
    const up = await withProgram(store(), () => stack.up());
    expect(up.code, up.text).toBe(0);
    console.log(`ceph: up in ${Math.round(up.seconds)} s`);
    const { health, capacity } = await stack.outputs<{ health: string; capacity: { total: number } }>();
    expect(health).toBe("HEALTH_OK");
    expect(capacity.total).toBeGreaterThan(4 * 2 ** 30);
    const preview = await withProgram(store(), async () => {
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
    ...["/etc/spillway/ceph/shared-data.conf", "auth", "ls"],
  ]);
  expect(others.code).not.toBe(0);
  expect(others.stderr).toContain("EACCES");
});

const taken = `const before = new Snapshot("before", { volume, allowDataLoss: true });
export const { path } = before;
`;

test(
  "a snapshot keeps the volume as it was; a restore, a backup and a migration bring it whole",
  async () => {
    await inside(lab, "s1", `mkdir /srv/data/tree; cd /srv/data/tree\n${fillTree(300, 4)}`);
    const original = await treeOf(lab, "s1", "/srv/data");
    const snapped = await withProgram(store({ operations: taken }), () => stack.up());
    expect(snapped.code, snapped.text).toBe(0);
    const { path } = await stack.outputs<{ path: string }>();
    await inside(lab, "s2", "cd /srv/data; rm -rf tree/small; echo changed >tree/large; echo new >more");
    expect(await treeOf(lab, "s2", `/srv/data/${path}`)).toBe(original);
    const operations = `${taken}
const restored = new Restore("undo", { snapshot: before, volume, host: "s3", overwrite: true });
const scratch = new HostStore("scratch", { site, directories: { s1: "/srv/volumes" }, allowDataLoss: true });
const copy = scratch.volume("copy");
new Migration("out", { from: volume, to: copy, host: "s1" }, { dependsOn: restored });
const to = { directory: "/srv/backups" };
const kept = new Backup("kept", { volume, host: "s1", to, allowDataLoss: true }, { dependsOn: restored });
const again = store.volume("again", { allowDataLoss: true });
new Restore("again", { backup: kept, volume: again, host: "s1" });
new VolumeMount("again", { volume: again, host: "s2", path: "/srv/again" });
`;
    const up = await withProgram(store({ operations }), () => stack.up());
    expect(up.code, up.text).toBe(0);
    expect(await treeOf(lab, "s2", "/srv/data")).toBe(original);
    expect(await treeOf(lab, "s1", "/srv/volumes/copy")).toBe(original);
    expect(await treeOf(lab, "s2", "/srv/again")).toBe(original);
    const preview = await withProgram(store({ operations }), () => stack.previewNothing());
    expect(preview.code, preview.text).toBe(0);
    const without = await withProgram(store(), () => stack.up());
    expect(without.code, without.text).toBe(0);
  },
  20 * minutes,
);

test(
  "a host that loses its power under a writer loses nothing, and health returns by itself after its boot",
  async () => {
    const mounted = { lab, writer: "s2", reader: "s1", directory: "/srv/data" };
    const { lines, pause, result } = await underWriter(mounted, async () => {
      await control.powerCut(lab, "s3");
      await sleep(25_000);
      await control.boot(lab, "s3");
      const booted = Date.now();
      await expect.poll(() => health(), { timeout: 8 * minutes, interval: 3000 }).toBe("HEALTH_OK");
      return (Date.now() - booted) / 1000;
    });
    console.log(
      `ceph: ${lines} lines, longest pause of the writer ${pause} s, healthy ${result} s after the boot`,
    );
  },
  25 * minutes,
);

test(
  "a destroy is refused without the word, in the words of what to do",
  async () => {
    const destroy = await withProgram(store(), () => stack.destroy());
    expect(destroy.code, destroy.text).not.toBe(0);
    expect(destroy.text).toMatch(/volume "data": allowDataLoss: it holds data .*say `allowDataLoss: true`/);
    expect(await onHost("s1", "timeout -k 5 60 ceph fs subvolume ls shared")).toContain('"data"');
  },
  15 * minutes,
);

test(
  "with the word all goes, and the hosts and devices are as before",
  async () => {
    const word = await withProgram(store({ more: "allowDataLoss: true," }), () => stack.up());
    expect(word.code, word.text).toBe(0);
    const gone = await withProgram(machines, () => stack.up());
    expect(gone.code, gone.text).toBe(0);
    for (const host of hosts) {
      expect(await onHost(host, `head -c 1048576 /dev/sdb | tr -d '\\0' | wc -c`), host).toBe("0");
      expect(await onHost(host, inventory), host).toBe(before[host]);
    }
  },
  20 * minutes,
);

async function withProgram<T>(program: string, work: () => Promise<T>): Promise<T> {
  writeFileSync(join(stack.project, "index.ts"), program);
  return work();
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
