import { afterAll, beforeAll, expect, test } from "vitest";
import { boot, exec, powerCut } from "../../components/lab/control.ts";
import { Stack } from "../lab/stack.ts";

const minutes = 60_000;
const lab = "t-volumes";

const program = `
import { Provider } from "@pulumi/kubernetes/provider.js";
import { StaticVolume } from "spillway/kubernetes";
import { GlusterStore, KubernetesCluster, Registry, Site, VolumeMount } from "spillway/lab";

const hosts = ["cp1", "w1", "w2"];
const site = new Site("${lab}", { hosts, diskBinds: ["/srv/disk"], nat: true });
const registry = new Registry("registry", { site, host: "cp1" });
const cluster = new KubernetesCluster("c", {
  site, registry, version: "1.36", network: { mode: "bridge", policies: "unenforced" },
  controlPlane: ["cp1"], pools: { general: { hosts: ["w1", "w2"] } },
});
const store = new GlusterStore("shared", {
  site,
  bricks: Object.fromEntries(hosts.map((host) => [host, "/srv/disk/bricks"])),
  arbiter: "cp1",
  allowDataLoss: true,
});
const volume = store.volume("uploads");
const mounts = ["w1", "w2"].map((host) => new VolumeMount(\`uploads-\${host}\`, { volume, host, path: "/srv/uploads" }));
const provider = new Provider("c", { kubeconfig: cluster.kubeconfig, clusterIdentifier: cluster.endpoint });
new StaticVolume("uploads", { mounts }, { provider, dependsOn: cluster });
export const hello = registry.image("hello", cluster.image("hello")).reference;
`;
const stack = new Stack({ name: lab, program, labs: [lab] });

async function onHost(host: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await exec(lab, host, ["sh", "-euc", script]);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}
const kubectl = (words: string) => onHost("cp1", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl ${words}`);

/**
 * Runs shell text where the pod of a host sees the volume, as the pod's user. The image has no shell: the
 * pod's own view of its file system is entered by its process.
 */
const inPod = (host: string, script: string) =>
  onHost(
    host,
    `pid=
for task in $(ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==hello'); do
  found=$(ctr -n k8s.io tasks ls | awk -v id="$task" '$1 == id && $3 == "RUNNING" { print $2 }')
  if [ -n "$found" ]; then pid=$found; fi
done
cd "/proc/$pid/root/uploads"
setpriv --reuid=1000 --regid=1000 --groups=1000 sh -euc '${script}'`,
  );

beforeAll(async () => {
  const up = await stack.up();
  expect(up.code, up.text).toBe(0);
  console.log(`cluster, store and volume: ${up.seconds.toFixed(0)} s`);
  // The first run makes the hosts' image and builds the artifacts as well.
}, 30 * minutes);

afterAll(() => stack.remove(), 5 * minutes);

test("pods on two nodes write and read one volume, and a second up changes nothing", async () => {
  const { hello } = await stack.outputs<{ hello: string }>();
  const manifest = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: writer, namespace: default }
spec:
  selector: { matchLabels: { app: writer } }
  template:
    metadata: { labels: { app: writer } }
    spec:
      securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 }
      containers: [{ name: hello, image: "${hello}", volumeMounts: [{ name: uploads, mountPath: /uploads }] }]
      volumes: [{ name: uploads, persistentVolumeClaim: { claimName: uploads } }]
`;
  await onHost("cp1", `cat >/root/writer.yaml <<'EOF'\n${manifest}\nEOF`);
  await kubectl("apply -f /root/writer.yaml");
  await kubectl("rollout status ds/writer --timeout=300s");
  expect(await kubectl("get pvc uploads -o 'jsonpath={.status.phase} {.status.accessModes[0]}'")).toBe(
    "Bound ReadWriteMany",
  );
  await inPod("w1", "echo from a pod of w1 >one");
  expect(await inPod("w2", "cat one; echo from a pod of w2 >two")).toBe("from a pod of w1");
  expect(await inPod("w1", "cat two")).toBe("from a pod of w2");
  const brick = "/srv/disk/bricks/uploads/two";
  expect(await onHost("w1", `cat ${brick}`)).toBe("from a pod of w2");
  // The arbiter has the name alone.
  expect(await onHost("cp1", `stat -c %s ${brick}`)).toBe("0");
  const preview = await stack.previewNothing();
  expect(preview.code, preview.text).toBe(0);
});

test("a pod of a node that lost its power finds the volume, not what lies below its mount", async () => {
  await powerCut(lab, "w1");
  await boot(lab, "w1");
  const restarted = async () => {
    try {
      return await inPod("w1", "cat two; echo back >>one");
    } catch {
      return "";
    }
  };
  await expect.poll(restarted, { timeout: 240_000, interval: 2000 }).toBe("from a pod of w2");
  expect(await inPod("w2", "cat one")).toBe("from a pod of w1\nback");
  await kubectl("delete ds writer --wait");
});

test("destroy with the word takes it all back", async () => {
  const destroy = await stack.destroy();
  expect(destroy.code, destroy.text).toBe(0);
});
