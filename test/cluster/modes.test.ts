import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../components/lab/control.ts";
import { Stack } from "../lab/stack.ts";
import { traces } from "../lab/traces.ts";

const lab = "u-modes";

// Two clusters of one host each, side by side: pods without a network, and pods in that of their host.
const program = `
import { KubernetesCluster, Registry, Site } from "spillway/lab";

const site = new Site("${lab}", { hosts: ["alone", "shared"] });
const registry = new Registry("registry", { site, host: "alone" });
const common = { site, registry, version: "1.36" };
const none = new KubernetesCluster("none", { ...common, controlPlane: ["alone"], network: { mode: "none" } });
new KubernetesCluster("host", { ...common, controlPlane: ["shared"], network: { mode: "host" } }, { dependsOn: none });
export const hello = registry.image("hello", none.image("hello")).reference;
export const addresses = { alone: site.hosts.alone.address, shared: site.hosts.shared.address };
`;
const stack = new Stack({ name: lab, program, labs: [lab] });

interface Outputs {
  hello: string;
  addresses: Record<string, string>;
}

let before: Awaited<ReturnType<typeof traces>>;
let outputs: Outputs;

beforeAll(async () => {
  before = await traces([lab]);
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  outputs = await stack.outputs<Outputs>();
});
afterAll(() => stack.remove());

const attempt = (host: string, script: string) =>
  exec(lab, host, ["sh", "-euc", `export KUBECONFIG=/etc/kubernetes/admin.conf\n${script}`]);
async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await attempt(host, script);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}

const pod = (name: string, namespace: string, hostNetwork: boolean) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${name} } }
spec:
  hostNetwork: ${hostNetwork}
  tolerations: [{ operator: Exists }]
  containers: [{ name: hello, image: "${outputs.hello}" }]
`;
const apply = (manifest: string) => `kubectl apply -f - <<'EOF'\n${manifest}\nEOF`;
const privileged = `
apiVersion: v1
kind: Namespace
metadata: { name: trusted, labels: { pod-security.kubernetes.io/enforce: privileged } }`;

/** Interfaces and routes that a pod's program sees. */
const inside = `
kubectl wait --for=condition=Ready pod/jailed --timeout=180s >&2
pid=$(pgrep -x hello | head -n 1)
nsenter --target "$pid" --net ip -o link | sed 's/^[0-9]*: \\([^:@]*\\).*/\\1/'
nsenter --target "$pid" --net ip route
`;

test("in mode none a pod runs and has the loopback interface alone, no route, and an address that nobody has", async () => {
  await onHost("alone", apply(pod("jailed", "default", false)));
  expect(await onHost("alone", inside)).toBe("lo");
  expect(await onHost("alone", "kubectl get pod jailed -o 'jsonpath={.status.podIP}'")).toBe("192.0.0.8");
});

test("in mode none nothing runs that needs a network, and no pod takes its host's, wherever it may be", async () => {
  const system = await onHost("alone", "kubectl -n kube-system get pods -o name");
  expect(system).toContain("kube-apiserver-alone");
  expect(system).not.toMatch(/coredns|kube-proxy/);
  const { code, stderr } = await attempt("alone", apply(`${privileged}\n---${pod("free", "trusted", true)}`));
  expect(code).not.toBe(0);
  expect(stderr).toContain("pods of this cluster have no network");
});

test("in mode host a pod answers at its host's address, in a namespace whose pod security says so", async () => {
  const refused = await attempt("shared", apply(pod("free", "default", true)));
  expect(refused.stderr).toContain("hostNetwork=true");
  const service = `
apiVersion: v1
kind: Service
metadata: { name: free, namespace: trusted }
spec: { selector: { app: free }, type: NodePort, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }`;
  await onHost(
    "shared",
    `${apply(`${privileged}\n---${pod("free", "trusted", true)}\n---${service}`)}
kubectl -n trusted wait --for=condition=Ready pod/free --timeout=180s`,
  );
  expect(await answerOf(`http://${outputs.addresses.shared}:8080`)).toBe("Hello from shared\n");
  expect(await answerOf(`http://${outputs.addresses.shared}:30080`)).toBe("Hello from shared\n");
});

test("in mode host a pod that is not in its host's network has none", async () => {
  await onHost("shared", "kubectl -n trusted delete pod free --wait");
  await onHost("shared", apply(pod("jailed", "default", false)));
  expect(await onHost("shared", inside)).toBe("lo");
});

test("a stack that is renamed knows its clusters", async () => {
  await stack.rename("renamed");
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  expect(up.text).not.toMatch(/\b(replaced|deleted|created)\b/);
});

test("a run without changes changes nothing, and destroy leaves nothing", async () => {
  const again = await stack.previewNothing();
  expect(again.code, again.text).toBe(0);
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  await sleep(500);
  expect(await traces([lab])).toEqual(before);
});

/** What a server says, once it listens. */
async function answerOf(url: string): Promise<string> {
  for (const until = Date.now() + 180_000; ; await sleep(500)) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}
