import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec, powerCut } from "../../components/lab/control.ts";
import { namespaceName } from "../../components/lab/names.ts";
import { Stack } from "../lab/stack.ts";
import { traces } from "../lab/traces.ts";

const lab = "u-underlay";
const hosts = ["cp1", "w1", "w2"];

// Six addresses for pods: the range of eight less the router's and an excluded one.
const program = `
import { KubernetesCluster, Registry, Site } from "spillway/lab";

const addresses = { cp1: "10.99.7.11", w1: "10.99.7.21", w2: "10.99.7.22" };
const site = new Site("${lab}", { hosts: ${JSON.stringify(hosts)}, range: "10.99.7.0/24", addresses });
const registry = new Registry("registry", { site, host: "cp1" });
const cluster = new KubernetesCluster("c", {
  site, registry, version: "1.36",
  controlPlane: ["cp1"],
  pools: { general: { hosts: process.env.WORKERS!.split(",") } },
  network: {
    mode: "underlay",
    policies: "unenforced",
    underlay: { range: "10.99.7.64/29", gateway: "10.99.7.1", exclude: ["10.99.7.64/31"] },
  },
});
export const hello = registry.image("hello", cluster.image("hello")).reference;
`;
const stack = new Stack({ name: lab, program, labs: [lab] });
const free = ["66", "67", "68", "69", "70", "71"].map((last) => `10.99.7.${last}`);
const both = { WORKERS: "w1,w2" };
const one = { WORKERS: "w1" };

let before: Awaited<ReturnType<typeof traces>>;
let hello: string;
let bare: string;

beforeAll(async () => {
  before = await traces([lab]);
  const first = await stack.up(one);
  expect(first.code, first.text).toBe(0);
  bare = await inventory("w2");
  const up = await stack.up(both);
  expect(up.code, up.text).toBe(0);
  ({ hello } = await stack.outputs<{ hello: string }>());
});
afterAll(() => stack.remove());

const attempt = (host: string, script: string) =>
  exec(lab, host, ["sh", "-euc", `export KUBECONFIG=/etc/kubernetes/admin.conf\n${script}`]);
async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await attempt(host, script);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}
const kubectl = (words: string) => onHost("cp1", `kubectl ${words}`);

/** What a node's network puts on a host. */
const inventory = (host: string) =>
  onHost(
    host,
    `find /etc/cni /etc/spillway /usr/lib/cni /var/lib/cni /usr/local -printf '%y %p %m\\n' 2>/dev/null | sort || :
ip -o link | sed 's/^[0-9]*: \\([^:@]*\\).*/link \\1/'
ip -4 route`,
  );

const namespace = (name: string, label: string) => `
apiVersion: v1
kind: Namespace
metadata: { name: ${name}, labels: { ${label} } }`;
const deployment = (node: string, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: on-${node}, namespace: lan }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: on-${node} } }
  template:
    metadata:
      labels: { app: on-${node} }
      annotations: { k8s.v1.cni.cncf.io/networks: kube-system/site }
    spec:
      nodeSelector: { kubernetes.io/hostname: ${node} }
      containers: [{ name: hello, image: "${hello}" }]`;
const apply = (...manifests: string[]) =>
  onHost("cp1", `kubectl apply -f - <<'EOF'\n${manifests.join("\n---")}\nEOF`);

/** Own addresses of the pods of a deployment, by what Multus notes on them. */
async function ownAddresses(node: string): Promise<string[]> {
  const found = await kubectl(`-n lan get pods -l app=on-${node} -o json`);
  const { items } = JSON.parse(found) as { items: { metadata: { annotations?: Record<string, string> } }[] };
  return items.flatMap(({ metadata }) => {
    const networks = JSON.parse(metadata.annotations?.["k8s.v1.cni.cncf.io/network-status"] ?? "[]");
    return (networks as { name: string; ips?: string[] }[])
      .filter(({ name }) => name === "kube-system/site")
      .flatMap(({ ips = [] }) => ips);
  });
}

/** Addresses in use, as whereabouts keeps them. */
async function heldAddresses(): Promise<string[]> {
  const places = await kubectl(
    "-n kube-system get ippools -o go-template='{{range .items}}{{range $place, $held := .spec.allocations}}{{$place}} {{end}}{{end}}'",
  );
  return places
    .split(" ")
    .filter((place) => place !== "")
    .map((place) => `10.99.7.${place}`)
    .sort();
}

/** The first line of an HTTP answer, asked by the shell of a host. */
const ask = (address: string) => `timeout 5 bash -c '
exec 3<>/dev/tcp/${address}/8080
printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3
tail -n 1 <&3'`;

test("several pods at once have an address each, which other hosts and this computer reach without translation", async () => {
  await apply(namespace("lan", "spillway.io/underlay: allowed"), deployment("w1", 2), deployment("w2", 2));
  for (const node of ["w1", "w2"])
    await kubectl(`-n lan rollout status deployment/on-${node} --timeout=240s`);
  const [onW1, onW2] = [await ownAddresses("w1"), await ownAddresses("w2")];
  const all = [...onW1, ...onW2];
  expect(new Set(all).size).toBe(4);
  for (const address of all) expect(free).toContain(address);
  expect(await heldAddresses()).toEqual(all.sort());
  for (const address of onW1) {
    expect(await onHost("w2", ask(address))).toMatch(/^Hello from on-w1-/);
    expect(await (await fetch(`http://${address}:8080`)).text()).toMatch(/^Hello from on-w1-/);
  }
});

test("what a pod sends from its own address arrives from it, whole packets too, and its own host does not see it", async () => {
  const [address] = await ownAddresses("w1");
  const pid = await onHost("w1", podProcess(address!));
  const seen = await onHost(
    "w1",
    `nsenter --target ${pid} --net ping -n -q -c 1 -w 10 -M do -s 1472 -I ${address} 10.99.7.22 >&2
nsenter --target ${pid} --net ip -o -4 address show dev net1 | sed 's/.*inet \\([^ ]*\\) .*/\\1/'`,
  );
  expect(seen).toBe(`${address}/24`);
  const neighbours = await onHost("w2", `ip neighbour show ${address}`);
  const link = await onHost(
    "w1",
    `nsenter --target ${pid} --net ip -o link show net1 | sed 's/.*ether \\([^ ]*\\).*/\\1/'`,
  );
  expect(neighbours).toContain(link);
  expect((await attempt("w1", `timeout 3 ping -n -q -c 1 ${address}`)).code).not.toBe(0);
});

test("a client beyond the site's network is answered through its router", async () => {
  const [address] = await ownAddresses("w1");
  const inside = (...argv: string[]) =>
    promisify(execFile)("nsenter", [`--net=/run/netns/${namespaceName(lab)}`, ...argv]);
  await inside("ip", "address", "add", "192.0.2.1/32", "dev", "lo");
  const { stdout } = await inside(
    process.execPath,
    "-e",
    `require("node:http").get({ host: "${address}", port: 8080, localAddress: "192.0.2.1", timeout: 10000 }, (answer) => answer.pipe(process.stdout))
      .on("timeout", () => process.exit(1))`,
  );
  expect(stdout).toMatch(/^Hello from on-w1-/);
});

test("the cluster's own network serves these pods as all others", async () => {
  const ips = await kubectl("-n lan get pods -l app=on-w2 -o 'jsonpath={.items[*].status.podIP}'");
  for (const ip of ips.split(" ")) expect(await onHost("w1", ask(ip))).toMatch(/^Hello from on-w2-/);
  for (const ip of ips.split(" ")) expect(await onHost("w2", ask(ip))).toMatch(/^Hello from on-w2-/);
});

test("a namespace that was not allowed to has no further networks, and nobody another first one", async () => {
  const pod = (space: string, annotation: string) => `
apiVersion: v1
kind: Pod
metadata: { name: refused, namespace: ${space}, annotations: { ${annotation}: kube-system/site } }
spec: { containers: [{ name: hello, image: "${hello}" }] }`;
  const refused = async (manifest: string) =>
    (await attempt("cp1", `kubectl apply -f - <<'EOF'\n${manifest}\nEOF`)).stderr;
  expect(await refused(pod("default", "k8s.v1.cni.cncf.io/networks"))).toContain(
    "label the namespace spillway.io/underlay=allowed",
  );
  expect(await refused(pod("lan", "v1.multus-cni.io/default-network"))).toContain(
    "every pod is on the cluster's own network",
  );
});

test("a run without changes changes nothing, nor does a refresh", async () => {
  const refresh = await stack.refresh(both);
  expect(refresh.code, refresh.text).toBe(0);
  const preview = await stack.previewNothing(both);
  expect(preview.code, preview.text).toBe(0);
});

test("a pod that ends gives its address back, and a range that is used up keeps the next one waiting", async () => {
  await kubectl("-n lan scale deployment/on-w1 --replicas=6");
  await until(async () => expect(await heldAddresses()).toEqual(free));
  await until(async () =>
    expect(await kubectl("-n lan get events -o 'jsonpath={.items[*].message}'")).toContain(
      "Could not allocate IP",
    ),
  );
  await kubectl("-n lan scale deployment/on-w1 --replicas=1");
  await until(async () => expect(await heldAddresses()).toHaveLength(3));
  await until(async () =>
    expect(await kubectl("get pods -A -o 'jsonpath={.items[*].metadata.deletionTimestamp}'")).toBe(""),
  );
});

test("nobody gets the addresses of a silent host, and everybody may once it has left", async () => {
  const lost = await ownAddresses("w2");
  await powerCut(lab, "w2");
  await kubectl("-n lan scale deployment/on-w1 --replicas=5");
  const release = () => onHost("cp1", "systemctl start spillway-addresses.service");
  await until(async () => expect(await heldAddresses()).toEqual(free));
  await release();
  expect((await ownAddresses("w1")).filter((address) => lost.includes(address))).toEqual([]);
  expect(await heldAddresses()).toEqual(free);
  const up = await stack.up({ ...one, SPILLWAY_DELETE_UNREACHABLE: "true" });
  expect(up.code, up.text).toBe(0);
  await kubectl("-n lan rollout status deployment/on-w1 --timeout=300s");
  const now = await ownAddresses("w1");
  expect(new Set(now).size).toBe(5);
  expect(now.filter((address) => lost.includes(address))).not.toEqual([]);
});

test("a host that leaves is as it was, and destroy leaves nothing on this computer", async () => {
  const back = await stack.refresh(one);
  expect(back.code, back.text).toBe(0);
  const joined = await stack.up(both);
  expect(joined.code, joined.text).toBe(0);
  expect(await onHost("w2", "ls /usr/lib/cni")).toContain("whereabouts");
  const left = await stack.up(one);
  expect(left.code, left.text).toBe(0);
  expect(await inventory("w2")).toBe(bare);
  const destroy = await stack.destroy(one);
  expect(destroy.code, destroy.text).toBe(0);
  await sleep(500);
  expect(await traces([lab])).toEqual(before);
});

/** Process of the pod that has an address, as its host numbers it. */
const podProcess = (address: string) => `
for pid in $(pgrep -x hello); do
  if nsenter --target "$pid" --net ip -o -4 address | grep -qF ' ${address}/'; then echo "$pid"; fi
done | head -n 1`;

/** Tries until what is expected holds, for three minutes. */
async function until(expectation: () => Promise<void>): Promise<void> {
  for (const end = Date.now() + 180_000; ; await sleep(1000)) {
    try {
      await expectation();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
