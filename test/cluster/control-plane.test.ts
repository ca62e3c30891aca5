import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { boot, powerCut } from "../../components/lab/control.ts";
import { Members } from "./members.ts";

const lab = "t-members";
const cluster = new Members(lab);
const { three } = Members;

/** Members that have the API's virtual address. */
async function holders(members: string[]): Promise<string[]> {
  const shown = members.map((member) => cluster.onHost(member, "ip -4 -o address show dev host0"));
  const addresses = await Promise.all(shown);
  return members.filter((_, i) => addresses[i]!.includes(".9/32"));
}

/** Asks the API as a user of the kubeconfig does, from this computer. */
async function nodesByKubeconfig(): Promise<string[]> {
  const { kubeconfig } = await cluster.stack.outputs<{ kubeconfig: string }>();
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  expect(config.getCurrentCluster()!.server).toMatch(/\.9:6443$/);
  const { items } = await config.makeApiClient(CoreV1Api).listNode();
  return items.map(({ metadata }) => metadata!.name!).sort();
}

beforeAll(async () => {
  const up = await cluster.stack.up(three);
  expect(up.code, up.text).toBe(0);
}, 20 * 60_000);
afterAll(() => cluster.stack.remove());

test("three members join one by one, etcd on each", async () => {
  expect(await cluster.nodes()).toBe("cp1 cp2 cp3 w1");
  expect(await cluster.etcdMembers("cp1")).toEqual(["cp1 started", "cp2 started", "cp3 started"]);
});

test("the API's address is on one member, moves when that one loses power, and the kubeconfig keeps working", async () => {
  const members = three.MEMBERS.split(",");
  const bounds = { timeout: 300_000, interval: 1000 };
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
  const health = () => cluster.etcdctl("endpoint health --cluster 2>&1 || :", heir!);
  await expect.poll(health, bounds).toMatch(/(is healthy[\s\S]*){3}/);
  const own = `https://$(hostname -I | cut -d ' ' -f 1):6443`;
  const ready = () => cluster.kubectl(`--server=${own} get --raw=/readyz 2>&1 || :`, lost!);
  await expect.poll(ready, bounds).toBe("ok");
  // Not back to the one that was there before: an address that does not move breaks no connection.
  expect(await holders(members)).toEqual([heir]);
});

test("pods reach each other across hosts through the tunnel", async () => {
  const { hello } = await cluster.stack.outputs<{ hello: string }>();
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
  await cluster.onHost("cp1", `cat >/root/hello.yaml <<'EOF'\n${manifest}\nEOF`);
  await cluster.kubectl(
    "apply -f /root/hello.yaml && KUBECONFIG=/etc/kubernetes/admin.conf kubectl rollout status ds/hello --timeout=300s",
    "cp1",
  );
  const ips = (await cluster.kubectl("get pods -l app=hello -o 'jsonpath={.items[*].status.podIP}'")).split(
    " ",
  );
  expect(ips).toHaveLength(4);
  for (const ip of ips) {
    const answer = await cluster.onHost(
      "w1",
      `timeout 10 bash -c 'exec 3<>/dev/tcp/${ip}/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'`,
    );
    expect(answer).toMatch(/^Hello from hello-/);
  }
  expect(await cluster.onHost("w1", "ip -d link show flannel.1")).toContain("vxlan id 1");
});

test("a worker joins and leaves by name, and its host is reset", async () => {
  const before = await cluster.onHost("w2", inventory);
  const more = await cluster.stack.up({ ...three, WORKERS: "w1,w2" });
  expect(more.code, more.text).toBe(0);
  expect(await cluster.nodes()).toBe("cp1 cp2 cp3 w1 w2");
  const less = await cluster.stack.up(three);
  expect(less.code, less.text).toBe(0);
  expect(await cluster.nodes()).toBe("cp1 cp2 cp3 w1");
  expect(await cluster.onHost("w2", inventory)).toBe(before);
});

test("the first member goes like any other, and leaves etcd cleanly", async () => {
  const up = await cluster.stack.up({ MEMBERS: "cp2,cp3,cp4", WORKERS: "w1" });
  expect(up.code, up.text).toBe(0);
  expect(await cluster.nodes()).toBe("cp2 cp3 cp4 w1");
  expect(await cluster.etcdMembers("cp2")).toEqual(["cp2 started", "cp3 started", "cp4 started"]);
  expect(
    await cluster.onHost(
      "cp1",
      "ls -d /etc/kubernetes /etc/spillway/api-address /usr/local/bin/kubelet 2>/dev/null || echo gone",
    ),
  ).toBe("gone");
});

test("what would end etcd's quorum is refused before it starts, with the way on", async () => {
  await cluster.onHost(
    "cp3",
    "mv /etc/kubernetes/manifests/etcd.yaml /root/etcd.yaml; until ! pgrep -x etcd >/dev/null; do sleep 1; done",
  );
  const shrink = await cluster.stack.up({ MEMBERS: "cp3", WORKERS: "w1" });
  expect(shrink.code).not.toBe(0);
  expect(shrink.text).toMatch(/removing it would end etcd's quorum.*bring cp3 back, or remove it first/s);
  const grow = await cluster.stack.up({ MEMBERS: "cp2,cp3,cp4,cp1,w2", WORKERS: "w1" });
  expect(grow.code).not.toBe(0);
  expect(grow.text).toMatch(/etcd on cp3 is not healthy, so no member can join/);
  await cluster.onHost("cp3", "mv /root/etcd.yaml /etc/kubernetes/manifests/etcd.yaml");
  const health = () => cluster.etcdctl("endpoint health --cluster 2>&1 || :", "cp2");
  await expect.poll(health, { timeout: 300_000, interval: 1000 }).toMatch(/(is healthy[\s\S]*){3}/);
});

test("a control plane that would leave as a whole is refused before anything changes", async () => {
  const preview = await cluster.stack.run(["preview"], { MEMBERS: "cp1", WORKERS: "w1" });
  expect(preview.code).not.toBe(0);
  expect(preview.text).toMatch(/controlPlane: none of cp2, cp3, cp4\S* stays/);
});

test("an even control plane is refused before anything changes", async () => {
  const up = await cluster.stack.up({ MEMBERS: "cp2,cp3", WORKERS: "w1" });
  expect(up.code).not.toBe(0);
  expect(up.text).toMatch(/controlPlane: 2 hosts; give 1, 3 or 5/);
  expect(await cluster.nodes()).toBe("cp2 cp3 cp4 w1");
});

test("everything is taken back", async () => {
  const destroy = await cluster.stack.destroy({ MEMBERS: "cp2,cp3,cp4", WORKERS: "w1" });
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
