import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkout } from "../../tools/engine/paths.ts";
import { type ControlPlane, startControlPlane } from "./stand-in.cluster.ts";

const secret = "canary-5822";
const image = `registry.example.com/shop@sha256:${"0f".repeat(32)}`;
const program = `
import { readFileSync } from "node:fs";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { WebService } from "${checkout}/components/kubernetes/index.ts";

const kubeconfig = pulumi.secret(readFileSync(process.env.TEST_KUBECONFIG!, "utf8"));
const provider = new kubernetes.Provider("first", { kubeconfig, clusterIdentifier: "test", enablePatchForce: true });
const shop = new WebService("shop", { image: "${image}", replicas: Number(process.env.TEST_REPLICAS ?? 2) }, { provider });
new kubernetes.core.v1.Secret("password", { stringData: { password: pulumi.secret("${secret}") } }, { provider });
const named = new kubernetes.core.v1.ConfigMap("named", { data: { a: process.env.TEST_DATA ?? "1" } }, { provider });
new kubernetes.yaml.ConfigFile("file", { file: "objects.yaml" }, { provider });

// A cluster that is made in the same run: its kubeconfig is not known in the first preview.
const later = pulumi.all([kubeconfig, named.metadata.uid]).apply(([text]) => text);
const second = new kubernetes.Provider("second", { kubeconfig: later, clusterIdentifier: "test" });
new kubernetes.core.v1.ConfigMap("late", { metadata: { name: "late" }, data: { b: "2" } }, { provider: second });

export const port = shop.nodePort;
export const name = named.metadata.name;
`;
const objects = `
apiVersion: v1
kind: ConfigMap
metadata: { name: from-file }
data: { mode: "0644" }
`;

let plane: ControlPlane;
let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stand-in-engine-"));
  plane = await startControlPlane();
  mkdirSync(join(folder, "project"));
  const files: Record<string, string> = {
    "Pulumi.yaml":
      "name: trial\nruntime:\n  name: nodejs\n  options:\n    typescript: false\nmain: index.ts\n",
    "package.json": '{ "type": "module" }',
    "index.ts": program,
    "objects.yaml": objects,
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, "project", path), text);
  symlinkSync(join(checkout, "node_modules"), join(folder, "project", "node_modules"));
  env = {
    ...process.env,
    XDG_STATE_HOME: join(folder, "state"),
    NO_COLOR: "1",
    TEST_KUBECONFIG: join(plane.folder, "kubeconfig"),
  };
  for (const name of Object.keys(env)) if (name.startsWith("PULUMI_")) delete env[name];
}, 120_000);

afterAll(async () => {
  await plane?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function pulumi(args: string[], more: NodeJS.ProcessEnv = {}): Promise<{ code: number; text: string }> {
  const options = { cwd: join(folder, "project"), env: { ...env, ...more }, timeout: 200_000 };
  return new Promise((resolve) => {
    const child = execFile(join(checkout, "tools", "pulumi"), args, options, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, text: out + err }),
    );
  });
}

async function succeed(args: string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, text } = await pulumi(args, more);
  expect(code, text).toBe(0);
  expect(text).not.toContain(secret);
  return text;
}

const up = ["up", "-s", "t", "--yes", "--skip-preview"];
const noChange = ["preview", "-s", "t", "--expect-no-changes"];

test("a program is previewed, brought up, left alone, refreshed, repaired and destroyed", async () => {
  const first = await succeed(["preview", "-s", "t"]);
  expect(first).toMatch(/\+ 16 to create/);
  expect(first).toContain("a stand-in of Spillway's tools serves");
  expect(first).not.toMatch(/warning/i);
  const made = await succeed(["up", "-s", "t", "--yes"]);
  expect(made).toMatch(/port: +3\d{4}/);
  expect(made).toMatch(/name: +"named-[0-9a-f]{8}"/);
  expect(made).not.toMatch(/warning/i);
  await succeed(noChange);

  const path = "/apis/apps/v1/namespaces/shop/deployments/shop?fieldManager=kubectl-edit";
  const change = { metadata: { labels: { "app.kubernetes.io/name": "changed" } } };
  await plane.call("PATCH", path, change, "application/merge-patch+json");
  expect((await plane.call("DELETE", "/api/v1/namespaces/default/configmaps/from-file")).code).toBe(200);
  expect(await succeed(["refresh", "-s", "t", "--yes"])).toMatch(/~ 1 updated[\s\S]*- 1 deleted/);
  await succeed(up);
  expect((await plane.call("GET", "/api/v1/namespaces/default/configmaps/from-file")).code).toBe(200);
  await succeed(noChange);

  const renewed = join(folder, "renewed");
  writeFileSync(
    renewed,
    readFileSync(env.TEST_KUBECONFIG!, "utf8")
      .replace('"admin","user"', '"root","user"')
      .replace('"user":"admin"', '"user":"root"'),
  );
  const other = { TEST_KUBECONFIG: renewed };
  expect(await succeed(["preview", "-s", "t"], other)).not.toMatch(/replace/);
  await succeed(up, other);
  const replaced = await succeed(up, { ...other, TEST_DATA: "2", TEST_REPLICAS: "3" });
  expect(replaced).toMatch(/1 replaced|\+-1/);

  const state = readdirSync(join(folder, "state"), { recursive: true, withFileTypes: true });
  const texts = state
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  expect(texts.some((text) => text.includes("kubernetes:core/v1:Secret"))).toBe(true);
  for (const text of texts) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(Buffer.from(secret).toString("base64"));
  }

  await succeed(["destroy", "-s", "t", "--yes"], other);
  expect((await plane.call("GET", "/api/v1/namespaces/shop")).code).toBe(404);
  expect((await plane.call("GET", "/api/v1/namespaces/default/configmaps/late")).code).toBe(404);
}, 400_000);
