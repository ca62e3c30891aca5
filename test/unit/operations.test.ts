import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { Refusal } from "../../components/model/problem.ts";
import {
  Backup,
  type BackupArgs,
  HostStore,
  Migration,
  type MigrationArgs,
  Restore,
  type RestoreArgs,
  Site,
  Snapshot,
} from "../../components/onprem/index.ts";
import { type BackupInputs, backup, parsePoint } from "../../components/operations/backup.provider.ts";
import { withVolumes } from "../../components/operations/place.ts";
import { withRepository } from "../../components/operations/restic.ts";
import { type RestoreInputs, restore } from "../../components/operations/restore.provider.ts";
import type { Script } from "../../components/ssh/session.ts";
import { type Asked, build } from "./world.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";

function world() {
  const site = new Site("paris", {
    range: "10.0.0.0/24",
    ssh: { privateKey: "canary-ssh" },
    hosts: { w1: { address: "10.0.0.21", hostKey }, w2: { address: "10.0.0.22", hostKey } },
  });
  const store = new HostStore("disk", { site, directories: { w1: "/srv/volumes", w2: "/srv/volumes" } });
  const on = (host: string) => (name: string) => store.volume(name, { host });
  return { site, here: on("w1"), there: on("w2") };
}

async function problemsOf(program: () => unknown): Promise<string[]> {
  const refusal = await build(program).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(Refusal);
  return (refusal as Refusal).problems.map(({ path, found }) => `${path}: ${found}`);
}

const backedUp = (args: object = {}, name = "nightly") => {
  const { here } = world();
  const most = { volume: here("data"), host: "w1", to: { directory: "/srv/backups" } };
  return new Backup(name, { ...most, ...args } as BackupArgs);
};

describe("a backup", () => {
  const s3 = { endpoint: "ftp://x", bucket: "B", accessKey: "", secretKey: "canary two\nlines", region: "!" };

  test.each<[object, string[]]>([
    [{ host: "w3" }, ['host: "w3" is no host of the site']],
    [{ host: "w2" }, ['volume: the volume "disk/data" lies on w1 alone, and w2 does not see it']],
    [{ to: {} }, ["to: no target"]],
    [{ to: { directory: "/srv/backups", path: "x", s3 } }, ["to: more than one target"]],
    [
      { to: { directory: "/srv/volumes/data/own" } },
      ['to.directory: "/srv/volumes/data/own" lies in the volume itself'],
    ],
    [{ to: { directory: "srv/../x" } }, ['to.directory: "srv/../x" is no plain absolute path']],
    [
      { to: { s3 } },
      [
        'to.s3.endpoint: "ftp://x" is no endpoint',
        'to.s3.bucket: "B" is no bucket\'s name',
        'to.s3.region: "!" is no region',
        "to.s3.accessKey: nothing is given",
        "to.s3.secretKey: it has spaces or several lines",
      ],
    ],
    [{ keep: {} }, ["keep: nothing is kept"]],
    [
      { keep: { daily: 0, weekly: 1.5 }, readBackPercent: 101 },
      ["keep.daily: 0", "keep.weekly: 1.5", "readBackPercent: 101"],
    ],
    [{ kep: { daily: 7 } }, ["kep: there is no such argument"]],
  ])("with %j is refused", async (args, expected) => {
    expect(await problemsOf(() => backedUp(args))).toEqual(expected);
  });

  test("is not put into the volume that it is of", async () => {
    const intoItself = () => {
      const volume = world().here("data");
      new Backup("-bad", { volume, host: "w1", to: { volume, path: "../x" } });
    };
    expect(await problemsOf(intoItself)).toEqual([
      'name: "-bad" is no valid name',
      'to.path: "../x" is no plain relative path',
      'to.volume: "disk/data" is the volume that is backed up',
    ]);
  });

  test("takes its password and keys as secrets, and says whose the password is", async () => {
    const bucket = { endpoint: "https://s3:9000", bucket: "backups", accessKey: "AK", secretKey: "canary" };
    const point = (asked: Asked[]) => asked.find(({ type }) => type === "spillway:operations:Backup")!.inputs;
    const own = point(await build(() => backedUp({ to: { s3: bucket }, password: "canary-password" })));
    expect(own).toMatchObject({ ownPassword: true, name: "nightly", trigger: "" });
    const made = point(await build(() => backedUp()));
    expect(made).toMatchObject({ ownPassword: false, repository: { directory: "/srv/backups" } });
    const outputs = await secretsOf(() => backedUp({ password: "canary-password" }));
    expect(outputs).toBe(true);
  });
});

async function secretsOf(make: () => Backup): Promise<boolean> {
  let secret = false;
  await build(async () => {
    secret = await pulumi.isSecret(make().password);
  });
  return secret;
}

test.each<[string, (w: ReturnType<typeof world>) => object, string[]]>([
  ["no point", () => ({}), ["backup: no point"]],
  [
    "two points",
    () => ({ snapshot: {}, repository: { directory: "/srv/b" } }),
    ["snapshot: repository and snapshot"],
  ],
  [
    "a point that nobody can find",
    () => ({ repository: { directory: "/srv/b" }, snapshotId: "latest" }),
    ["password: nothing is given", 'snapshotId: "latest" is no point'],
  ],
  [
    "what another host has",
    ({ here }) => ({
      backup: new Backup("b", { volume: here("data"), host: "w1", to: { directory: "/srv/b" } }),
      host: "w2",
    }),
    [
      'volume: the volume "disk/again" lies on w1 alone, and w2 does not see it',
      "host: the backup lies in a directory of w1, and w2 does not see it",
    ],
  ],
])("a restore of %s is refused", async (_of, argsOf, expected) => {
  const program = () => {
    const all = world();
    const most = { volume: all.here("again"), host: "w1" };
    new Restore("back", { ...most, ...argsOf(all) } as unknown as RestoreArgs);
  };
  expect(await problemsOf(program)).toEqual(expected);
});

test("a snapshot is refused of a store that takes none, with what to do", async () => {
  const program = () => new Snapshot("before", { volume: world().here("data") });
  expect(await problemsOf(program)).toEqual(['volume: the store of "disk/data" takes no snapshots']);
});

test("a migration between directories of two hosts, and to itself, is refused with the way round", async () => {
  const between = ({ here, there }: ReturnType<typeof world>) => ({ from: here("a"), to: there("b") });
  const program = (args: (w: ReturnType<typeof world>) => Omit<MigrationArgs, "host">) => () =>
    new Migration("move", { ...args(world()), host: "w1" });
  expect(await problemsOf(program(between))).toEqual([
    'to: the volume "disk/b" lies on w2 alone, and w1 does not see it',
  ]);
  const same = ({ here }: ReturnType<typeof world>) => {
    const volume = here("a");
    return { from: volume, to: volume };
  };
  expect(await problemsOf(program(same))).toEqual(['to: "disk/a" is the source as well']);
});

test("an operation's customTimeouts are those of the resource that does the work", async () => {
  const found = new Map<string, unknown>();
  const opts: pulumi.ComponentResourceOptions = {
    customTimeouts: { create: "30h" },
    transformations: [
      ({ type, opts: own }) => {
        found.set(type, (own as pulumi.CustomResourceOptions).customTimeouts);
        return undefined;
      },
    ],
  };
  await build(() => {
    const { here } = world();
    const nightly = new Backup("nightly", { volume: here("a"), host: "w1", to: { directory: "/b" } }, opts);
    new Restore("back", { backup: nightly, volume: here("b"), host: "w1" }, opts);
    new Migration("move", { from: here("a2"), to: here("c"), host: "w1" }, opts);
  });
  const works = ["Backup", "Restore", "Migration"].map((name) => found.get(`spillway:operations:${name}`));
  expect(works).toEqual(Array(3).fill({ create: "30h" }));
});

const connection = { host: "w1", address: "10.0.0.21", privateKey: "key", hostKey };
const s3 = { endpoint: "https://s3:9000", bucket: "backups", accessKey: "AK", secretKey: "canary-secret" };
const inputs: BackupInputs = {
  connection,
  name: "nightly",
  identity: "0123",
  volume: { volume: "disk/data", directory: "/srv/volumes/data" },
  repository: { s3, password: "canary-password" },
  ownPassword: true,
  trigger: "",
  readBackPercent: 0,
  allowDataLoss: false,
};
const outputs = { snapshotId: "ab".repeat(32), time: "", files: 1, bytes: 1 };

test("only what asks for another point makes its outputs unknown in a preview", () => {
  const old = { id: "nightly", inputs, outputs };
  const renewed = (changes: Partial<BackupInputs>) => backup.renews!(old, { ...inputs, ...changes });
  expect(renewed({ trigger: "2" })).toEqual(["snapshotId", "time", "files", "bytes"]);
  expect(renewed({ keep: { last: 1 }, allowDataLoss: true })).toEqual([]);
  expect(renewed({ repository: { s3: { ...s3, secretKey: "new" }, password: "canary-password" } })).toEqual(
    [],
  );
  expect(
    renewed({ repository: { s3: { ...s3, bucket: "other" }, password: "canary-password" } }),
  ).not.toEqual([]);
});

test("a change of keys or of how a volume is mounted is no difference, a password is", () => {
  const old = { id: "nightly", inputs, outputs };
  const paths = (changes: Partial<BackupInputs>) => backup.diff!(old, { ...inputs, ...changes }).paths;
  const mounted = { volume: "disk/data", mount: { what: "other", type: "fuse.ceph" } };
  expect(paths({ volume: mounted })).toEqual([]);
  const kept = { volume: { ...mounted, path: "restic" }, password: "canary-password" };
  const inVolume = { id: "nightly", inputs: { ...inputs, repository: kept }, outputs };
  expect(backup.diff!(inVolume, { ...inVolume.inputs, trigger: "2" }).paths).toEqual(["trigger"]);
  expect(paths({ repository: { s3: { ...s3, secretKey: "new" }, password: "canary-password" } })).toEqual([]);
  expect(paths({ repository: { s3, password: "another" } })).toEqual(["password"]);
});

test("a restore follows its backup's newest point only with its trigger, a named point at once", () => {
  const point = { repository: inputs.repository, snapshotId: "aa", pinned: false };
  const { volume } = inputs;
  const before: RestoreInputs = {
    connection,
    name: "back",
    volume,
    overwrite: false,
    trigger: "",
    backup: point,
  };
  const old = { id: "back", inputs: before, outputs: { files: 1, bytes: 1 } };
  const paths = (changes: Partial<RestoreInputs>, from = old) =>
    restore.diff!(from, { ...from.inputs, ...changes }).paths;
  expect(paths({ backup: { ...point, snapshotId: "bb" } })).toEqual([]);
  expect(paths({ trigger: "2" })).toEqual(["trigger"]);
  const pinned = { ...old, inputs: { ...before, backup: { ...point, pinned: true } } };
  expect(paths({ backup: { ...point, pinned: true, snapshotId: "bb" } }, pinned)).toEqual(["backup"]);
});

test("no secret is among what a script shows: values, plain files and text", () => {
  const { script, places } = withRepository<Script>({ text: "restic snapshots" }, "w1", inputs.repository);
  const whole = withVolumes(script, places);
  const { secretFiles, ...shown } = whole;
  expect(JSON.stringify(shown)).not.toContain("canary");
  expect(JSON.stringify(secretFiles)).toContain("canary-secret");
  expect(secretFiles).toMatchObject({ PASSWORD: "canary-password" });
});

test("the figures of a point are read from what restic prints", () => {
  const list = JSON.stringify([
    { time: "2027-01-31T03:00:00.5+01:00", id: "cd".repeat(32), tags: ["spillway"] },
  ]);
  const figures = JSON.stringify({ total_size: 5_000_000_000, total_file_count: 11, snapshots_count: 1 });
  expect(parsePoint(`${list}\n${figures}\n`)).toEqual({
    snapshotId: "cd".repeat(32),
    time: "2027-01-31T03:00:00.5+01:00",
    files: 10,
    bytes: 5_000_000_000,
  });
});
