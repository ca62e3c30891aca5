import { afterAll, beforeAll, expect, test } from "vitest";
import { boot, powerCut } from "../../components/lab/control.ts";
import { readNetwork } from "../../components/lab/record.ts";
import { denial, eventually, PolicyLab } from "./policies.ts";

const name = "c-bridge";
// The lab gives its hosts addresses from the tenth on, and the gateway is the first.
const lab = new PolicyLab(
  name,
  ["cp1", "w1", "w2"],
  '{ mode: "bridge", policies: "enforced", loadBalancers: site.range.replace(".0/24", ".4/30") }',
);
let server: string;

beforeAll(async () => {
  const up = await lab.stack.up();
  expect(up.code, up.text).toBe(0);
  await lab.start({ server: "w2", clients: "w1" });
  server = await lab.addressOf("server");
});
afterAll(() => lab.stack.remove());

test("a second run changes nothing", async () => {
  const preview = await lab.stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("pods reach each other across hosts by routes, without a tunnel", async () => {
  expect(await lab.onHost("w1", `ip route get ${server}`)).toMatch(/ via .* dev host0 /);
  expect(await lab.onHost("w1", "ip -o link show type vxlan")).toBe("");
  for (const client of ["friend", "stranger"]) {
    await lab.comesToAnswer(client, "w1", server, /^Hello from server$/);
  }
});

test("a node is ready only when its agent is", async () => {
  const ready = () =>
    lab.kubectl(`get node w2 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'`);
  await lab.onHost("w2", "systemctl stop cilium-agent");
  await eventually(async () => expect(await ready()).toBe("False"));
  await lab.onHost("w2", "systemctl start cilium-agent");
  await eventually(async () => expect(await ready()).toBe("True"));
});

test("a policy drops what it does not allow, and lets it through again when it goes", async () => {
  await lab.apply(denial);
  await lab.comesToAnswer("stranger", "w1", server, /^silence$/);
  expect(await lab.ask("friend", "w1", server)).toBe("Hello from server");
  await lab.kubectl("delete networkpolicy deny friend");
  await lab.comesToAnswer("stranger", "w1", server, /^Hello from server$/);
});

test("a service has an address on the site's network, and the next node answers for it when one is lost", async () => {
  const { hello } = await lab.stack.outputs<{ hello: string }>();
  await lab.apply(web(hello));
  const address = await eventually(async () => {
    const ip = await lab.kubectl("get service web -o 'jsonpath={.status.loadBalancer.ingress[0].ip}'");
    expect(ip).not.toBe("");
    return ip;
  });
  expect(address).toMatch(new RegExp(`^${readNetwork(name)!.range.replace(".0/24", "")}\\.[4-7]$`));
  const page = async () =>
    (await fetch(`http://${address}:8080/`, { signal: AbortSignal.timeout(5000) })).text();
  const holder = () =>
    lab.kubectl(
      "-n kube-system get lease cilium-l2announce-default-web -o 'jsonpath={.spec.holderIdentity}'",
    );
  expect(await eventually(page)).toMatch(/^Hello from web-/);
  const first = await holder();
  await powerCut(name, first);
  const next = await eventually(async () => {
    const now = await holder();
    expect(["w1", "w2"].filter((host) => host !== first)).toContain(now);
    return now;
  });
  // Until the cluster knows that the node is lost, half of the questions go to its pod.
  expect(await eventually(page)).toMatch(/^Hello from web-/);
  expect(next).not.toBe(first);
});

test("a worker that leaves keeps nothing of it", async () => {
  for (const host of ["w1", "w2"]) await boot(name, host);
  const less = await lab.stack.up({ WORKERS: "w1" });
  expect(less.code, less.text).toBe(0);
  expect(await lab.onHost("w2", leftovers)).toBe("");
});

test("everything is taken back", async () => {
  const destroy = await lab.stack.destroy({ WORKERS: "w1" });
  expect(destroy.code, destroy.text).toBe(0);
});

/** What Cilium could leave on a host; nothing else is printed. */
const leftovers = `
ip -o link | grep -E 'cilium|lxc' || :
ip route | grep -v -E 'dev host0' || :
ip route | grep -E '10[.]244[.]' || :
ip rule | grep -v -E 'lookup (local|main|default)' || :
iptables-save 2>/dev/null | grep CILIUM || :
tc filter show dev host0 ingress | grep cil_ || :
mount | grep cilium || :
ls -d /etc/cni/net.d/*cilium* /var/lib/cilium /run/cilium /sys/fs/bpf/cilium /usr/lib/cni/cilium-cni /etc/spillway/cilium 2>/dev/null || :
`;

const web = (image: string) => `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web, namespace: default }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: main, image: "${image}" }]
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 8080 }] }
`;
