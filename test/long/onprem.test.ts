import { afterAll, beforeAll, expect, test } from "vitest";
import { OwnMachines, rename } from "../cluster/own-machines.ts";

const site = new OwnMachines("long-onprem");
const { platform } = site;

beforeAll(async () => {
  await site.make();
  const up = await platform.up();
  expect(up.code, up.text).toBe(0);
}, 20 * 60_000);

afterAll(() => site.remove());

test("a name that changes beside its machine is refused before the machine does, and the way back is free", async () => {
  const up = await site.withSettings(rename, () => platform.up());
  expect(up.code, up.text).not.toBe(0);
  expect(up.text).toMatch(/the state "kubernetes-onprem" belongs to urn:.*onprem-w2-state/);
  const back = await platform.up();
  expect(back.code, back.text).toBe(0);
  const preview = await platform.previewNothing();
  expect(preview.code, preview.text).toBe(0);
  expect(await site.nodes()).toBe("cp1 w1 w2");
});

test("a worker's machine that moved to another address joins anew from there", async () => {
  const { address } = site.known.w2!;
  const moved = address.replace(/\d+$/, "251");
  const move = (from: string, to: string) =>
    site.onHost(
      "w2",
      `sysctl -qw net.ipv4.conf.host0.promote_secondaries=1
ip address add ${to}/24 dev host0
ip address delete ${from}/24 dev host0`,
    );
  await move(address, moved);
  const to = (text: string) => text.replace(`address: ${address},`, `address: ${moved},`);
  const up = await site.withSettings(to, () => platform.up({ SPILLWAY_DELETE_UNREACHABLE: "true" }));
  expect(up.code, up.text).toBe(0);
  const preview = await site.withSettings(to, () => platform.previewNothing());
  expect(preview.code, preview.text).toBe(0);
  expect(await nodeAddress("w2")).toBe(moved);
  await move(moved, address);
  const back = await platform.up({ SPILLWAY_DELETE_UNREACHABLE: "true" });
  expect(back.code, back.text).toBe(0);
  expect(await nodeAddress("w2")).toBe(address);
});

test("what was done to the cluster behind its back is found by refresh and put right", async () => {
  await site.kubectl("delete node w2");
  await site.kubectl("label node w1 spillway.io/pool-");
  await site.kubectl("taint node w1 example.com/theirs=yes:PreferNoSchedule");
  const refresh = await platform.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const up = await platform.up();
  expect(up.code, up.text).toBe(0);
  expect(await site.nodes()).toBe("cp1 w1 w2");
  expect(await site.kubectl("get node w1 -o 'jsonpath={.metadata.labels.spillway\\.io/pool}'")).toBe(
    "general",
  );
  expect(await site.kubectl("get node w1 -o 'jsonpath={.spec.taints[*].key}'")).toBe("example.com/theirs");
  const preview = await platform.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("a replacement that the user asks for takes the old one away before the new one comes", async () => {
  const urn = (await resources()).find((one) => one.endsWith("spillway:kubeadm:Worker::onprem-w2"))!;
  const up = await platform.run(["up", "--yes", "--skip-preview", "--replace", urn]);
  expect(up.code, up.text).toBe(0);
  expect(await site.nodes()).toBe("cp1 w1 w2");
  expect(await site.kubectl("wait --for=condition=Ready node/w2 --timeout=60s")).toContain("condition met");
});

async function resources(): Promise<string[]> {
  const { stdout } = await platform.run(["stack", "export"]);
  const state = JSON.parse(stdout) as { deployment: { resources: { urn: string }[] } };
  return state.deployment.resources.map(({ urn }) => urn);
}

const nodeAddress = (node: string) =>
  site.kubectl(`get node ${node} -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'`);
