import { afterAll, beforeAll, expect, test } from "vitest";
import { denial, PolicyLab } from "./policies.ts";

const lab = new PolicyLab("c-overlay", ["cp1", "w1"], '{ mode: "overlay", policies: "enforced" }');
let server: string;

beforeAll(async () => {
  const up = await lab.stack.up();
  expect(up.code, up.text).toBe(0);
  await lab.start({ server: "cp1", clients: "w1" });
  server = await lab.addressOf("server");
});
afterAll(() => lab.stack.remove());

test("a second run changes nothing", async () => {
  const preview = await lab.stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("pods reach each other across hosts through the tunnel, and services without kube-proxy", async () => {
  expect(await lab.onHost("w1", "ip -d link show cilium_vxlan")).toContain("vxlan");
  expect(await lab.kubectl("-n kube-system get daemonsets -o name")).toBe("");
  await lab.kubectl("expose pod server --port=8080");
  const service = await lab.kubectl("get service server -o 'jsonpath={.spec.clusterIP}'");
  for (const client of ["friend", "stranger"]) {
    await lab.comesToAnswer(client, "w1", server, /^Hello from server$/);
    await lab.comesToAnswer(client, "w1", service, /^Hello from server$/);
  }
});

test("a policy drops what it does not allow, and lets it through again when it goes", async () => {
  await lab.apply(denial);
  await lab.comesToAnswer("stranger", "w1", server, /^silence$/);
  expect(await lab.ask("friend", "w1", server)).toBe("Hello from server");
  await lab.kubectl("delete networkpolicy deny friend");
  await lab.comesToAnswer("stranger", "w1", server, /^Hello from server$/);
});

test("everything is taken back", async () => {
  const destroy = await lab.stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
});
