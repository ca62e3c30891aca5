import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as control from "../../components/lab/control.ts";
import { Stack } from "../lab/stack.ts";
import { inside, treeOf } from "../lab/trees.ts";
import { underWriter } from "../lab/writer.ts";

const minutes = 60_000;
const lab = "long-ceph";
const mounted = { lab, writer: "s1", reader: "s2", directory: "/srv/data" };

const program = (members: string[]) => `
import { CephStore, Site, VolumeMount } from "spillway/lab";
import { HostState } from "spillway/ssh";

const disks = Object.fromEntries(["s1", "s2", "s3", "s4"].map((host) => [host, { sdb: 5 }]));
const site = new Site("${lab}", { hosts: ["s1", "s2", "s3", "s4"], nat: true, disks });
for (const host of ["s1", "s2", "s3", "s4"]) {
  new HostState(host, { connection: site.connection(host), name: "tools", packages: ["acl", "attr"] });
}
const members = ${JSON.stringify(members)};
if (members.length > 0) make();
function make() {
  const osds = Object.fromEntries(members.map((host) => [host, ["/dev/sdb"]]));
  const store = new CephStore("shared", { site, monitors: members, osds, osdMemoryMiB: 896, allowDataLoss: true });
  const volume = store.volume("data", { capacityGiB: 1 });
  for (const host of ["s1", "s2"]) new VolumeMount(\`data-\${host}\`, { volume, host, path: "/srv/data" });
}
`;
const stack = new Stack({ name: lab, program: program(["s1", "s2", "s3"]), labs: [lab] });

async function up(members: string[], env?: NodeJS.ProcessEnv) {
  writeFileSync(join(stack.project, "index.ts"), program(members));
  const ended = await stack.up(env);
  expect(ended.code, ended.text).toBe(0);
  return ended;
}

const ceph = (words: string) => inside(lab, "s2", `timeout -k 5 60 ceph ${words}`);
const healthy = () =>
  expect.poll(() => ceph("health"), { timeout: 8 * minutes, interval: 3000 }).toBe("HEALTH_OK");

beforeAll(async () => {
  await up(["s1", "s2", "s3"]);
}, 60 * minutes);

afterAll(() => stack.remove());

test("hosts of which two do not hear each other lose nothing, and are healthy again when they do", async () => {
  const address = await inside(lab, "s2", "hostname -I | cut -d ' ' -f 1");
  const { lines, pause } = await underWriter(mounted, async () => {
    for (const chain of ["INPUT -s", "OUTPUT -d"])
      await inside(lab, "s3", `iptables -I ${chain} ${address} -j DROP`);
    await sleep(60_000);
    for (const chain of ["INPUT -s", "OUTPUT -d"])
      await inside(lab, "s3", `iptables -D ${chain} ${address} -j DROP`);
    await healthy();
  });
  console.log(
    `ceph: ${lines} lines, longest pause of the writer ${pause} s while two of three hosts were cut apart`,
  );
});

test("a full volume refuses what is more, keeps what there is, and takes more when it is larger or emptier", async () => {
  const { code } = await control.exec(lab, "s1", [
    "dd",
    "if=/dev/zero",
    "of=/srv/data/big",
    "bs=1M",
    "count=1500",
    "conv=fsync",
  ]);
  expect(code).not.toBe(0);
  await inside(
    lab,
    "s2",
    "rm /srv/data/big; sync; dd if=/dev/zero of=/srv/data/small bs=1M count=10 conv=fsync status=none",
  );
});

const members = () => ceph("mon dump 2>/dev/null | sed -n 's/^[0-9]: .* mon[.]//p' | xargs");

test("the first host leaves a living store as any other does, under a writer", async () => {
  const { pause, result } = await underWriter(mounted, () => up(["s2", "s3", "s4"]));
  console.log(
    `ceph: a host replaced in ${Math.round(result.seconds)} s, longest pause of the writer ${pause} s`,
  );
  expect(await members()).toBe("s2 s3 s4");
  expect(await ceph("osd ls | wc -l")).toBe("3");
  expect(await inside(lab, "s1", "pgrep -l 'ceph-(mon|mgr|mds|osd)' || echo none")).toBe("none");
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("a host that is gone for good is replaced by naming another, monitor and disk", async () => {
  await inside(
    lab,
    "s1",
    "mkdir -p /srv/data/tree; cd /srv/data/tree; seq 300 | xargs -I{} sh -c 'echo {} >{}'",
  );
  const before = await treeOf(lab, "s1", "/srv/data/tree");
  await control.powerCut(lab, "s3");
  const { seconds } = await up(["s1", "s2", "s4"], { SPILLWAY_DELETE_UNREACHABLE: "true" });
  console.log(`ceph: a lost host replaced in ${Math.round(seconds)} s`);
  await healthy();
  expect(await members()).toBe("s2 s4 s1");
  expect(await ceph("osd ls | wc -l")).toBe("3");
  expect(await treeOf(lab, "s2", "/srv/data/tree")).toBe(before);
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});
