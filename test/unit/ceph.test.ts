import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deviceProblems } from "../../components/ceph/device.ts";
import { monitorChanges } from "../../components/ceph/devices.provider.ts";
import { outputsOf } from "../../components/ceph/filesystem.provider.ts";
import { osd } from "../../components/ceph/osd.provider.ts";
import { type CephObjectGatewayArgs, gatewayProblems } from "../../components/onprem/ceph-gateway.ts";
import { blockPoolProblems, cephStoreProblems } from "../../components/onprem/ceph-problems.ts";
import type { CephStoreArgs } from "../../components/onprem/ceph-store.ts";
import type { Site } from "../../components/onprem/site.ts";
import { areWordsAlone } from "../../components/provider/server.ts";
import { cephConfig, cephKey, minSize, uuidOf } from "../../components/render/ceph.ts";

const site = { hosts: { s1: {}, s2: {}, s3: {}, w1: {} } } as unknown as Site;
const good: CephStoreArgs = {
  site,
  monitors: ["s1", "s2", "s3"],
  osds: { s1: ["/dev/sdb"], s2: [{ device: "/dev/sdb", wipe: true }], s3: ["/dev/sdb"] },
};
const paths = (args: object) =>
  cephStoreProblems("shared", { ...good, ...args } as CephStoreArgs).map(({ path }) => path);

describe("arguments of a Ceph store", () => {
  test("that are good are taken", () => {
    expect(paths({})).toEqual([]);
  });

  test.each<[string, object]>([
    ["monitors[0]", { monitors: ["x1"] }],
    ["monitors", { monitors: ["s1", "s2"] }],
    ["osds.x1", { osds: { ...good.osds, x1: ["/dev/sdb"] } }],
    ["osds.w1", { osds: { ...good.osds, w1: [] } }],
    ["osds.s1[0]", { osds: { ...good.osds, s1: ["/dev/$(reboot)"] } }],
    ["osds.s1[1]", { osds: { ...good.osds, s1: ["/dev/sdb", { device: "/dev/sdb" }] } }],
    ["osds.s1[0].wip", { osds: { ...good.osds, s1: [{ device: "/dev/sdb", wip: true }] } }],
    ["replicas", { replicas: 4 }],
    ["replicas", { osds: { s1: ["/dev/sdb"], s2: ["/dev/sdb"] } }],
    ["replicas", { replicas: 0 }],
    ["osdMemoryMiB", { osdMemoryMiB: 100 }],
  ])("with a bad %s are refused", (path, change) => {
    expect(paths(change)).toEqual([path]);
  });

  test("with fewer copies than Ceph's default are taken when the program says so", () => {
    expect(paths({ osds: { s1: ["/dev/sdb"], s2: ["/dev/sdb"] }, replicas: 2 })).toEqual([]);
    expect(paths({ osds: { s1: ["/dev/sdb"] }, replicas: 1, monitors: ["s1"] })).toEqual([]);
  });
});

describe("what is made in a Ceph store", () => {
  const pool = (args: object, name = "vms") =>
    blockPoolProblems("shared", name, args, { ...good, taken: new Set(["taken"]) }).map(({ path }) => path);
  const gateway = (args: object) =>
    gatewayProblems(site, { hosts: ["w1"], ...args } as CephObjectGatewayArgs).map(({ path }) => path);

  test("a pool of block devices has a name of its own and hosts for its copies", () => {
    expect(pool({})).toEqual([]);
    expect(pool({ replicas: 2, allowDataLoss: true })).toEqual([]);
    expect(pool({ replicas: 4 })).toEqual(["replicas"]);
    expect(pool({ size: 1 })).toEqual(["size"]);
    expect(pool({}, "taken")).toEqual(["name"]);
    expect(pool({}, "No Name")).toEqual(["name"]);
  });

  test("gateways are on hosts of the site, each once", () => {
    expect(gateway({})).toEqual([]);
    expect(gateway({ hosts: [] })).toEqual(["hosts"]);
    expect(gateway({ hosts: ["x1", "w1", "w1"], port: 0 })).toEqual(["hosts[0]", "hosts", "port"]);
    expect(gateway({ hostz: ["w1"] })).toEqual(["hostz"]);
  });
});

describe("a device", () => {
  const size = 5 * 2 ** 30;
  const problems = (said: string, wipe = false) =>
    deviceProblems({ host: "s1", device: "/dev/sdb", wipe, said, ours: { u1: "/dev/sdb" } }).map(
      ({ found }) => found,
    );

  test.each<[string, string]>([
    ["missing", "/dev/sdb is not there"],
    ["other", "/dev/sdb is no block device"],
    [`block ${2 ** 30}`, "/dev/sdb has 1.0 GiB"],
    [`block ${size} mounted`, "/dev/sdb is mounted"],
    [`block ${size} swap`, "/dev/sdb is swap in use"],
    [`block ${size} held`, "/dev/sdb is in use, or part of another device"],
  ])("that is %j is refused, whatever may be wiped", (said, found) => {
    expect(problems(said)).toEqual([found]);
    expect(problems(said, true)).toEqual([found]);
  });

  test("with data is taken only by the word", () => {
    expect(problems(`block ${size} data ext4`)).toEqual(["/dev/sdb holds data (ext4)"]);
    expect(problems(`block ${size} osd u2`)).toEqual(["/dev/sdb holds an OSD of another Ceph cluster"]);
    expect(problems(`block ${size} data ext4`, true)).toEqual([]);
    expect(problems(`block ${size} osd u2`, true)).toEqual([]);
  });

  test("that an OSD of this store has by another path is refused, whatever may be wiped", () => {
    const said = `block ${size} osd u1`;
    const found = deviceProblems({
      host: "s1",
      device: "/dev/sdc",
      wipe: true,
      said,
      ours: { u1: "/dev/sdb" },
    });
    expect(found.map((problem) => problem.found)).toEqual([
      "/dev/sdc is the device that the store has as /dev/sdb",
    ]);
  });

  test("that is blank, or this store's already, is taken", () => {
    expect(problems(`block ${size}`)).toEqual([]);
    expect(problems(`block ${size} osd u1`)).toEqual([]);
  });
});

test("a word alone is no work, and with anything else it is", () => {
  const inputs = { host: "s1", device: "/dev/sdb", key: "k", allowDataLoss: false };
  const old = { id: "u", inputs, outputs: { osd: 0 } };
  const alone = (change: object) => areWordsAlone(osd as never, old, { ...inputs, ...change });
  expect(alone({ allowDataLoss: true })).toBe(true);
  expect(alone({ allowDataLoss: true, key: "other" })).toBe(false);
  expect(alone({ key: "other" })).toBe(false);
});

test("monitors come and go, but not all at once, and none moves", () => {
  const found = (before: string, after: string, living?: string[]) => {
    const addresses = (names: string) => Object.fromEntries(names.split(" ").map((each) => each.split("=")));
    const alive = living ?? Object.keys(addresses(before));
    return monitorChanges(addresses(before), addresses(after), alive).map((problem) => problem.found);
  };
  expect(found("a=1", "a=1 b=2 c=3")).toEqual([]);
  expect(found("a=1 b=2 c=3", "c=3 d=4 e=5")).toEqual([]);
  expect(found("a=1 b=2 c=3", "d=4 e=5 f=6")).toEqual([
    "none of a, b, c stays, and the new ones have nobody to join",
  ]);
  expect(found("a=1 b=2 c=3", "a=1 b=4 c=3")).toEqual(["the address of b was 2 and shall be 4"]);
  // What an earlier run could not finish lives nowhere, and binds nobody.
  expect(found("a=1", "b=2", [])).toEqual([]);
  expect(found("a=1", "a=2", [])).toEqual([]);
  // d and e were named by an earlier run and never came; a lives on.
  expect(found("a=1 d=4 e=5", "d=4 e=5 f=6", ["a"])).toEqual([
    "none of a stays, and the new ones have nobody to join",
  ]);
});

describe("what is rendered for Ceph", () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });

  test("a key holds its secret behind its type and length", () => {
    fc.assert(
      fc.property(bytes, (secret) => {
        const raw = Buffer.from(cephKey(secret), "base64");
        expect(raw.readUInt16LE(0)).toBe(1);
        expect(raw.readUInt16LE(10)).toBe(16);
        expect([...raw.subarray(12)]).toEqual([...secret]);
      }),
    );
  });

  test("a UUID is one of version 4, and follows from its bytes", () => {
    fc.assert(
      fc.property(bytes, (secret) => {
        const hex = Buffer.from(secret).toString("hex");
        expect(uuidOf(hex)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(uuidOf(hex)).toBe(uuidOf(hex));
      }),
    );
  });

  test("a pool takes no write that a second loss could take along", () => {
    expect([1, 2, 3, 4].map(minSize)).toEqual([1, 1, 2, 3]);
  });

  test("one copy is allowed only where the program says one", () => {
    const config = (replicas: number) =>
      cephConfig({
        fsid: "f",
        monitors: { s1: "10.0.0.1" },
        network: "10.0.0.0/24",
        replicas,
        container: false,
      });
    expect(config(1)).toContain("mon allow pool size one = true");
    expect(config(2)).not.toContain("size one");
  });
});

test("health names what is wrong, and capacity counts each byte once", () => {
  const usage = { pools: [{ name: "shared-data", stats: { stored: 10, max_avail: 90 } }] };
  const status = { health: { status: "HEALTH_WARN", checks: { OSD_DOWN: {}, MON_DOWN: {} } } };
  expect(outputsOf("shared", status, usage)).toEqual({
    health: "HEALTH_WARN: MON_DOWN, OSD_DOWN",
    capacity: { total: 100, used: 10, available: 90 },
  });
});
