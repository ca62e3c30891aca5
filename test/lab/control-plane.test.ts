import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { boot, exec, powerCut } from "../../components/lab/control.ts";
import { Stack } from "./stack.ts";

const lab = "t-members";
const hosts = ["cp1", "cp2", "cp3", "cp4", "w1", "w2"];

const program = `
import { KubernetesCluster, Registry, Site } from "spillway/lab";

const names = (variable: string) => process.env[variable]!.split(",");
const site = new Site("${lab}", { hosts: ${JSON.stringify(hosts)} });
const registry = new Registry("registry", { site, host: "w1" });
const cluster = new KubernetesCluster("c", {
  site, registry, version: "1.36", network: { mode: "overlay", policies: "unenforced" },
  apiAddress: site.range.replace("0/24", "9"),
  controlPlane: names("MEMBERS"),
  pools: {
    general: {
      hosts: names("WORKERS"),
      labels: { tier: process.env.TIER ?? "one", ...(process.env.TRIED ? { tried: "yes" } : {}) },
      taints: process.env.TRIED ? [{ key: "example.com/tried", effect: "PreferNoSchedule" }] : [],
    },
  },
});
export const { kubeconfig } = cluster;
export const hello = registry.image("hello", cluster.image("hello")).reference;
`;
const stack = new Stack({ name: "t-members", program, labs: [lab] });

const three = { MEMBERS: "cp1,cp2,cp3", WORKERS: "w1" };

async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await exec(lab, host, ["sh", "-euc", script]);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}
const kubectl = (words: string, member = "cp2") =>
  onHost(member, `KUBECONFIG=/etc/kubernetes/admin.conf kubectl ${words}`);
const nodes = () => kubectl("get nodes -o 'jsonpath={.items[*].metadata.name}'");

const etcdctl = (words: string, member: string) =>
  kubectl(
    `-n kube-system exec etcd-${member} -- etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt` +
      ` --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key ${words}`,
    member,
  );

async function etcdMembers(member: string): Promise<string[]> {
  const listed = await etcdctl("member list", member);
  return listed
    .split("\n")
    .map((line) => line.split(", ").slice(1, 3).reverse().join(" "))
    .sort();
}

/** Members that have the API's virtual address. */
async function holders(members: string[]): Promise<string[]> {
  const shown = members.map((member) => onHost(member, "ip -4 -o address show dev host0"));
  const addresses = await Promise.all(shown);
  return members.filter((_, i) => addresses[i]!.includes(".9/32"));
}

/** Asks the API as a user of the kubeconfig does, from this computer. */
async function nodesByKubeconfig(): Promise<string[]> {
  const { kubeconfig } = await stack.outputs<{ kubeconfig: string }>();
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  expect(config.getCurrentCluster()!.server).toMatch(/\.9:6443$/);
  const { items } = await config.makeApiClient(CoreV1Api).listNode();
  return items.map(({ metadata }) => metadata!.name!).sort();
}

beforeAll(async () => {
  const up = await stack.up(three);
  expect(up.code, up.text).toBe(0);
}, 20 * 60_000);
afterAll(() => stack.remove());

test("three members join one by one, etcd on each", async () => {
  expect(await nodes()).toBe("cp1 cp2 cp3 w1");
  expect(await etcdMembers("cp1")).toEqual(["cp1 started", "cp2 started", "cp3 started"]);
});

test("the API's address is on one member, moves when that one loses power, and the kubeconfig keeps working", async () => {
  const members = three.MEMBERS.split(",");
  const bounds = { timeout: 120_000, interval: 1000 };
  await expect.poll(async () => (await holders(members)).length, bounds).toBe(1);
  const everybody = ["cp1", "cp2", "cp3", "w1"];
  expect(await nodesByKubeconfig()).toEqual(everybody);

  const [lost] = await holders(members);
  const others = members.filter((member) => member !== lost);
  await powerCut(lab, lost!);
  await expect.poll(async () => (await holders(others)).length, bounds).toBe(1);
  await expect.poll(() => nodesByKubeconfig().catch(String), bounds).toEqual(everybody);

  const [heir] = await holders(others);
  await boot(lab, lost!);
  const health = () => etcdctl("endpoint health --cluster 2>&1 || :", heir!);
  await expect.poll(health, bounds).toMatch(/(is healthy[\s\S]*){3}/);
  const own = `https://$(hostname -I | cut -d ' ' -f 1):6443`;
  const ready = () => kubectl(`--server=${own} get --raw=/readyz 2>&1 || :`, lost!);
  await expect.poll(ready, bounds).toBe("ok");
  // Not back to the one that was there before: an address that does not move breaks no connection.
  expect(await holders(members)).toEqual([heir]);
});

test("pods reach each other across hosts through the tunnel", async () => {
  const { hello } = await stack.outputs<{ hello: string }>();
  const manifest = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: hello, namespace: default }
spec:
  selector: { matchLabels: { app: hello } }
  template:
    metadata: { labels: { app: hello } }
    spec:
      tolerations: [{ operator: Exists }]
      containers: [{ name: hello, image: "${hello}" }]
`;
  await onHost("cp1", `cat >/root/hello.yaml <<'EOF'\n${manifest}\nEOF`);
  await kubectl(
    "apply -f /root/hello.yaml && KUBECONFIG=/etc/kubernetes/admin.conf kubectl rollout status ds/hello --timeout=120s",
    "cp1",
  );
  const ips = (await kubectl("get pods -l app=hello -o 'jsonpath={.items[*].status.podIP}'")).split(" ");
  expect(ips).toHaveLength(4);
  for (const ip of ips) {
    const answer = await onHost(
      "w1",
      `timeout 10 bash -c 'exec 3<>/dev/tcp/${ip}/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'`,
    );
    expect(answer).toMatch(/^Hello from hello-/);
  }
  expect(await onHost("w1", "ip -d link show flannel.1")).toContain("vxlan id 1");
});

test("a worker joins and leaves by name, and its host is reset", async () => {
  const before = await onHost("w2", inventory);
  const more = await stack.up({ ...three, WORKERS: "w1,w2" });
  expect(more.code, more.text).toBe(0);
  expect(await nodes()).toBe("cp1 cp2 cp3 w1 w2");
  const less = await stack.up(three);
  expect(less.code, less.text).toBe(0);
  expect(await nodes()).toBe("cp1 cp2 cp3 w1");
  expect(await onHost("w2", inventory)).toBe(before);
});

test("what a failed update put on a node goes when the update is put back, what others put there stays", async () => {
  const marks = "get node w1 -o 'jsonpath={.metadata.labels.tried} {.spec.taints[*].key}'";
  await kubectl("taint node w1 example.com/theirs=yes:PreferNoSchedule");
  // The update fails behind the taints: at the patch.
  const failing = '#!/bin/sh\n[ "$2" != patch ] || exit 1\nexec /usr/local/bin/kubectl "$@"\n';
  const wrapper = "/usr/local/sbin/kubectl";
  for (const host of three.MEMBERS.split(","))
    await onHost(host, `printf %s '${failing}' >${wrapper}; chmod +x ${wrapper}`);
  const failed = await stack.up({ ...three, TRIED: "yes" });
  for (const host of three.MEMBERS.split(",")) await onHost(host, `rm ${wrapper}`);
  expect(failed.code, failed.text).not.toBe(0);
  expect(failed.text).toMatch(/host cp\d, settle w1/);
  expect((await kubectl(marks)).split(" ").sort()).toEqual(["example.com/theirs", "example.com/tried"]);
  const refresh = await stack.refresh(three);
  expect(refresh.code, refresh.text).toBe(0);
  const back = await stack.up(three);
  expect(back.code, back.text).toBe(0);
  expect(await kubectl(marks)).toBe("example.com/theirs");
});

test("a changed label reaches the node without a replacement", async () => {
  const up = await stack.up({ ...three, TIER: "two" });
  expect(up.code, up.text).toBe(0);
  expect(up.text).not.toMatch(/replac/);
  expect(await kubectl("get node w1 -o 'jsonpath={.metadata.labels.tier}'")).toBe("two");
});

test("the first member goes like any other, and leaves etcd cleanly", async () => {
  const up = await stack.up({ MEMBERS: "cp2,cp3,cp4", WORKERS: "w1", TIER: "two" });
  expect(up.code, up.text).toBe(0);
  expect(await nodes()).toBe("cp2 cp3 cp4 w1");
  expect(await etcdMembers("cp2")).toEqual(["cp2 started", "cp3 started", "cp4 started"]);
  expect(
    await onHost(
      "cp1",
      "ls -d /etc/kubernetes /etc/spillway/api-address /usr/local/bin/kubelet 2>/dev/null || echo gone",
    ),
  ).toBe("gone");
});

test("what would end etcd's quorum is refused before it starts, with the way on", async () => {
  await onHost(
    "cp3",
    "mv /etc/kubernetes/manifests/etcd.yaml /root/etcd.yaml; until ! pgrep -x etcd >/dev/null; do sleep 1; done",
  );
  const shrink = await stack.up({ MEMBERS: "cp3", WORKERS: "w1", TIER: "two" });
  expect(shrink.code).not.toBe(0);
  expect(shrink.text).toMatch(/removing it would end etcd's quorum.*bring cp3 back, or remove it first/s);
  const grow = await stack.up({ MEMBERS: "cp2,cp3,cp4,cp1,w2", WORKERS: "w1", TIER: "two" });
  expect(grow.code).not.toBe(0);
  expect(grow.text).toMatch(/etcd on cp3 is not healthy, so no member can join/);
});

test("a dead member is replaced by naming another host in its place, and nothing is left to do", async () => {
  const members = { MEMBERS: "cp2,cp4,cp1", WORKERS: "w1", TIER: "two" };
  const up = await stack.up(members);
  expect(up.code, up.text).toBe(0);
  const preview = await stack.previewNothing(members);
  expect(preview.code, preview.text).toBe(0);
  expect(await nodes()).toBe("cp1 cp2 cp4 w1");
  expect(await etcdMembers("cp2")).toEqual(["cp1 started", "cp2 started", "cp4 started"]);
});

test("a host changes its role by leaving first: a worker is not joined to the control plane as it runs", async () => {
  const promoted = { MEMBERS: "cp2,cp4,w1", WORKERS: "w2", TIER: "two" };
  const preview = await stack.run(["preview"], promoted);
  expect(preview.code).not.toBe(0);
  expect(preview.text).toMatch(
    /controlPlane: the machine of w1 is in this cluster already, as worker w1 at [\d.]+; take it out/,
  );
  const up = await stack.up(promoted);
  expect(up.code).not.toBe(0);
  expect(up.text).toMatch(
    /controlPlane: the machine of w1 is in this cluster already, as worker w1 at [\d.]+; take it out/,
  );
  expect(await nodes()).toContain("cp1 cp2 cp4 w1");
  const back = await stack.up({ MEMBERS: "cp2,cp4,cp1", WORKERS: "w1", TIER: "two" });
  expect(back.code, back.text).toBe(0);
  expect(await nodes()).toBe("cp1 cp2 cp4 w1");
});

test("an even control plane is refused before anything changes", async () => {
  const up = await stack.up({ MEMBERS: "cp2,cp3", WORKERS: "w1" });
  expect(up.code).not.toBe(0);
  expect(up.text).toMatch(/controlPlane: 2 hosts; give 1, 3 or 5/);
  expect(await nodes()).toBe("cp1 cp2 cp4 w1");
});

test("everything is taken back", async () => {
  const destroy = await stack.destroy(three);
  expect(destroy.code, destroy.text).toBe(0);
});

/** What a cluster could leave on a host. */
const inventory = `
find /etc /usr/local /var/lib/spillway /var/lib/cni /var/lib/kubelet /var/lib/etcd /run/spillway -xdev 2>/dev/null | sort
dpkg-query -W -f '\${Package} \${db:Status-Status}\\n'
ip -o link | sed 's/^[0-9]*: \\([^:@]*\\).*/\\1/'
iptables-save 2>/dev/null | sed -n 's/^-A/rule -A/p; s/^:\\([^ ]*\\) - .*/chain \\1/p'
systemctl list-unit-files --state=enabled --no-legend --plain
`;
