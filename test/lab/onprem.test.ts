import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../components/lab/control.ts";
import type { Connection } from "../../components/model/connection.ts";
import { checkout } from "../../tools/engine/paths.ts";
import { Stack } from "./stack.ts";
import { traces } from "./traces.ts";

const lab = "t-onprem";
const hosts = ["cp1", "w1", "w2"];

// Machines with sshd, systemd and nothing more; what the platform needs comes from Debian's archive.
const machines = new Stack({
  name: "t-machines",
  labs: [lab],
  program: `
import * as pulumi from "@pulumi/pulumi";
import { Site } from "spillway/lab";

const site = new Site("${lab}", { hosts: ${JSON.stringify(hosts)}, packages: ["sudo"], nat: true, disks: { cp1: { sdb: 5 }, w1: { sdb: 5 }, w2: { sdb: 5 } } });
export const range = site.range;
export const connections = pulumi.secret(pulumi.all(${JSON.stringify(hosts)}.map((host) => site.connection(host))));
`,
});

// What a user copies; its configuration belongs to the project `spillway`.
const platform = new Stack({
  name: "spillway",
  program: readFileSync(join(checkout, "stacks", "onprem.ts"), "utf8"),
});

interface Outputs {
  nodes: string[];
  registry: string;
  sampleUrl: string;
}

const machinesKnown: Record<string, Connection> = {};
let before: Awaited<ReturnType<typeof traces>>;
let bare: Record<string, string>;

beforeAll(async () => {
  before = await traces([lab]);
  const up = await machines.up();
  expect(up.code, up.text).toBe(0);
  const { range, connections } = await machines.outputs<{ range: string; connections: Connection[] }>();
  for (const host of hosts) await onHost(host, account);
  bare = await inventories();
  for (const connection of connections) machinesKnown[connection.host] = connection;
  fillIn(range, connections);
  const init = await platform.run(["stack", "init"]);
  expect(init.code, init.text).toBe(0);
  const set = await platform.run(["config", "set", "--secret", "sshKey"], {}, connections[0]!.privateKey);
  expect(set.code, set.text).toBe(0);
});

afterAll(async () => {
  await platform.remove();
  await machines.remove();
});

test("on machines known by address and host key alone, an account with sudo builds the platform", async () => {
  const up = await platform.up();
  expect(up.code, up.text).toBe(0);
  const outputs = await platform.outputs<Outputs>();
  expect(outputs.nodes).toEqual(hosts);
  // A host learns the way to another's pods a moment later; until then it refuses, and nobody else answers.
  const statuses = new Set<number>();
  const answer = async () => {
    const response = await fetch(outputs.sampleUrl);
    statuses.add(response.status);
    return response.text();
  };
  await expect.poll(answer, { timeout: 60_000, interval: 1000 }).toMatch(/^Hello from hello-/);
  expect([...statuses]).toEqual([200]);
});

test("a run without changes changes nothing, nor does a refresh", async () => {
  const refresh = await platform.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const preview = await platform.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("what a running cluster cannot follow is refused in preview, in the words of the change", async () => {
  const refusals: [(settings: string) => string, RegExp][] = [
    [
      (text) => text.replace("network: overlay", "network: bridge"),
      /network\.mode: \S*overlay\S* cannot become \S*bridge/,
    ],
    [(text) => text.replace("range: 10.", "range: 11."), /is no host address of the site's range/],
    [
      (text) => text.replace(/^( *)spillway:network: /m, "$1spillway:registryHost: w1\n$&"),
      /: (host|registry): \S+ cannot become \S+ as long as it lives/,
    ],
    [rename, /kubernetes-onprem\S* belongs to urn:.*onprem-w2-state; take that one away/],
    [
      (text) => text.replace("container: true", "contaner: true"),
      /contaner: there is no such argument; did you mean container/,
    ],
  ];
  for (const [change, expected] of refusals) {
    const preview = await withSettings(change, () => platform.run(["preview"]));
    expect(preview.code, preview.text).not.toBe(0);
    expect(preview.text).toMatch(expected);
  }
});

test("a name that changes beside its machine is refused before the machine does, and the way back is free", async () => {
  const up = await withSettings(rename, () => platform.up());
  expect(up.code, up.text).not.toBe(0);
  expect(up.text).toMatch(/the state "kubernetes-onprem" belongs to urn:.*onprem-w2-state/);
  const back = await platform.up();
  expect(back.code, back.text).toBe(0);
  const preview = await platform.previewNothing();
  expect(preview.code, preview.text).toBe(0);
  expect(await nodes()).toBe("cp1 w1 w2");
});

test("a worker's machine that moved to another address joins anew from there", async () => {
  const { address } = machinesKnown.w2!;
  const moved = address.replace(/\d+$/, "251");
  const move = (from: string, to: string) =>
    onHost(
      "w2",
      `sysctl -qw net.ipv4.conf.host0.promote_secondaries=1
ip address add ${to}/24 dev host0
ip address delete ${from}/24 dev host0`,
    );
  await move(address, moved);
  const to = (text: string) => text.replace(`address: ${address},`, `address: ${moved},`);
  const up = await withSettings(to, () => platform.up({ SPILLWAY_DELETE_UNREACHABLE: "true" }));
  expect(up.code, up.text).toBe(0);
  const preview = await withSettings(to, () => platform.previewNothing());
  expect(preview.code, preview.text).toBe(0);
  expect(await nodeAddress("w2")).toBe(moved);
  await move(moved, address);
  const back = await platform.up({ SPILLWAY_DELETE_UNREACHABLE: "true" });
  expect(back.code, back.text).toBe(0);
  expect(await nodeAddress("w2")).toBe(address);
});

test("what was done to the cluster behind its back is found by refresh and put right", async () => {
  await kubectl("delete node w2");
  await kubectl("label node w1 spillway.io/pool-");
  await kubectl("taint node w1 example.com/theirs=yes:PreferNoSchedule");
  const refresh = await platform.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const up = await platform.up();
  expect(up.code, up.text).toBe(0);
  expect(await nodes()).toBe("cp1 w1 w2");
  expect(await kubectl("get node w1 -o 'jsonpath={.metadata.labels.spillway\\.io/pool}'")).toBe("general");
  expect(await kubectl("get node w1 -o 'jsonpath={.spec.taints[*].key}'")).toBe("example.com/theirs");
  const preview = await platform.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("a replacement that the user asks for takes the old one away before the new one comes", async () => {
  const urn = (await resources()).find((one) => one.endsWith("spillway:kubeadm:Worker::onprem-w2"))!;
  const up = await platform.run(["up", "--yes", "--skip-preview", "--replace", urn]);
  expect(up.code, up.text).toBe(0);
  expect(await nodes()).toBe("cp1 w1 w2");
  expect(await kubectl("wait --for=condition=Ready node/w2 --timeout=60s")).toContain("condition met");
});

test("half of a refused change is not made, even without a preview", async () => {
  const routes = () =>
    onHost("w1", "systemctl is-active flanneld; ls /etc/systemd/system | grep spillway-routes || :");
  const before = await routes();
  const up = await withSettings(
    (text) => text.replace("network: overlay", "network: bridge"),
    () => platform.up(),
  );
  expect(up.code, up.text).not.toBe(0);
  expect(await routes()).toBe(before);
});

test("one word of the settings brings Ceph, whose volume pods of two nodes share", {
  timeout: 20 * 60_000,
}, async () => {
  const osds = hosts.map((host) => `${host}: [/dev/sdb]`).join(", ");
  const ceph = `{ monitors: [cp1], osds: { ${osds} }, osdMemoryMiB: 896, allowDataLoss: true }`;
  const word = (text: string) =>
    text.replace(/^( *)spillway:network: /m, `$1spillway:store: ceph\n$1spillway:ceph: ${ceph}\n$&`);
  await withSettings(word, async () => {
    const up = await platform.up();
    expect(up.code, up.text).toBe(0);
    expect((await platform.outputs<{ storeHealth: string }>()).storeHealth).toBe("HEALTH_OK");
    const image = await kubectl(
      "-n hello get deployment hello -o 'jsonpath={.spec.template.spec.containers[0].image}'",
    );
    await onHost("cp1", `cat >/root/shared.yaml <<'EOF'\n${sharing(image)}\nEOF`);
    await kubectl("apply -f /root/shared.yaml && rm /root/shared.yaml");
    await kubectl("rollout status daemonset/sharing --timeout=300s");
    await onHost("w1", "echo from w1 >/srv/shared/one");
    expect(await onHost("w2", "cat /srv/shared/one")).toBe("from w1");
    expect(await onHost("w2", `cat "/proc/$(${helloOf("sharing")})/root/shared/one"`)).toBe("from w1");
    const preview = await platform.previewNothing();
    expect(preview.code, preview.text).toBe(0);
    await kubectl("delete daemonset sharing --wait");
  });
  const without = await platform.up();
  expect(without.code, without.text).toBe(0);
});

test("destroy gives the machines back as they were, whatever budgets hold its pods", async () => {
  const image = await kubectl(
    "-n hello get deployment hello -o 'jsonpath={.spec.template.spec.containers[0].image}'",
  );
  await onHost("cp1", `cat >/root/held.yaml <<'EOF'\n${held(image)}\nEOF`);
  await kubectl("apply -f /root/held.yaml && rm /root/held.yaml");
  await kubectl("rollout status deployment/held --timeout=120s");
  const destroy = await platform.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  expect(await inventories()).toEqual(bare);
});

test("without the machines nothing is left on this computer", async () => {
  const destroy = await machines.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  await sleep(500);
  expect(await traces([lab])).toEqual(before);
});

const account = `
useradd --create-home ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
install -d -o ops -m 0700 /home/ops/.ssh
install -o ops -m 0600 /root/.ssh/authorized_keys /home/ops/.ssh/authorized_keys
`;

/**
 * Packages, our places, links, routes and rules; names only where numbers count packets or time. An empty
 * ceph-osd.conf is what a lab has in the place of the package's, and goes with that.
 */
const inventory = `
dpkg-query -W -f '\${Package} \${db:Status-Status}\\n'
find /etc /usr/local /opt /var/lib/spillway /var/lib/kubelet /var/lib/etcd /var/lib/cni -xdev \\
  ! -path '/etc/*-' ! -name ld.so.cache ! -path /etc/sysctl.d/30-ceph-osd.conf -printf '%y %p %m %u:%g\\n' 2>/dev/null || :
ip -o link | sed 's/^[0-9]*: \\([^:@]*\\).*/link \\1/'
ip -4 route
systemctl list-units --state=active,failed --type=service,mount --no-legend --plain | cut -d ' ' -f 1 | grep -v 'session\\|user'
`;

async function inventories(): Promise<Record<string, string>> {
  const found = await Promise.all(hosts.map((host) => onHost(host, inventory)));
  return Object.fromEntries(hosts.map((host, i) => [host, found[i]!.split("\n").sort().join("\n")]));
}

async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await exec(lab, host, ["sh", "-euc", script]);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}

/** A workload of somebody else's that no eviction may touch. */
const held = (image: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: held, namespace: default }
spec:
  replicas: 2
  selector: { matchLabels: { app: held } }
  template:
    metadata: { labels: { app: held } }
    spec: { containers: [{ name: held, image: "${image}" }] }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: held, namespace: default }
spec: { maxUnavailable: 0, selector: { matchLabels: { app: held } } }`;

/** A pod on each worker that has the shared volume. */
const sharing = (image: string) => `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: sharing, namespace: default }
spec:
  selector: { matchLabels: { app: sharing } }
  template:
    metadata: { labels: { app: sharing } }
    spec:
      containers: [{ name: sharing, image: "${image}", volumeMounts: [{ name: shared, mountPath: /shared }] }]
      volumes: [{ name: shared, persistentVolumeClaim: { claimName: shared } }]`;

/** Shell text for the process of a running container: the image has no shell of its own to look with. */
const helloOf = (container: string) =>
  `for id in $(ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==${container}'); do
  ctr -n k8s.io tasks ls | awk -v id="$id" '$1 == id && $3 == "RUNNING" { print $2 }'
done | tail -n 1`;

async function resources(): Promise<string[]> {
  const { stdout } = await platform.run(["stack", "export"]);
  const state = JSON.parse(stdout) as { deployment: { resources: { urn: string }[] } };
  return state.deployment.resources.map(({ urn }) => urn);
}

const kubectl = (words: string) => onHost("cp1", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl ${words}`);
const nodes = () => kubectl("get nodes -o 'jsonpath={.items[*].metadata.name}'");
const nodeAddress = (node: string) =>
  kubectl(`get node ${node} -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'`);

/** Says another name for the machine of w2; keys and ciphers may hold these letters too. */
const rename = (settings: string) =>
  settings.replace(/\bw2(?=[:\]])|- w2$/gm, (found) => found.replace("w2", "node2"));

const settingsFile = join(platform.project, "Pulumi.t.yaml");

/** Does something while the settings are others. */
async function withSettings<T>(change: (settings: string) => string, use: () => Promise<T>): Promise<T> {
  const settings = readFileSync(settingsFile, "utf8");
  const changed = change(settings);
  expect(changed).not.toBe(settings);
  writeFileSync(settingsFile, changed);
  try {
    return await use();
  } finally {
    writeFileSync(settingsFile, settings);
  }
}

/** The example's settings with these machines in the places of its addresses and host keys. */
function fillIn(range: string, connections: readonly Connection[]): void {
  let settings = readFileSync(join(checkout, "Pulumi.onprem.yaml"), "utf8")
    .replace("192.0.2.0/24", range)
    .replace("sshUser: root", "sshUser: ops")
    // Bare machines would each fetch and unpack a compiler; policies have tests of their own.
    .replace("network: overlay", "network: overlay\n  spillway:policies: unenforced");
  for (const { host, address, hostKey } of connections) {
    const example = new RegExp(`(${host}: \\{) .* \\}`);
    expect(settings).toMatch(example);
    const said = `$1 address: ${address}, hostKey: "${hostKey.trim()}", container: true }`;
    settings = settings.replace(example, said);
  }
  writeFileSync(settingsFile, settings);
}
