import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkout } from "../../tools/engine/paths.ts";
import { Stack } from "./stack.ts";

/*
 * A component may bear any type, and the engine has it judged as any other resource: no cloud and no cluster is
 * asked. What comes from `made` is not known in a preview.
 */
const program = `
import * as pulumi from "@pulumi/pulumi";

class Made extends pulumi.CustomResource {
  declare readonly value: pulumi.Output<string>;
  constructor() {
    super("spillway:secrets:Password", "made", { bytes: 16, encoding: "hex", value: undefined });
  }
}
class Judged extends pulumi.ComponentResource {
  constructor(type: string, name: string, props: pulumi.Inputs) { super(type, name, props); }
}

const digest = "registry.example.com/team/app@sha256:${"a".repeat(64)}";
const { CASE = "good" } = process.env;
const image = CASE === "later" ? pulumi.interpolate\`registry.example.com/team/app:\${new Made().value}\` : digest;
const securityContext = {
  runAsNonRoot: true,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
  ...(CASE === "privileged" || CASE === "later-privileged" ? { privileged: true } : {}),
};
const probe = { httpGet: { path: "/", port: 8080 } };
const container = {
  name: "web", image: CASE === "later-privileged" ? pulumi.interpolate\`\${new Made().value}\` : image, securityContext,
  resources: { limits: { cpu: "1", memory: "1Gi" } },
  livenessProbe: probe, readinessProbe: probe,
};
new Judged("kubernetes:apps/v1:Deployment", "web", {
  metadata: { name: "web", namespace: "web" },
  spec: { template: { spec: { automountServiceAccountToken: false, containers: [container] } } },
});
new Judged("kubernetes:core/v1:Namespace", "space", { metadata: { name: "web" } });
if (CASE !== "open") {
  new Judged("kubernetes:networking.k8s.io/v1:NetworkPolicy", "deny", {
    metadata: { name: "deny", namespace: "web" },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  });
}
`;

let stack: Stack;
let config: string;

beforeAll(async () => {
  stack = new Stack({ name: "policies", program });
  config = join(stack.folder, "policy-config.json");
  expect((await stack.run(["stack", "init"])).code).toBe(0);
});
afterAll(() => stack.remove());

const settings = { registries: ["registry.example.com/team"] };

/** Runs a command with the pack. */
async function judged(words: string[], which: string, given: object = { settings }) {
  writeFileSync(config, JSON.stringify(given));
  const pack = ["--policy-pack", join(checkout, "policies"), "--policy-pack-config", config];
  return stack.run([...words, ...pack], { CASE: which });
}

const UP = ["up", "--yes", "--skip-preview"];

async function resources(): Promise<string[]> {
  const { stdout } = await stack.run(["stack", "export"]);
  const { resources = [] } = JSON.parse(stdout).deployment as { resources?: { urn: string }[] };
  return resources.map(({ urn }) => urn.split("::").at(-1)!);
}

test("a preview of what is as it should be says nothing", async () => {
  const { code, text } = await judged(["preview"], "good");
  expect(code, text).toBe(0);
  expect(text).not.toMatch(/mandatory|advisory\] {2}(?!image-records)/);
});

test("a preview fails on what breaks a control, and names control, place and remedy", async () => {
  const { code, text } = await judged(["preview"], "privileged");
  expect(code).not.toBe(0);
  expect(text).toMatch(/\[mandatory\] +privileged +\(kubernetes:apps\/v1:Deployment: web\)/);
  expect(text).toContain("spec.template.spec.containers[0].securityContext.privileged");
});

test("up without a preview stops before the resource is made", async () => {
  const { code, text } = await judged(UP, "privileged");
  expect(code, text).not.toBe(0);
  expect(await resources()).not.toContain("web");
});

test("what is not known yet hides nothing else, and is judged before it is made", async () => {
  const unknown = await judged(["preview"], "later");
  expect(unknown.code, unknown.text).toBe(0);
  const both = await judged(["preview"], "later-privileged");
  expect(both.code).not.toBe(0);
  expect(both.text).toMatch(/\[mandatory\] +privileged/);
  const known = await judged(UP, "later");
  expect(known.code).not.toBe(0);
  expect(known.text).toMatch(/\[mandatory\] +require-digest/);
  expect(await resources()).not.toContain("web");
});

test("a rule over the whole stack stops a preview", async () => {
  const { code, text } = await judged(["preview"], "open");
  expect(code).not.toBe(0);
  expect(text).toMatch(/\[mandatory\] +default-deny +\(kubernetes:core\/v1:Namespace: space\)/);
});

test("advice stops nothing, and what is disabled is not said", async () => {
  const advised = await judged(["preview"], "privileged", { settings, privileged: "advisory" });
  expect(advised.code, advised.text).toBe(0);
  expect(advised.text).toMatch(/\[advisory\] +privileged/);
  const off = await judged(["preview"], "privileged", { settings, privileged: "disabled" });
  expect(off.code, off.text).toBe(0);
  expect(off.text).not.toContain("privileged");
});

test("without settings no registry is allowed", async () => {
  const { code, text } = await judged(["preview"], "good", {});
  expect(code).not.toBe(0);
  expect(text).toMatch(/\[mandatory\] +allowed-registries/);
});

const waiver = { control: "privileged", resource: "we*", reason: "a test", until: "2099-12-31" };

test("a waiver lets its resource pass; one that has ended is reported and does not", async () => {
  const waived = await judged(["preview"], "privileged", { settings: { ...settings, waivers: [waiver] } });
  expect(waived.code, waived.text).toBe(0);
  const old = { ...settings, waivers: [{ ...waiver, until: "2020-01-01" }] };
  const ended = await judged(["preview"], "privileged", { settings: old });
  expect(ended.code).not.toBe(0);
  expect(ended.text).toMatch(/\[advisory\] +settings/);
  expect(ended.text).toContain("waivers[0]: it ended on 2020-01-01; it waives nothing");
});

test("up goes through where all is as it should be", async () => {
  const { code, text } = await judged(UP, "good");
  expect(code, text).toBe(0);
  expect(await resources()).toContain("web");
});

test("Pulumi's own runner of policy packs serves it, too", async () => {
  const runner = join(checkout, "node_modules", "@pulumi", "pulumi", "cmd", "run-policy-pack", "index.js");
  const pack = join(checkout, "policies");
  const child = spawn(process.execPath, [runner, "127.0.0.1:1", pack], { cwd: pack });
  try {
    const lines = createInterface(child.stdout);
    const first = await Promise.race([once(lines, "line"), once(child, "close").then(() => ["it ended"])]);
    expect(first[0]).toMatch(/^\d+$/);
  } finally {
    child.kill();
  }
});
