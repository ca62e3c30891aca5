import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { boot, exec, powerCut } from "../../components/lab/control.ts";
import { Stack } from "./stack.ts";
import { underWriter } from "./writer.ts";

const minutes = 60_000;
const lab = "t-gluster";
const hosts = ["s1", "s2", "s3", "s4"];
const bricksOn = (members: string[], path = "/srv/disk/bricks") =>
  Object.fromEntries(members.map((host) => [host, path]));

const program = (store: string) => `
import * as pulumi from "@pulumi/pulumi";
import { GlusterStore, HostStore, Migration, Site, VolumeMount } from "spillway/lab";

const config = new pulumi.Config();
const site = new Site("${lab}", { hosts: ${JSON.stringify(hosts)}, diskBinds: ["/srv/disk"], nat: true });
${store}
`;

/** One that mounts is in the pool, the other is not. */
const storeOn = (members = ["s1", "s2", "s3"], more = "") =>
  program(`
const store = new GlusterStore("shared", {
  site,
  bricks: ${JSON.stringify(bricksOn(members))},
  allowDataLoss: config.getBoolean("word"),
});
const volume = store.volume("data");
for (const host of ["s1", "s4"]) new VolumeMount(\`data-\${host}\`, { volume, host, path: "/srv/data" });
${more}
export const health = store.health;
export const capacity = store.capacity;
`);

const migration = `
const moved = store.volume("moved");
export const migrated = new Migration("to-moved", { from: volume, to: moved, host: "s2" }).files;
new VolumeMount("moved", { volume: moved, host: "s2", path: "/srv/moved" });
`;

const stack = new Stack({ name: lab, program: program(""), labs: [lab] });
const say = (text: string) => writeFileSync(join(stack.project, "index.ts"), text);
const figures: Record<string, string> = {};

async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await exec(lab, host, ["sh", "-euc", script]);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}

async function up(text?: string, env?: NodeJS.ProcessEnv) {
  if (text) say(text);
  const ended = await stack.up(env);
  expect(ended.code, ended.text).toBe(0);
  return ended;
}

async function nothingToDo() {
  const refresh = await stack.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
}

/**
 * Packages, files but for the logs of apt, units, processes and mounts. systemd reads the list of
 * mounts seldom while many come, so that the lab's own, made as a host boots, may show late.
 */
const inventory = `
systemctl is-system-running --wait >/dev/null 2>&1 || :
dpkg-query -W -f '\${Package} \${db:Status-Status}\\n'
find /etc /srv /var/lib /var/log /run/gluster /opt -xdev ! -path '/etc/*-' ! -path '/var/lib/dpkg/*' \\
  ! -path '/var/lib/apt/*' ! -path '/var/log/journal*' ! -path '/var/lib/systemd/*' ! -name ld.so.cache \\
  ! -path '/var/log/apt*' ! -name dpkg.log \\
  -printf '%y %p %m %u:%g\\n' 2>/dev/null || :
cat /etc/hosts
systemctl list-units --state=active,failed --type=service,mount --no-legend --plain | cut -d ' ' -f 1 | grep -v 'session\\|user\\|^proc-sys\\|^run-credentials'
pgrep -l gluster || :
grep -w fuse.glusterfs /proc/mounts || :`;

const inventoryOf = async (host: string) => (await onHost(host, inventory)).split("\n").sort().join("\n");

/** Entries that any brick says are left to heal; `away` while a brick is. */
const leftToHeal = `gluster volume heal shared-data info | awk '
  /^Status:/ && !/Connected/ { away = 1 } /^Number of entries:/ { left += $4; n++ }
  END { print away || n < 3 ? "away" : left }'`;

async function healthy(host: string): Promise<number> {
  const began = Date.now();
  await expect.poll(() => onHost(host, leftToHeal), { timeout: 240_000, interval: 1000 }).toBe("0");
  return (Date.now() - began) / 1000;
}

/** A writer on s1 during something; every byte that it wrote is checked on s4. */
const mounted = { lab, writer: "s1", reader: "s4", directory: "/srv/data" };

/** What the bricks of hosts hold, Gluster's own books left out. */
const brick = (host: string) =>
  onHost(
    host,
    "cd /srv/disk/bricks/data; find . -path ./.glusterfs -prune -o -type f -exec sha256sum {} + | sort -k 2",
  );

let before: Record<string, string>;

beforeAll(async () => {
  await up();
  before = Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await inventoryOf(host)])));
  // The first run makes the hosts' image as well.
}, 30 * minutes);

afterAll(async () => {
  console.log(figures);
  await stack.remove();
}, 5 * minutes);

test("all that is wrong is refused in preview, and nothing is made", async () => {
  const refused = async (text: string) => {
    say(program(text));
    const preview = await stack.run(["preview"]);
    expect(preview.code, preview.text).not.toBe(0);
    return preview.text;
  };
  const bad = await refused(`
new HostStore("scratch", { site, directories: { s1: "/srv/disk" } });
new GlusterStore("shared", { site, bricks: { s1: "/srv/disk/bricks", s9: "bricks" }, arbiter: "s3" });`);
  expect(bad).toContain("bricks: 2 hosts");
  expect(bad).toContain('/srv/disk/bricks of s1 overlaps /srv/disk, which belongs to HostStore "scratch"');
  expect(bad).toContain('bricks.s9: "s9" is no host of the site');
  expect(bad).toContain('bricks.s9: "bricks" is no plain absolute path');
  expect(bad).toContain("arbiter:");

  await onHost("s1", "mkdir /srv/disk/bricks; echo theirs >/srv/disk/bricks/file");
  await onHost("s3", "mkdir /srv/disk/bricks; echo theirs >/srv/disk/bricks/file");
  const withData = await refused(`
new GlusterStore("shared", { site, bricks: ${JSON.stringify(bricksOn(["s1", "s2", "s3"]))} }).volume("data");`);
  for (const host of ["s1", "s3"])
    expect(withData).toContain(`/srv/disk/bricks on host ${host} holds data that is not this volume's`);
  await onHost("s1", "cat /srv/disk/bricks/file; rm -r /srv/disk/bricks");
  await onHost("s3", "rm -r /srv/disk/bricks");

  const onRoot = await refused(`
new GlusterStore("shared", { site, bricks: ${JSON.stringify(bricksOn(["s1", "s2", "s3"], "/srv/bricks"))} }).volume("data");`);
  for (const host of ["s1", "s2", "s3"])
    expect(onRoot).toContain(`bricks.${host}: /srv/bricks/data lies on the disk of the root file system`);
});

test("what one host writes another reads, and a second up changes nothing", async () => {
  const { seconds } = await up(storeOn());
  figures["up, packages of four hosts included"] = `${seconds.toFixed(0)} s`;
  await onHost("s1", "echo from s1 >/srv/data/one; mkdir /srv/data/folder");
  expect(await onHost("s4", "cat /srv/data/one; echo from s4 >/srv/data/folder/two")).toBe("from s1");
  expect(await onHost("s1", "cat /srv/data/folder/two; stat -fc %T /srv/data")).toMatch(/^from s4\nfuse/);
  const { health, capacity } = await stack.outputs<{ health: string; capacity: Record<string, number> }>();
  expect(health).toBe("HEALTH_OK");
  expect(capacity.total).toBe(Number(await onHost("s2", "df -B1 --output=size /srv/disk/bricks | tail -1")));
  await nothingToDo();
});

test("a host that loses its power under a writer costs no byte, and is healed by itself when it is back", async () => {
  const { lines, pause } = await underWriter(mounted, async () => {
    // Before its processes end: a host without power closes no connection.
    await onHost("s3", "iptables -I INPUT -j DROP; iptables -I OUTPUT -j DROP");
    await powerCut(lab, "s3");
    await sleep(30_000);
  });
  figures["lines written around the loss of power"] = String(lines);
  figures["longest wait of the writer"] = `${pause.toFixed(1)} s`;
  expect(await onHost("s1", leftToHeal)).toBe("away");
  const began = Date.now();
  await boot(lab, "s3");
  await healthy("s1");
  figures["healthy after boot"] = `${((Date.now() - began) / 1000).toFixed(1)} s`;
  expect(await brick("s3")).toBe(await brick("s1"));
});

test("a brick that was lost is found by refresh and filled again by up", async () => {
  await onHost("s1", `mkdir /srv/data/tree; cd /srv/data/tree\nseq 300 | xargs -I{} sh -c 'echo {} >{}'`);
  await onHost("s2", "pkill -x glusterfsd; rm -rf /srv/disk/bricks/data");
  const refresh = await stack.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const { seconds } = await up();
  figures["up with a brick to fill"] = `${seconds.toFixed(0)} s`;
  expect(await onHost("s1", leftToHeal)).toBe("0");
  expect(await brick("s2")).toBe(await brick("s1"));
  const { health } = await stack.outputs<{ health: string }>();
  expect(health).toBe("HEALTH_OK");
  await nothingToDo();
});

test("another host takes the place of one under a writer, though the run is killed, and the former is left as it was", async () => {
  say(storeOn(["s1", "s2", "s4"]));
  const { pause, result } = await underWriter(mounted, async () => {
    const began = Date.now();
    const run = stack.launch(["up", "--yes", "--skip-preview"]);
    const replacing = async () =>
      (await onHost("s1", "gluster volume info shared-data || :")).includes("s4.");
    let ended = false;
    void run.end.then(() => {
      ended = true;
    });
    while (!ended && !(await replacing())) await sleep(500);
    expect(ended, run.text()).toBe(false);
    run.kill();
    await run.end;
    const freed = await stack.run(["cancel", "--yes"]);
    expect(freed.code, freed.text).toBe(0);
    await up();
    return (Date.now() - began) / 1000;
  });
  figures["host replaced, a kill of the run included"] = `${result.toFixed(0)} s`;
  figures["longest wait of the writer while a host is replaced"] = `${pause.toFixed(1)} s`;
  expect(await onHost("s1", leftToHeal)).toBe("0");
  expect(await brick("s4")).toBe(await brick("s1"));
  expect(await inventoryOf("s3")).toBe(before.s3);
  expect(await onHost("s1", "gluster pool list | wc -l")).toBe("4");
  await nothingToDo();
});

test("a mounted volume moves to another with all that it holds", async () => {
  await onHost(
    "s1",
    `rm -rf /srv/data/*; cd /srv/data; mkdir a 'b c'
for i in $(seq 200); do echo "content of $i" >"a/$i"; done
head -c 16M /dev/urandom >large; truncate -s 20M holes; ln large 'b c/other'; ln -s a to-a; mkfifo pipe
chown 1234:2345 large a; chmod 2751 a; touch -d '2001-02-03 04:05:06.123456789' large a/5; chown 55:66 .`,
  );
  const { seconds } = await up(storeOn(["s1", "s2", "s4"], migration));
  figures["migration from volume to volume"] = `${seconds.toFixed(0)} s`;
  const tree = (host: string, path: string) =>
    onHost(
      host,
      `cd ${path}; find . -printf '%P %y %m %U:%G %T@ %l\\n' | sort; find . -type f -exec sha256sum {} + | sort -k 2`,
    );
  expect(await tree("s2", "/srv/moved")).toBe(await tree("s1", "/srv/data"));
});

test("destroy refuses with the reason and the word, and leaves the hosts as they were once an up has recorded it", async () => {
  const refused = await stack.destroy();
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toContain(
    'GlusterStore "shared", volume "data": allowDataLoss: the volume holds data',
  );
  expect(refused.text).toContain("allowDataLoss: true");

  const set = await stack.run(["config", "set", "word", "true"]);
  expect(set.code, set.text).toBe(0);
  // The refused run has taken the migration back before it came to the volumes.
  await up(storeOn(["s1", "s2", "s4"], migration.replace(/^export const migrated.*$/m, "")));
  expect(await onHost("s4", "ls /srv/data | wc -l")).not.toBe("0");
  await up(program(""));
  for (const host of hosts) expect(await inventoryOf(host), host).toBe(before[host]);
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
});
