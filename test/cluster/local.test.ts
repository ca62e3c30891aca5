import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../components/lab/control.ts";
import { checkout } from "../../tools/engine/paths.ts";
import { filesOf, secretsOf, shown, watchCommandLines } from "../lab/secrets.ts";
import { ownPolicies, Stack } from "../lab/stack.ts";
import { kernelSettings, traces } from "../lab/traces.ts";

const lab = "t-local";

// The program that users run, in a lab of another name.
const program = readFileSync(join(checkout, "stacks", "local.ts"), "utf8").replace(
  'Site("lab"',
  `Site("${lab}"`,
);
const stack = new Stack({ name: "t-local", program, labs: [lab] });

interface Outputs {
  kubeconfig: string;
  nodes: string[];
  registry: string;
  sampleUrl: string;
  artifacts: string[];
  certificateExpiry: Record<string, string>;
}

let before: Awaited<ReturnType<typeof traces>>;
const settings = kernelSettings();
let outputs: Outputs;
/** Of the state, and of the tokens by which hosts joined; known once it is up. */
let secrets: string[];
const commandLines = watchCommandLines();

beforeAll(async () => {
  before = await traces([lab]);
  const preview = await stack.run(["preview"]);
  expect(preview.code, preview.text).toBe(0);
  expect(preview.text).toContain("No kernel setting (sysctl)");
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  outputs = await stack.outputs<Outputs>();
  // They are gone a quarter of an hour after the joins.
  const tokens = await kubectl(
    `-n kube-system get secrets --field-selector type=bootstrap.kubernetes.io/token -o 'jsonpath={.items[*].data.token-secret}'`,
  );
  const joinTokens = tokens.split(" ").map((token) => Buffer.from(token, "base64").toString());
  expect(joinTokens.length).toBeGreaterThanOrEqual(2);
  for (const token of joinTokens) expect(token).toMatch(/^[a-z0-9]{16}$/);
  secrets = [...(await secretsOf(stack)), ...joinTokens];
});
afterAll(async () => {
  commandLines.stop();
  await stack.remove();
});

const onHost = async (host: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await exec(lab, host, ["sh", "-euc", script]);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
};
const kubectl = (words: string) => onHost("cp1", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl ${words}`);

test("a run gives a cluster whose nodes are ready, and says what it is made of", async () => {
  expect(outputs.nodes).toEqual(["cp1", "w1", "w2"]);
  const ready = await kubectl(
    `get nodes -o 'jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'`,
  );
  expect(ready).toBe("cp1=True w1=True w2=True");
  expect(outputs.artifacts.join("\n")).toMatch(/kubelet 1\.36.* sha256:[0-9a-f]{64}$/m);
  expect(outputs.kubeconfig).toContain("client-key-data");
  for (const expiry of Object.values(outputs.certificateExpiry))
    expect(Date.parse(expiry)).toBeGreaterThan(Date.now());
});

test("the sample answers by HTTP from this computer, two replicas on two nodes", async () => {
  const answer = await fetch(outputs.sampleUrl);
  expect(answer.status).toBe(200);
  expect(await answer.text()).toMatch(/^Hello from hello-/);
  const nodes = await kubectl("-n hello get pods -o 'jsonpath={.items[*].spec.nodeName}'");
  expect(nodes.split(" ").sort()).toEqual(["w1", "w2"]);
});

test("every pod's image is addressed by digest in the site's registry", async () => {
  const images = await kubectl("get pods -A -o 'jsonpath={.items[*].spec.containers[*].image}'");
  for (const image of images.split(" ")) {
    expect(image).toMatch(
      new RegExp(`^${outputs.registry.replaceAll(".", "\\.")}/[a-z-]+@sha256:[0-9a-f]{64}$`),
    );
  }
});

test.each(["GET", "POST"])("the registry refuses an anonymous %s", async (method) => {
  const path = method === "GET" ? "/v2/hello/tags/list" : "/v2/hello/blobs/uploads/";
  expect(await status(method, `https://${outputs.registry}${path}`)).toBe(401);
});

test("secrets are encrypted in etcd, and requests are logged", async () => {
  await kubectl("-n default create secret generic canary --from-literal=key=canary-in-etcd");
  const stored = await kubectl(
    "-n kube-system exec etcd-cp1 -- etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt" +
      " --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key" +
      " get /registry/secrets/default/canary --print-value-only | head -c 40",
  );
  expect(stored).toContain("k8s:enc:secretbox:v1:key1:");
  const log = await onHost("cp1", 'grep \'"name":"canary"\' /var/log/kubernetes/audit.log | tail -n 1');
  expect(JSON.parse(log)).toMatchObject({ verb: "create", user: { username: "kubernetes-admin" } });
  expect(log).not.toContain("canary-in-etcd");
  await kubectl("-n default delete secret canary");
});

test("an anonymous request reaches the API's health and no object", async () => {
  const api = `https://${outputs.registry.split(":")[0]}:6443`;
  expect(await status("GET", `${api}/readyz`)).toBe(200);
  expect(await status("GET", `${api}/api/v1/namespaces/kube-system/secrets`)).toBe(401);
});

test("a run without changes changes nothing, nor does a refresh", async () => {
  const again = await stack.previewNothing();
  expect(again.code, again.text).toBe(0);
  const refresh = await stack.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("the policy pack finds nothing that the project's own waivers do not name", async () => {
  const { code, text } = await stack.run(["preview", ...ownPolicies]);
  expect(code, text).toBe(0);
  expect(text).toMatch(/Policies:\s+.*spillway/);
});

test("running pods keep their network when a host's agent is started anew", async () => {
  for (const host of ["w1", "w2"]) await onHost(host, "systemctl restart cilium-agent");
  for (let i = 0; i < 6; i++) expect((await fetch(outputs.sampleUrl)).status).toBe(200);
});

test("the sample's pods reach nothing of the cluster, as their policy says, where their host does", async () => {
  const api = await kubectl("get service kubernetes -o 'jsonpath={.spec.clusterIP}'");
  // A process of the host, in whose control groups services are translated.
  const reach = (address: string, from = "") =>
    onHost(
      "w1",
      `systemd-run --quiet --collect --wait --pipe ${from} timeout 5 bash -c 'exec 3<>/dev/tcp/${address}' 2>/dev/null && echo open || echo closed`,
    );
  const pod = `nsenter --net --target "$(pgrep -x hello | head -n 1)"`;
  expect(await reach(`${api}/443`)).toBe("open");
  expect(await reach("127.0.0.1/8080", pod)).toBe("open");
  expect(await reach(`${api}/443`, pod)).toBe("closed");
});

test("drift on a host is found by refresh, named by path, and repaired by up", async () => {
  await onHost(
    "w1",
    "echo '# by hand' >>/etc/containerd/config.toml; rm /etc/spillway/cilium/agent.kubeconfig; systemctl stop kubelet",
  );
  expect((await stack.refresh()).code).toBe(0);
  const preview = await stack.run(["preview", "--diff"]);
  expect(preview.text).toContain("/etc/containerd/config.toml");
  expect(preview.text).toContain("/etc/spillway/cilium/agent.kubeconfig");
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  expect(
    await onHost(
      "w1",
      "tail -n 1 /etc/containerd/config.toml; systemctl is-active kubelet containerd cilium-agent",
    ),
  ).not.toContain("by hand");
  const after = await stack.previewNothing();
  expect(after.code, after.text).toBe(0);
});

test("the computer's kernel is set as before, whatever kubelet wants", async () => {
  expect(kernelSettings()).toEqual(settings);
});

test("no secret shows in the plain state, or in logs and leftovers of hosts", async () => {
  expect(secrets.length).toBeGreaterThan(10);
  const places: Record<string, string> = { "the state": filesOf(stack) };
  for (const host of ["cp1", "w1", "w2"]) {
    places[`${host}: journal`] = await onHost(host, "journalctl --no-pager -o cat");
    places[`${host}: logs and leftovers`] = await onHost(
      host,
      "find /run/spillway /tmp /var/tmp /var/log -type f ! -path '*/journal/*' -exec cat {} + 2>/dev/null || :",
    );
  }
  expect(shown(secrets, places)).toEqual([]);
});

test("destroy leaves nothing on this computer", async () => {
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  await sleep(500);
  expect(await traces([lab])).toEqual(before);
});

test("no secret showed in what any run printed, in a command line while they ran, and in what is left", () => {
  const ran = commandLines.text();
  // Of this computer and of the hosts.
  const programs = ["pulumi up", "skopeo copy", "kubeadm init", "kubeadm join"];
  expect(programs.filter((program) => !ran.includes(program))).toEqual([]);
  const places = { "command lines": ran, "what the runs printed": stack.said(), "the state": filesOf(stack) };
  expect(shown(secrets, places)).toEqual([]);
});

/** Status of an answer, whoever signed the certificate: who may ask is the question here. */
function status(method: string, url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on("error", reject).end();
  });
}
