import { afterAll, beforeAll, expect, test } from "vitest";
import { Members } from "../cluster/members.ts";

const cluster = new Members("long-members");
const { three } = Members;

beforeAll(async () => {
  const up = await cluster.stack.up(three);
  expect(up.code, up.text).toBe(0);
}, 20 * 60_000);
afterAll(() => cluster.stack.remove());

test("what a failed update put on a node goes when the update is put back, what others put there stays", async () => {
  const marks = "get node w1 -o 'jsonpath={.metadata.labels.tried} {.spec.taints[*].key}'";
  await cluster.kubectl("taint node w1 example.com/theirs=yes:PreferNoSchedule");
  // The update fails behind the taints: at the patch.
  const failing = '#!/bin/sh\n[ "$2" != patch ] || exit 1\nexec /usr/local/bin/kubectl "$@"\n';
  const wrapper = "/usr/local/sbin/kubectl";
  for (const host of three.MEMBERS.split(","))
    await cluster.onHost(host, `printf %s '${failing}' >${wrapper}; chmod +x ${wrapper}`);
  const failed = await cluster.stack.up({ ...three, TRIED: "yes" });
  for (const host of three.MEMBERS.split(",")) await cluster.onHost(host, `rm ${wrapper}`);
  expect(failed.code, failed.text).not.toBe(0);
  expect(failed.text).toMatch(/host cp\d, settle w1/);
  expect((await cluster.kubectl(marks)).split(" ").sort()).toEqual([
    "example.com/theirs",
    "example.com/tried",
  ]);
  const refresh = await cluster.stack.refresh(three);
  expect(refresh.code, refresh.text).toBe(0);
  const back = await cluster.stack.up(three);
  expect(back.code, back.text).toBe(0);
  expect(await cluster.kubectl(marks)).toBe("example.com/theirs");
});

test("a changed label reaches the node without a replacement", async () => {
  const up = await cluster.stack.up({ ...three, TIER: "two" });
  expect(up.code, up.text).toBe(0);
  expect(up.text).not.toMatch(/replac/);
  expect(await cluster.kubectl("get node w1 -o 'jsonpath={.metadata.labels.tier}'")).toBe("two");
});

test("a dead member is replaced by naming another host in its place, and nothing is left to do", async () => {
  const members = { MEMBERS: "cp2,cp4,cp1", WORKERS: "w1", TIER: "two" };
  await cluster.onHost(
    "cp3",
    "rm /etc/kubernetes/manifests/etcd.yaml; until ! pgrep -x etcd >/dev/null; do sleep 1; done",
  );
  const up = await cluster.stack.up(members);
  expect(up.code, up.text).toBe(0);
  const preview = await cluster.stack.previewNothing(members);
  expect(preview.code, preview.text).toBe(0);
  expect(await cluster.nodes()).toBe("cp1 cp2 cp4 w1");
  expect(await cluster.etcdMembers("cp2")).toEqual(["cp1 started", "cp2 started", "cp4 started"]);
});

test("a host changes its role by leaving first: a worker is not joined to the control plane as it runs", async () => {
  const promoted = { MEMBERS: "cp2,cp4,w1", WORKERS: "w2", TIER: "two" };
  const preview = await cluster.stack.run(["preview"], promoted);
  expect(preview.code).not.toBe(0);
  expect(preview.text).toMatch(
    /controlPlane: the machine of w1 is in this cluster already, as worker w1 at [\d.]+; take it out/,
  );
  const up = await cluster.stack.up(promoted);
  expect(up.code).not.toBe(0);
  expect(up.text).toMatch(
    /controlPlane: the machine of w1 is in this cluster already, as worker w1 at [\d.]+; take it out/,
  );
  expect(await cluster.nodes()).toContain("cp1 cp2 cp4 w1");
  const back = await cluster.stack.up({ MEMBERS: "cp2,cp4,cp1", WORKERS: "w1", TIER: "two" });
  expect(back.code, back.text).toBe(0);
  expect(await cluster.nodes()).toBe("cp1 cp2 cp4 w1");
});

test("everything is taken back", async () => {
  const destroy = await cluster.stack.destroy({ MEMBERS: "cp2,cp4,cp1", WORKERS: "w1" });
  expect(destroy.code, destroy.text).toBe(0);
});
