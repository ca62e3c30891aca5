import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as control from "../../components/lab/control.ts";
import { Stack } from "../lab/stack.ts";
import { storePackages } from "../lab/store-packages.ts";
import { fillTree, inside, treeOf } from "../lab/trees.ts";
import { underWriter } from "../lab/writer.ts";

const minutes = 60_000;
const lab = "long-ceph";
const mounted = { lab, writer: "s1", reader: "s2", directory: "/srv/data" };

/** Devices of hosts whose OSD is not on /dev/sdb. */
const devices: Record<string, object> = {};

/** What the program says, besides three hosts with a disk each and a spare one. */
interface Said {
  /** Hosts with a monitor and an OSD. @default s1, s2, s3 */
  members?: string[];
  /** Hosts with a monitor. @default the members */
  monitors?: string[];
  /** Of the volume. @default 1 */
  capacityGiB?: number;
  /** Of an OSD. @default 896 */
  memoryMiB?: number;
  /** Further resources. @default none */
  more?: string;
}

const program = ({
  members = ["s1", "s2", "s3"],
  monitors = members,
  capacityGiB = 1,
  memoryMiB = 896,
  more = "",
}: Said = {}) => `
import { Backup, CephStore, Site, VolumeMount } from "spillway/lab";

const hosts = ["s1", "s2", "s3", "s4"];
const disks = { ...Object.fromEntries(hosts.map((host) => [host, { sdb: 5 }])), s2: { sdb: 5, sdc: 5 } };
// The gateway's package comes from the mirror.
const site = new Site("${lab}", { hosts, packages: ${JSON.stringify(storePackages)}, nat: true, disks });
const monitors = ${JSON.stringify(monitors)};
const devices = ${JSON.stringify(devices)};
const osds = Object.fromEntries(${JSON.stringify(members)}.map((host) => [host, [devices[host] ?? "/dev/sdb"]]));
const store = new CephStore("shared", { site, monitors, osds, osdMemoryMiB: ${memoryMiB}, allowDataLoss: true });
const volume = store.volume("data", { capacityGiB: ${capacityGiB} });
for (const host of ["s1", "s2"]) new VolumeMount(\`data-\${host}\`, { volume, host, path: "/srv/data" });
export const health = store.health;
${more}
`;
const stack = new Stack({ name: lab, program: program(), labs: [lab] });

const say = (said?: Said) => writeFileSync(join(stack.project, "index.ts"), program(said));

async function up(said?: Said, env?: NodeJS.ProcessEnv) {
  say(said);
  const ended = await stack.up(env);
  expect(ended.code, ended.text).toBe(0);
  return ended;
}

async function nothingToDo() {
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
}

const ceph = (words: string) => inside(lab, "s2", `timeout -k 5 60 ceph ${words}`);
const healthy = () =>
  expect.poll(() => ceph("health"), { timeout: 8 * minutes, interval: 3000 }).toBe("HEALTH_OK");
const monitors = () => ceph("mon dump 2>/dev/null | sed -n 's/^[0-9]: .* mon[.]//p' | sort | xargs");

beforeAll(async () => {
  await up();
}, 60 * minutes);

afterAll(() => stack.remove());

const objects = `
const vms = store.blockPool("vms");
const s3 = store.objectGateway({ hosts: ["s1"] });
const { accessKey, secretKey } = s3.user("backups");
const to = { s3: { endpoint: s3.endpoints.s1!, bucket: "kept", accessKey, secretKey, caCertificate: s3.caCertificate } };
const kept = new Backup("kept", { volume, host: "s2", to, readBackPercent: 100, allowDataLoss: true });
export const { user, key } = vms;
export const { bytes } = kept;
`;

test("block devices are for their client alone, and a backup goes through the store's own S3", async () => {
  await inside(lab, "s1", `mkdir /srv/data/kept; cd /srv/data/kept\n${fillTree(300, 4)}`);
  const { text } = await up({ more: objects });
  const { user, key, bytes } = await stack.outputs<{ user: string; key: string; bytes: number }>();
  expect(text).not.toContain(key);
  expect(bytes).toBeGreaterThan(4 * 2 ** 20);
  const keyring = `printf '[client.${user}]\\n\\tkey = ${key}\\n' >/run/vms.keyring`;
  await inside(lab, "s2", `umask 077; ${keyring}`);
  const client = `--id ${user} --keyring /run/vms.keyring`;
  await inside(
    lab,
    "s2",
    `head -c 8M /dev/urandom >/run/block
timeout 60 rbd ${client} import /run/block ${user}/one
timeout 60 rbd ${client} export ${user}/one /run/block-again
cmp /run/block /run/block-again`,
  );
  const others = `timeout 60 rados ${client} -p shared-data ls`;
  expect((await control.exec(lab, "s2", ["sh", "-c", others])).code).not.toBe(0);
  await nothingToDo();
  // What lies in a namespace, or waits in the trash, is data as well.
  const spaces = `\nstore.blockPool("spaces", { allowDataLoss: false });\n`;
  await up({ more: objects + spaces });
  const rbd = (words: string) => inside(lab, "s2", `timeout 60 rbd ${words}`);
  await rbd("namespace create shared.spaces/team && rbd create --size 8 shared.spaces/team/one");
  const refusal = async () => {
    say({ more: objects });
    const { code, text } = await stack.up();
    expect(code, text).not.toBe(0);
    return text;
  };
  expect(await refusal()).toContain("the pool shared.spaces holds the device one");
  await rbd("trash mv shared.spaces/team/one");
  expect(await refusal()).toMatch(/the pool shared.spaces holds the device .* one/);
  await rbd("trash purge shared.spaces/team");
  await up();
  expect(await ceph("osd pool ls | sort | xargs")).toBe("device_health_metrics shared-data shared-metadata");
});

test("without a quorum nothing is changed, the way back is said, and the next run goes on", async () => {
  await Promise.all(["s2", "s3"].map((host) => control.powerCut(lab, host)));
  say({ capacityGiB: 2 });
  const refused = await stack.up();
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toMatch(
    /monitors: no quorum answers \(asked: s1, s2, s3\), and nothing is changed without one; bring back more than half/,
  );
  await Promise.all(["s2", "s3"].map((host) => control.boot(lab, host)));
  await healthy();
  await up({ capacityGiB: 2 });
  expect(await inside(lab, "s1", "df -B1 --output=size /srv/data | tail -n 1")).toBe(String(2 * 2 ** 30));
  await up();
});

test("a store and its volume change while a host is down, which follows when it is back", async () => {
  await control.powerCut(lab, "s3");
  try {
    const { text } = await up({ capacityGiB: 2, memoryMiB: 1024 });
    expect(text).toMatch(/warning: not all of CephStore "shared" is well: HEALTH_WARN: MON_DOWN/);
    expect(await inside(lab, "s1", "df -B1 --output=size /srv/data | tail -n 1")).toBe(String(2 * 2 ** 30));
  } finally {
    await control.boot(lab, "s3");
  }
  await healthy();
  const number = await inside(lab, "s3", "cat /var/lib/ceph/osd/ceph-*/whoami");
  expect(await ceph(`config show osd.${number} osd_memory_target`)).toBe(String(2 ** 30));
  await up();
  await nothingToDo();
});

test("a host that gives up its monitor keeps its OSD, and the other way round", async () => {
  const running = (host: string) =>
    inside(
      lab,
      host,
      "systemctl list-units --plain --no-legend 'ceph-mon@*' 'ceph-osd@*' | cut -d @ -f 1 | xargs",
    );
  await up({ monitors: ["s1", "s2", "s4"] });
  expect([await running("s3"), await running("s4")]).toEqual(["ceph-osd", "ceph-mon"]);
  await healthy();
  await up();
  expect([await running("s3"), await running("s4")]).toEqual(["ceph-mon ceph-osd", ""]);
  await healthy();
});

test("hosts of which two do not hear each other lose nothing, and are healthy again when they do", async () => {
  const address = await inside(lab, "s2", "hostname -I | cut -d ' ' -f 1");
  const drop = (word: "-I" | "-D") =>
    inside(
      lab,
      "s3",
      `iptables ${word} INPUT -s ${address} -j DROP; iptables ${word} OUTPUT -d ${address} -j DROP`,
    );
  const { lines, pause } = await underWriter(mounted, async () => {
    await drop("-I");
    await sleep(60_000);
    await drop("-D");
    await healthy();
  });
  console.log(`ceph: two of three hosts cut apart: ${lines} lines, longest pause of the writer ${pause} s`);
});

test("a full volume refuses what is more, keeps what there is, and takes more when it is emptier", async () => {
  const fill = ["dd", "if=/dev/zero", "of=/srv/data/big", "bs=1M", "count=1500", "conv=fsync"];
  const { code, stderr } = await control.exec(lab, "s1", fill);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/quota exceeded|No space left/);
  await inside(lab, "s1", "cd /srv/data/kept; sha256sum large >/dev/null; rm ../big; sync");
  await inside(lab, "s2", "dd if=/dev/zero of=/srv/data/small bs=1M count=10 conv=fsync status=none");
});

/** Shares of a device from which on a cluster warns, fills no more copies up, and takes nothing more. */
async function fullFrom(share: number) {
  const ratios = { nearfull: share - 0.02, backfillfull: share - 0.01, full: share };
  for (const [name, ratio] of Object.entries(ratios)) await ceph(`osd set-${name}-ratio ${ratio.toFixed(3)}`);
}

test("a store that is full as a whole refuses what is more, says so, and takes more when something goes", async () => {
  const used = async () =>
    Number(await ceph(`osd df -f json | tr ',' '\\n' | sed -n 's/^"utilization"://p' | sort -n | tail -n 1`));
  // What was removed before goes a moment later.
  await expect.poll(used, { timeout: 3 * minutes, interval: 3000 }).toBeLessThan(12);
  // As if the devices ended there: filling them to their end takes the hour.
  await fullFrom((await used()) / 100 + 0.05);
  try {
    const fill = ["dd", "if=/dev/zero", "of=/srv/data/big", "bs=1M", "count=900", "conv=fsync"];
    const { code, stderr } = await control.exec(lab, "s1", fill);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/No space left/);
    const refresh = await stack.refresh();
    expect(refresh.code, refresh.text).toBe(0);
    // A stack's own outputs follow with the next run of the program.
    await up();
    expect((await stack.outputs<{ health: string }>()).health).toMatch(/^HEALTH_ERR: .*OSD_FULL/);
    await inside(lab, "s1", "cd /srv/data/kept; sha256sum large >/dev/null; rm ../big; sync");
  } finally {
    await fullFrom(0.95);
  }
  await healthy();
  await inside(lab, "s2", "dd if=/dev/zero of=/srv/data/small bs=1M count=10 conv=fsync status=none");
});

test("a dead disk is replaced by naming another one with data that may go, and all that was written is still there", async () => {
  const number = await inside(lab, "s2", "cat /var/lib/ceph/osd/ceph-*/whoami");
  await inside(
    lab,
    "s2",
    `systemctl kill -s KILL ceph-osd@${number}; systemctl mask --runtime ceph-osd@${number}
dd if=/dev/zero of=/dev/sdb bs=1M count=100 conv=fsync status=none
mkfs.ext4 -q /dev/sdc`,
  );
  const before = await treeOf(lab, "s1", "/srv/data");
  devices.s2 = { device: "/dev/sdc", wipe: true };
  const { seconds } = await up();
  console.log(`ceph: a dead disk replaced in ${Math.round(seconds)} s`);
  await healthy();
  expect(await ceph("osd stat")).toMatch(/^3 osds: 3 up .* 3 in/);
  expect(await treeOf(lab, "s2", "/srv/data")).toBe(before);
  await nothingToDo();
});

test("the first host leaves a living store as any other does, under a writer", async () => {
  const { pause, result } = await underWriter(mounted, () => up({ members: ["s2", "s3", "s4"] }));
  const seconds = Math.round(result.seconds);
  console.log(`ceph: a host replaced in ${seconds} s, longest pause of the writer ${pause} s`);
  expect(await monitors()).toBe("s2 s3 s4");
  expect(await ceph("osd ls | wc -l")).toBe("3");
  expect(await inside(lab, "s1", "pgrep -l 'ceph-(mon|mgr|mds|osd)' || echo none")).toBe("none");
  await nothingToDo();
});

test("a host that is gone for good is replaced by naming another, monitor and disk", async () => {
  await inside(
    lab,
    "s1",
    "mkdir -p /srv/data/kept; seq 300 | xargs -I{} sh -c 'echo {} >/srv/data/kept/n{}'",
  );
  const before = await treeOf(lab, "s1", "/srv/data/kept");
  await control.powerCut(lab, "s3");
  const { seconds } = await up({ members: ["s1", "s2", "s4"] }, { SPILLWAY_DELETE_UNREACHABLE: "true" });
  console.log(`ceph: a lost host replaced in ${Math.round(seconds)} s`);
  await healthy();
  expect(await monitors()).toBe("s1 s2 s4");
  expect(await ceph("osd ls | wc -l")).toBe("3");
  expect(await treeOf(lab, "s2", "/srv/data/kept")).toBe(before);
  await nothingToDo();
});

test("destroy takes all of it back, whoever was replaced", async () => {
  await control.boot(lab, "s3");
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
});
