import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { blockPool } from "../../components/ceph/block-pool.provider.ts";
import { fileSystem } from "../../components/ceph/filesystem.provider.ts";
import { monitor } from "../../components/ceph/monitor.provider.ts";
import { objectStore } from "../../components/ceph/object-store.provider.ts";
import { objectUser } from "../../components/ceph/object-user.provider.ts";
import { osd } from "../../components/ceph/osd.provider.ts";
import { subvolumeSnapshot } from "../../components/ceph/snapshot.provider.ts";
import { subvolume } from "../../components/ceph/subvolume.provider.ts";
import type { Context, ResourceType } from "../../components/provider/resource.ts";
import type { Script } from "../../components/ssh/script.ts";

/*
 * A monitor may answer that there is a quorum, and not answer the next question. Every script runs here in the
 * shell of the hosts, with programs that do nothing but note how they were called.
 */
const folder = mkdtempSync(join(tmpdir(), "spillway-silence-"));
const calls = join(folder, "calls");
const answers = join(folder, "answers");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const programs = ["ceph", "rbd", "radosgw-admin", "ceph-fuse", "dd", "wipefs", "systemctl", "rm", "rmdir"];
const stub = `#!/bin/sh
echo "\${0##*/} $*" >>${calls}
case "$*" in
  "--connect-timeout 45 fsid") echo f ;;
  *) . ${answers} ;;
esac
`;
for (const name of programs) {
  writeFileSync(join(folder, name), stub);
  chmodSync(join(folder, name), 0o755);
}
// A host that has a store's life noted, an OSD's directory and a blank device.
const root = join(folder, "root");
mkdirSync(join(root, "ceph-0"), { recursive: true });
writeFileSync(join(root, "ceph-0", "fsid"), "u");
writeFileSync(join(root, "ceph-monitor"), "f");
writeFileSync(join(root, "ceph-monitor.lives"), "");
writeFileSync(join(root, "ceph.conf"), "");

const { run } = vi.hoisted(() => ({
  run: (script: Script): Promise<string> => {
    const text = script.text
      .replaceAll("/usr/bin/ceph", "ceph")
      .replaceAll("/var/lib/ceph/osd", root)
      .replaceAll("/var/lib/spillway", root)
      .replaceAll("/etc/ceph", root)
      .replaceAll("-p /run", `-p ${root}`);
    const values = Object.entries({ ...script.files, ...script.secretFiles }).map(([name, content]) => {
      writeFileSync(join(root, name), content);
      return [name, join(root, name)];
    });
    const env = {
      ...script.values,
      ...Object.fromEntries(values),
      PATH: `${folder}:/usr/bin:/bin:/usr/sbin:/sbin`,
    };
    const { status, stdout, stderr } = spawnSync("sh", ["-euc", text], { env, encoding: "utf8" });
    return status === 0 ? Promise.resolve(stdout) : Promise.reject(new Error(`${script.name}: ${stderr}`));
  },
}));

vi.mock("../../components/ssh/session.ts", async (original) => ({
  ...(await original<object>()),
  onHost: (_connection: unknown, _context: unknown, use: (session: object) => unknown) =>
    use({ run, step: run }),
}));

const context: Context = {
  urn: "test",
  preview: false,
  progress: () => {},
  info: () => {},
  warn: () => {},
  signal: new AbortController().signal,
  timeoutSeconds: 0,
};
const cluster = { store: "s", fsid: "f", monitors: { a: {}, b: {} } };
const common = { ...cluster, connection: {}, allowDataLoss: false, name: "n", fileSystem: "s", replicas: 3 };

const cases: [string, ResourceType<never, never>, object][] = [
  ["an OSD", osd as never, { ...common, host: "a", device: "/dev/null", uuid: "u", owner: "o" }],
  ["a pool of block devices", blockPool as never, common],
  ["the pools of objects", objectStore as never, common],
  ["a user of objects", objectUser as never, common],
  ["a volume", subvolume as never, { ...common, client: "client.s-n", key: "k" }],
  ["the file system", fileSystem as never, { ...common, name: "s", osds: [] }],
  ["a monitor", monitor as never, { ...common, name: "a", addresses: {} }],
  [
    "a snapshot",
    subvolumeSnapshot as never,
    { ...common, volume: "v", directory: "/d", allowDataLoss: true },
  ],
];

/** What takes something away, but for a script's own temporary files. */
const destructive = () =>
  readFileSync(calls, "utf8")
    .split("\n")
    .filter((line) =>
      /^(dd|wipefs|systemctl|rm -rf .*ceph)|^(ceph|radosgw-admin) .*\b(rm|purge|remove|out|fail)\b/.test(
        line,
      ),
    );

beforeEach(() => writeFileSync(calls, ""));

const remove = (type: ResourceType<never, never>, inputs: object) =>
  type.delete(context, { id: "i", inputs: inputs as never, outputs: {} as never });

test.each(cases)("%s stays when the cluster stops answering", async (_, type, inputs) => {
  writeFileSync(answers, "echo 'error connecting to the cluster' >&2; exit 1\n");
  await expect(remove(type, inputs)).rejects.toThrow(/error connecting/);
  expect(destructive()).toEqual([]);
});

test.each(cases.filter(([what]) => !/OSD|monitor/.test(what)))(
  "%s stays when the monitors answer alone",
  async (_, type, inputs) => {
    const dead = `case "\${0##*/} $*" in
  rbd*|radosgw-admin*|ceph-fuse*|*subvolume*) echo 'timed out' >&2; exit 124 ;;
esac
`;
    writeFileSync(answers, dead + full);
    await expect(remove(type, inputs)).rejects.toThrow(/timed out/);
    expect(destructive()).toEqual([]);
  },
);

test.each(cases)("%s goes, or its data is named, when the cluster answers", async (_, type, inputs) => {
  writeFileSync(answers, full);
  const { message } = await remove(type, inputs).then(
    () => new Error(""),
    (error: Error) => error,
  );
  if (message === "") expect(destructive()).not.toEqual([]);
  else expect(message).toMatch(/allowDataLoss/);
});

test("an OSD of whose end the monitors have not heard is told down until it can be purged", async () => {
  const deaf = `case "\${0##*/} $*" in
  *"osd purge"*) [ "$(grep -c "osd down" ${calls})" -ge 2 ] || { echo "Error EBUSY: osd.0 is not down" >&2; exit 16; } ;;
esac
`;
  writeFileSync(answers, deaf + full);
  await remove(cases[0]![1], cases[0]![2]);
  const purges = destructive().filter((line) => line.includes("osd purge"));
  expect(purges.length).toBeGreaterThanOrEqual(2);
});

test("an OSD that cannot be purged for another reason stays, and the reason is said", async () => {
  writeFileSync(
    answers,
    `case "\${0##*/} $*" in *purge*) echo "Error EPERM: no" >&2; exit 1 ;; esac\n${full}`,
  );
  await expect(remove(cases[0]![1], cases[0]![2])).rejects.toThrow(/EPERM: no/);
  expect(destructive().filter((line) => /^(dd|wipefs)/.test(line))).toEqual([]);
});

/** A cluster that holds something of each kind, on as many hosts as it has copies and one more. */
const full = `case "\${0##*/} $*" in
  *"osd pool ls"*) printf '%s\\n' n s-data s-metadata default.rgw.meta ;;
  *"osd pool get"*) echo "size: 3" ;;
  *"fs ls"*) echo "name: s, metadata pool: s-metadata, data pools: [s-data ]" ;;
  *"osd dump"*) echo "osd.0 up   in  weight 1 up_from 5 1.2.3.4 exists,up u" ;;
  *"osd tree"*) for i in 1 2 3; do echo "-$i 0.1 host h$i"; echo "$i hdd 0.1 osd.$i up"; done ;;
  *"subvolume ls"*) echo '"name": "n"' ;;
  *"snapshot info"*) echo '{ "created_at": "now" }' ;;
  *"subvolume info"*) echo '{ "path": "/volumes/n", "bytes_quota": 5 }' ;;
  *"mon dump"*) for i in a b c d; do echo "0: [v2:1.2.3.4] mon.$i"; done ;;
  *quorum_status*) echo '{"quorum_names":["a","b","c","d"]}' ;;
  "rbd ls"*) echo disk ;;
  *"user list"*) echo '[ "n" ]' ;;
  *"bucket list"*) echo '[ "bucket" ]' ;;
  ceph-fuse*) for place; do :; done; mkdir -p "$place/kept"; echo x >"$place/kept/file" ;;
esac
`;
