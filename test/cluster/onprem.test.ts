import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ownPolicies } from "../lab/stack.ts";
import { traces } from "../lab/traces.ts";
import { OwnMachines, rename } from "./own-machines.ts";

const lab = "t-onprem";
const site = new OwnMachines(lab);
const { platform } = site;
const { hosts } = OwnMachines;

interface Outputs {
  nodes: string[];
  registry: string;
  sampleUrl: string;
}

let before: Awaited<ReturnType<typeof traces>>;
let bare: Record<string, string>;

beforeAll(async () => {
  before = await traces([lab]);
  await site.make();
  bare = await inventories();
});

afterAll(() => site.remove());

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
  await expect.poll(answer, { timeout: 180_000, interval: 1000 }).toMatch(/^Hello from hello-/);
  expect([...statuses]).toEqual([200]);
});

test("a run without changes changes nothing, nor does a refresh", async () => {
  const refresh = await platform.refresh();
  expect(refresh.code, refresh.text).toBe(0);
  const preview = await platform.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("the policy pack finds that these machines' settings leave policies unenforced, and nothing else", async () => {
  const { code, text } = await platform.run(["preview", ...ownPolicies]);
  expect(code).not.toBe(0);
  expect(text.match(/\[mandatory\] +\S+/g)).toEqual([expect.stringMatching(/network-mode$/)]);
});

test("what a running cluster cannot follow is refused in preview, in the words of the change", async () => {
  const refusals: [(settings: string) => string, RegExp][] = [
    [
      (text) => text.replace("network: overlay", "network: bridge"),
      /network\.mode: \S*overlay\S* cannot become \S*bridge/,
    ],
    [(text) => text.replace("range: 10.", "range: 11."), /is no host address of the site's range/],
    [
      (text) => text.replace(/^( *)onprem:network: /m, "$1onprem:registryHost: w1\n$&"),
      /: (host|registry): \S+ cannot become \S+ as long as it lives/,
    ],
    [rename, /kubernetes-onprem\S* belongs to urn:.*onprem-w2-state; take that one away/],
    [
      (text) => text.replace("container: true", "contaner: true"),
      /contaner: there is no such argument; did you mean container/,
    ],
  ];
  for (const [change, expected] of refusals) {
    const preview = await site.withSettings(change, () => platform.run(["preview"]));
    expect(preview.code, preview.text).not.toBe(0);
    expect(preview.text).toMatch(expected);
  }
});

test("a state that does not know the cluster is refused, whatever it is called, and changes nothing", async () => {
  const kept = `find /etc/kubernetes /etc/containerd /etc/spillway /var/lib/spillway -type f -exec sha256sum {} + | sort`;
  const look = () => Promise.all(hosts.map((host) => site.onHost(host, kept)));
  const before = await look();
  const other = await site.elsewhere();
  try {
    for (const run of [await other.run(["preview"]), await other.up()]) {
      expect(run.code, run.text).not.toBe(0);
      for (const host of hosts)
        expect(run.text).toMatch(
          new RegExp(
            `hosts\\.${host}\\.cluster: the cluster \\S+ .* is there, and this state does not know it`,
          ),
        );
    }
  } finally {
    await other.remove();
  }
  expect(await look()).toEqual(before);
});

test("half of a refused change is not made, even without a preview", async () => {
  const routes = () =>
    site.onHost("w1", "systemctl is-active flanneld; ls /etc/systemd/system | grep spillway-routes || :");
  const before = await routes();
  const up = await site.withSettings(
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
    text.replace(/^( *)onprem:network: /m, `$1onprem:store: ceph\n$1onprem:ceph: ${ceph}\n$&`);
  await site.withSettings(word, async () => {
    const up = await platform.up();
    expect(up.code, up.text).toBe(0);
    expect((await platform.outputs<{ storeHealth: string }>()).storeHealth).toBe("HEALTH_OK");
    const image = await site.kubectl(
      "-n hello get deployment hello -o 'jsonpath={.spec.template.spec.containers[0].image}'",
    );
    await site.onHost("cp1", `cat >/root/shared.yaml <<'EOF'\n${sharing(image)}\nEOF`);
    await site.kubectl("apply -f /root/shared.yaml && rm /root/shared.yaml");
    await site.kubectl("rollout status daemonset/sharing --timeout=300s");
    await site.onHost("w1", "echo from w1 >/srv/shared/one");
    expect(await site.onHost("w2", "cat /srv/shared/one")).toBe("from w1");
    expect(await site.onHost("w2", `cat "/proc/$(${helloOf("sharing")})/root/shared/one"`)).toBe("from w1");
    const preview = await platform.previewNothing();
    expect(preview.code, preview.text).toBe(0);
    await site.kubectl("delete daemonset sharing --wait");
  });
  const without = await platform.up();
  expect(without.code, without.text).toBe(0);
});

test("destroy gives the machines back as they were, whatever budgets hold its pods", async () => {
  const image = await site.kubectl(
    "-n hello get deployment hello -o 'jsonpath={.spec.template.spec.containers[0].image}'",
  );
  await site.onHost("cp1", `cat >/root/held.yaml <<'EOF'\n${held(image)}\nEOF`);
  await site.kubectl("apply -f /root/held.yaml && rm /root/held.yaml");
  await site.kubectl("rollout status deployment/held --timeout=300s");
  const destroy = await platform.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  expect(await inventories()).toEqual(bare);
});

test("without the machines nothing is left on this computer", async () => {
  const destroy = await site.machines.destroy();
  expect(destroy.code, destroy.text).toBe(0);
  await sleep(500);
  expect(await traces([lab])).toEqual(before);
});

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
  const found = await Promise.all(hosts.map((host) => site.onHost(host, inventory)));
  return Object.fromEntries(hosts.map((host, i) => [host, found[i]!.split("\n").sort().join("\n")]));
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
