import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../components/lab/control.ts";
import { Stack } from "./stack.ts";

const lab = "g-host-store";

const program = (more = "") => `
import * as pulumi from "@pulumi/pulumi";
import { HostStore, Site, VolumeMount } from "spillway/lab";

const config = new pulumi.Config();
const site = new Site("${lab}", { hosts: ["w1", "w2"], disks: { w2: { sdb: 1 } } });
const store = new HostStore("scratch", { site, directories: { w1: "/srv/volumes" } });
const volume = store.volume("data", { allowDataLoss: config.getBoolean("word") });
new VolumeMount("data", { volume, host: "w1", path: "/srv/data" });
${more}
export const health = store.health;
export const capacity = store.capacity;
`;
const second = `new VolumeMount("other", { volume: store.volume("other"), host: "w1", path: "/srv/other" });`;

const stack = new Stack({ name: "g-host-store", program: program(second), labs: [lab] });
const write = (text: string) => writeFileSync(join(stack.project, "index.ts"), text);
const onHost = async (script: string, host = "w1") =>
  (await exec(lab, host, ["sh", "-euc", script])).stdout.trim();

beforeAll(async () => {
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
});

afterAll(() => stack.remove());

test("a volume is a directory of its host, mounted where it was said, and a second up changes nothing", async () => {
  expect(await onHost("echo kept >/srv/data/file; cat /srv/volumes/data/file")).toBe("kept");
  const { health, capacity } = await stack.outputs<{ health: string; capacity: Record<string, number> }>();
  expect(health).toBe("HEALTH_OK");
  expect(capacity.total).toBe(Number(await onHost("df -B1 --output=size /srv/volumes | tail -1")));
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("what was changed behind its back is found by refresh and put right", async () => {
  await onHost("chmod 0700 /srv/volumes/data; umount /srv/other; rmdir /srv/volumes/other");
  const refresh = await stack.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  expect(await onHost("stat -c %a /srv/volumes/data; cat /srv/data/file; ls /srv/volumes")).toBe(
    "755\nkept\ndata\nother",
  );
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("a volume that leaves the program goes when it is empty, and stays when it holds data", async () => {
  await onHost(
    "echo precious >/srv/other/file; systemd-run -q --unit=holder sh -c 'cd /srv/other; exec sleep 600'; sleep 0.5",
  );
  write(program());
  const busy = await stack.up();
  expect(busy.code, busy.text).not.toBe(0);
  expect(busy.text).toContain("it is in use (`fuser -vm` shows by whom)");
  expect(await onHost("systemctl stop holder; findmnt -no TARGET /srv/other")).toBe("/srv/other");
  const refused = await stack.up();
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toContain(
    'HostStore "scratch", volume "other": allowDataLoss: /srv/volumes/other on host w1 holds data (1 entry at its top); move it away first',
  );
  expect(await onHost("cat /srv/volumes/other/file")).toBe("precious");
  await onHost("rm /srv/volumes/other/file");
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  expect(await onHost("ls /srv/volumes")).toBe("data");
});

test("a directory with data that is nobody's volume is refused, and data of a lost state is found again", async () => {
  await onHost("mkdir /srv/volumes/other; echo theirs >/srv/volumes/other/file");
  write(program(second));
  const refused = await stack.up();
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toContain("/srv/volumes/other on host w1 holds data that is not this volume's");
  await onHost("rm -r /srv/volumes/other");
  write(program());
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);

  const urn = /urn:\S+spillway:store:Directory::scratch-data-w1/.exec(
    (await stack.run(["stack", "export"])).stdout,
  )![0];
  const forgotten = await stack.run(["state", "delete", urn, "--yes", "--target-dependents"]);
  expect(forgotten.code, forgotten.text).toBe(0);
  const again = await stack.up();
  expect(again.code, again.text).toBe(0);
  expect(await onHost("cat /srv/data/file")).toBe("kept");
});

test("a volume whose disk is not mounted is refused, neither made anew beneath nor forgotten", async () => {
  await onHost("mkfs.ext4 -q /dev/sdb; mkdir /srv/disk; mount /dev/sdb /srv/disk", "w2");
  write(program(`new HostStore("disk", { site, directories: { w2: "/srv/disk" } }).volume("kept");`));
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  await onHost("echo kept >/srv/disk/kept/file; umount /srv/disk", "w2");
  const refresh = await stack.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const refused = await stack.up();
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toContain("/srv/disk/kept on host w2 is away with the disk that was mounted above it");
  write(program());
  const protectedStill = await stack.up();
  expect(protectedStill.text).toMatch(/volume "kept": allowDataLoss: .* is away with the disk/);
  expect(await onHost("ls -A /srv/disk; mount /dev/sdb /srv/disk; cat /srv/disk/kept/file", "w2")).toBe(
    "kept",
  );
  await onHost("rm /srv/disk/kept/file", "w2");
  const gone = await stack.up();
  expect(gone.code, gone.text).toBe(0);
  expect(await onHost("ls -A /srv/disk; umount /srv/disk", "w2")).toBe("lost+found");
});

test("a stack that is renamed finds its hosts and its data, which stay as they are", async () => {
  await stack.rename("renamed");
  for (const word of ["first", "second"]) {
    const up = await stack.up();
    expect(up.code, `${word}: ${up.text}`).toBe(0);
    expect(up.text).not.toMatch(/\b(replaced|deleted|created)\b/);
  }
  expect(await onHost("cat /srv/volumes/data/file")).toBe("kept");
  expect(await onHost("grep -l /renamed/ /var/lib/spillway/directories/* | wc -l")).toBe("1");
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("destroy refuses with the reason and the word, and goes through once an up has recorded it", async () => {
  const refused = await stack.destroy();
  expect(refused.code, refused.text).not.toBe(0);
  expect(refused.text).toContain("/srv/volumes/data on host w1 holds data");
  expect(refused.text).toContain("allowDataLoss: true");
  expect(await onHost("cat /srv/volumes/data/file")).toBe("kept");

  const set = await stack.run(["config", "set", "word", "true"]);
  expect(set.code, set.text).toBe(0);
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  expect(await onHost("cat /srv/data/file")).toBe("kept");
  const only = readFileSync(join(stack.project, "index.ts"), "utf8").replace(
    /^const (store|volume)[\s\S]*/m,
    "",
  );
  write(only);
  const gone = await stack.up();
  expect(gone.code, gone.text).toBe(0);
  expect(await onHost("ls -A /srv /var/lib/spillway 2>&1 || :")).toContain(
    "/var/lib/spillway': No such file",
  );
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
});
