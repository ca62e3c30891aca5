import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Connection } from "../../components/model/connection.ts";
import { migration } from "../../components/operations/migration.provider.ts";
import { restore } from "../../components/operations/restore.provider.ts";
import { closeAll } from "../../components/ssh/pool.ts";
import { s3Server } from "./s3-server.ts";
import { context } from "./ssh-world.ts";
import { Stack } from "./stack.ts";
import * as trees from "./trees.ts";

const minutes = 60_000;
const lab = "o-ops";
const canaries = { password: "canary-password-0815", secretKey: "canary-secret-key-4711" };

/** A host with a store in a directory of it, and an S3 server beside. */
const site = (server: { path: string; sha256: string }) => `
import * as pulumi from "@pulumi/pulumi";
import { Backup, HostStore, Migration, Restore, Site } from "spillway/lab";
import { HostState } from "spillway/ssh";
import { Certificate } from "./node_modules/spillway/components/secrets/resources.ts";

const site = new Site("${lab}", { hosts: ["w1"], nat: true });
export const connection = pulumi.secret(site.connection("w1"));
const address = site.hosts.w1.address;
const tls = new Certificate("s3", {
  authority: site.authority, commonName: "s3", dnsNames: [], ipAddresses: [address], usages: ["server"],
});
const unit = \`[Service]
EnvironmentFile=/etc/s3/keys
ExecStart=/usr/local/bin/versitygw --quiet --port \${address}:9000 --cert /etc/s3/tls.crt --key /etc/s3/tls.key posix /srv/s3
\`;
const keys = pulumi.secret("ROOT_ACCESS_KEY=AKIDEXAMPLE\\nROOT_SECRET_KEY=${canaries.secretKey}\\n");
const s3 = new HostState("s3-server", {
  connection: site.connection("w1"),
  name: "s3",
  packages: ["acl", "attr"],
  directories: { "/srv/s3": { removeContents: true } },
  uploads: { "/usr/local/bin/versitygw": ${JSON.stringify({ source: server.path, sha256: server.sha256 })} },
  files: {
    "/etc/s3/keys": { content: keys, mode: "0600" },
    "/etc/s3/tls.crt": { content: tls.certificate },
    "/etc/s3/tls.key": { content: tls.privateKey, mode: "0600" },
  },
  units: { "s3.service": { content: unit, running: true } },
});
`;

/** What the program says, besides the site. */
interface Said {
  /** @default false */
  allowDataLoss?: boolean;
  /** Resources on the volumes. @default none */
  operations?: string;
}

let server: { path: string; sha256: string };

const program = ({ allowDataLoss = false, operations = "" }: Said) => `${site(server)}
const store = new HostStore("disk", { site, directories: { w1: "/srv/volumes" }, allowDataLoss: ${allowDataLoss} });
const volume = (name) => store.volume(name);
const [data, again, moved, fromS3] = ["data", "again", "moved", "from-s3"].map(volume);
const host = "w1";
const allowDataLoss = ${allowDataLoss};
const bucket = {
  s3: {
    endpoint: \`https://\${address}:9000\`,
    bucket: "backups",
    accessKey: "AKIDEXAMPLE",
    secretKey: pulumi.secret("${canaries.secretKey}"),
    caCertificate: site.authority.certificate,
  },
};
${operations}
`;

const nightly = (trigger: string, keep: string) => `
const nightly = new Backup("nightly", {
  volume: data, host, to: { directory: "/srv/backups" }, trigger: "${trigger}", readBackPercent: 100,
  ${keep} allowDataLoss,
});
export const pointId = nightly.snapshotId;
export const password = nightly.password;
`;

const operations = (trigger = "first", keep = "") => `${nightly(trigger, keep)}
export const back = new Restore("back", { backup: nightly, volume: again, host }).files;
export const migrated = new Migration("to-moved", { from: data, to: moved, host }).files;
const away = new Backup("away", {
  volume: data, host, to: bucket, password: pulumi.secret("${canaries.password}"), allowDataLoss,
}, { dependsOn: s3 });
export const awayFigures = pulumi.all([away.files, away.bytes]);
new Restore("back-from-s3", { backup: away, volume: fromS3, host });
`;

let stack: Stack;
let connection: Connection;
let original: string;

const inside = (text: string) => trees.inside(lab, "w1", text);
const treeOf = (volume: string) => trees.treeOf(lab, "w1", `/srv/volumes/${volume}`);

function say(said: Said): void {
  writeFileSync(join(stack.project, "index.ts"), program(said));
}

async function up(said: Said) {
  say(said);
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  return up;
}

/** Points of the repository in the directory, oldest first. */
async function points(): Promise<string[]> {
  const { password } = await stack.outputs<{ password: string }>();
  const listed = await inside(`
export RESTIC_REPOSITORY=/srv/backups RESTIC_PASSWORD='${password}'
restic --no-cache snapshots --json`);
  return (JSON.parse(listed) as { id: string }[]).map(({ id }) => id);
}

beforeAll(async () => {
  server = await s3Server();
  stack = new Stack({ name: "o-operations", program: program({}), labs: [lab] });
  await up({});
  ({ connection } = await stack.outputs<{ connection: Connection }>());
  await inside(`cd /srv/volumes/data\n${trees.fillTree(2000, 64)}`);
  original = await treeOf("data");
}, 30 * minutes);

afterAll(async () => {
  await stack?.remove();
}, 5 * minutes);

afterEach(closeAll);

test(
  "a volume comes back from a directory and from S3, and moves to another, with all that it holds",
  async () => {
    // What every process on the host shows of itself while it is done.
    await inside(`systemd-run --quiet --unit=watch sh -c '
    while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" |
      grep -ai "canary\\|restic" | grep -v "^ROOT_SECRET_KEY" >>/root/seen; sleep 0.1; done'`);
    const { text } = await up({ operations: operations() });
    await inside("systemctl stop watch");
    expect(await treeOf("data")).toBe(original);
    for (const volume of ["again", "moved", "from-s3"]) expect(await treeOf(volume), volume).toBe(original);
    // A secret was nowhere to be seen, where restic was.
    const seen = await inside("cat /root/seen; rm /root/seen");
    expect(/^RESTIC_PASSWORD_FILE=/m.test(seen)).toBe(true);
    const exported = await stack.run(["stack", "export"]);
    for (const place of [seen, text, exported.text, await inside("journalctl --no-pager")]) {
      for (const canary of Object.values(canaries)) expect(place.includes(canary)).toBe(false);
    }
    expect(await inside("ls -A /root /var/tmp")).not.toMatch(/cache|spillway/);
    expect(await inside("mount")).not.toContain("/run/spillway");
    const names = Number(await inside("cd /srv/volumes/data; find . -mindepth 1 -printf . | wc -c"));
    expect(await stack.outputs()).toMatchObject({ back: names, awayFigures: [names, expect.any(Number)] });
  },
  20 * minutes,
);

test("a run without changes changes nothing, nor does a refresh", async () => {
  const refresh = await stack.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test(
  "another trigger makes another point and leaves what was restored; those that are not kept go",
  async () => {
    const [first] = await points();
    await inside("echo more >/srv/volumes/data/more");
    await up({ operations: operations("second") });
    expect(await points()).toHaveLength(2);
    expect(await treeOf("again")).toBe(original);
    await up({ operations: operations("first", "keep: { last: 2 },") });
    const kept = await points();
    expect(kept).toHaveLength(2);
    expect(kept).not.toContain(first);
    const { pointId } = await stack.outputs<{ pointId: string }>();
    expect(kept.at(-1)).toBe(pointId);
  },
  20 * minutes,
);

test(
  "a volume with data, another password and a foreign directory are refused, in words that help",
  async () => {
    say({
      operations: `${operations("first", "keep: { last: 2 },")}
new Restore("twice", { backup: nightly, volume: moved, host });`,
    });
    const preview = await stack.run(["preview"]);
    expect(preview.code).not.toBe(0);
    expect(preview.text).toMatch(/volume disk\/moved holds data; say 'overwrite: true'/);
    await inside("mkdir /srv/foreign; echo theirs >/srv/foreign/file");
    say({
      operations: `${operations("first", "keep: { last: 2 },")}
new Backup("locked-out", { volume: data, host, to: { directory: "/srv/backups" }, password: "not-that-one" });
new Backup("foreign", { volume: data, host, to: { directory: "/srv/foreign" }, password: "some-password" });`,
    });
    const refused = await stack.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
    expect(refused.code).not.toBe(0);
    expect(refused.text).toMatch(/w1:\/srv\/backups was made with another password; give that one/);
    expect(refused.text).toMatch(/w1:\/srv\/foreign holds files that are no restic repository/);
    expect(await inside("ls -A /srv/foreign")).toBe("file");
    await inside("rm -r /srv/foreign");
  },
  20 * minutes,
);

test(
  "a restore and a migration that were cut go on; an answer that was lost is not asked for again",
  async () => {
    const { password } = await stack.outputs<{ password: string }>();
    const [point] = await points();
    const common = { connection, overwrite: false, trigger: "" };
    const data = { volume: "disk/data", directory: "/srv/volumes/data" };
    const target = (name: string) => ({ volume: `disk/${name}`, directory: `/srv/volumes/${name}` });
    const repository = { directory: "/srv/backups", password };
    const moving = { ...common, name: "cut", from: data, volume: target("cut-one") };
    const restoring = {
      ...common,
      name: "cut",
      backup: { repository, snapshotId: point!, pinned: true },
      volume: target("cut-other"),
    };
    await inside("mkdir /srv/volumes/cut-one /srv/volumes/cut-other");
    const kill = (step: string, begun: string) =>
      inside(`
for turn in $(seq 600); do
  if [ -n "$(ls /srv/volumes/${begun})" ]; then systemctl kill -s KILL spillway-${step}; exit 0; fi
  sleep 0.05
done
exit 1`);
    const cut = async (attempt: Promise<unknown>, step: string, begun: string) => {
      const [{ status }] = await Promise.all([
        attempt.then(
          () => ({ status: "done" }),
          (error: Error) => ({ status: error.message }),
        ),
        kill(step, begun),
      ]);
      expect(status).toMatch(/was killed; run again/);
    };
    await cut(migration.create(context(), moving), "migration-cut", "cut-one");
    await cut(restore.create(context(), restoring), "restore-cut", "cut-other");
    const now = await treeOf("data");
    await migration.create(context(), moving);
    await restore.create(context(), restoring);
    for (const name of ["cut-one", "cut-other"]) expect(await treeOf(name), name).toBe(now);
    await inside("echo mine >/srv/volumes/cut-one/mine; echo mine >/srv/volumes/cut-other/mine");
    await migration.create(context(), moving);
    await restore.create(context(), restoring);
    expect(await inside("cat /srv/volumes/cut-one/mine /srv/volumes/cut-other/mine")).toBe("mine\nmine");
    const outputs = { files: 0, bytes: 0 };
    await migration.delete(context(), { id: "cut", inputs: moving, outputs });
    await restore.delete(context(), { id: "cut", inputs: restoring, outputs });
    await inside("rm -r /srv/volumes/cut-one /srv/volumes/cut-other");
  },
  20 * minutes,
);

test(
  "a point that somebody removed is found by refresh and made anew",
  async () => {
    const { pointId } = await stack.outputs<{ pointId: string }>();
    const { password } = await stack.outputs<{ password: string }>();
    await inside(
      `export RESTIC_REPOSITORY=/srv/backups RESTIC_PASSWORD='${password}'
restic --no-cache unlock; restic --no-cache forget ${pointId}`,
    );
    const refresh = await stack.refresh();
    expect(refresh.code, refresh.text).toBe(0);
    await up({ operations: operations("first", "keep: { last: 2 },") });
    const { pointId: now } = await stack.outputs<{ pointId: string }>();
    expect(now).not.toBe(pointId);
    expect(await points()).toContain(now);
  },
  20 * minutes,
);

test(
  "destroy stops at data and at a password that is nowhere else, until the word is said; then nothing is left",
  async () => {
    const refused = await stack.destroy();
    expect(refused.code).not.toBe(0);
    expect(refused.text).toMatch(/without it nobody reads what was backed up.*allowDataLoss: true/);
    await up({ operations: nightly("first", "keep: { last: 2 },"), allowDataLoss: true });
    await up({ allowDataLoss: true });
    expect(await inside("ls -A /srv")).toBe("s3\nvolumes");
    expect(await inside("ls /var/lib/spillway; command -v restic rsync || :")).toBe("directories\nstate");
    const destroy = await stack.destroy();
    expect(destroy.code, destroy.text).toBe(0);
  },
  20 * minutes,
);
