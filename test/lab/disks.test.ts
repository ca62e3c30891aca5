import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as control from "../../components/lab/control.ts";
import { Stack } from "./stack.ts";
import { traces } from "./traces.ts";

const lab = "t-disks";

const program = (disks: object) => `
import { Site } from "spillway/lab";

new Site("${lab}", { hosts: ["s1", "s2"], disks: ${JSON.stringify(disks)}, diskBinds: ["/srv/bricks"] });
`;

const stack = new Stack({
  name: "t-disks",
  labs: [lab],
  program: program({ s1: { sdb: 2, sdc: 1 }, s2: { sdb: 1 } }),
});

beforeAll(async () => {
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
});

afterAll(() => stack.remove());

test("a host has the disks of its own and their sizes, as blocks that it may use", async () => {
  expect(await onHost("s1", "blockdev --getsize64 /dev/sdb /dev/sdc")).toBe(`${2 * 2 ** 30}\n${2 ** 30}`);
  expect(await onHost("s1", "mkfs.ext4 -q /dev/sdb && mount /dev/sdb /mnt && echo kept > /mnt/file")).toBe(
    "",
  );
  await onHost("s2", "echo s2 > /dev/sdb");
  expect(await onHost("s2", "test ! -e /dev/sdc && head -c 2 /dev/sdb")).toBe("s2");
});

test("stores and further directories lie on the computer's filesystem, not on the overlay", async () => {
  for (const place of ["/var/lib/ceph", "/srv/bricks"]) {
    expect(await onHost("s1", `stat -fc %T ${place}`)).not.toContain("overlay");
  }
});

test("disks survive a cut of the power, a clean stop and a reboot, and take no loop device while off", async () => {
  const look = "mount /dev/sdb /mnt && cat /mnt/file";
  await onHost("s1", "sync");
  await control.powerCut(lab, "s1");
  expect((await traces([lab])).disks!.filter((file) => file.includes("/s1/"))).toEqual([]);
  await control.boot(lab, "s1");
  expect(await onHost("s1", look)).toBe("kept");
  await control.stop(lab, "s1");
  expect((await traces([lab])).disks!.filter((file) => file.includes("/s1/"))).toEqual([]);
  await control.boot(lab, "s1");
  expect(await onHost("s1", look)).toBe("kept");
  await onHost("s1", "umount /mnt; touch /run/before; systemctl reboot");
  await expect
    .poll(
      () =>
        control.exec(lab, "s1", ["test", "!", "-e", "/run/before"]).then(
          ({ code }) => code,
          () => -1,
        ),
      {
        timeout: 60_000,
      },
    )
    .toBe(0);
  expect(await onHost("s1", look)).toBe("kept");
});

test("disks come and go while the host runs; another size is refused", async () => {
  const grown = await change({ s1: { sdb: 3, sdc: 1 }, s2: { sdb: 1 } });
  expect(grown.code).not.toBe(0);
  expect(grown.text).toContain("disks.sdb: 3 GiB; it was made with 2 GiB");
  const changed = await change({ s1: { sdb: 2, sdd: 1 }, s2: { sdb: 1 } });
  expect(changed.code, changed.text).toBe(0);
  expect(await onHost("s1", "cat /mnt/file; blockdev --getsize64 /dev/sdd; ls /dev/sd?")).toBe(
    `kept\n${2 ** 30}\n/dev/sdb\n/dev/sdd`,
  );
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("destroy leaves no loop device, file or mount", async () => {
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  const { disks, directories, mounts } = await traces([lab]);
  expect({ disks, directories, mounts }).toEqual({ disks: [], directories: [], mounts: [] });
});

function change(disks: object) {
  writeFileSync(join(stack.project, "index.ts"), program(disks));
  return stack.up();
}

async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await control.exec(lab, host, ["sh", "-ec", script]);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}
