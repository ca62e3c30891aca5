import { Provider } from "@pulumi/kubernetes/provider.js";
import * as pulumi from "@pulumi/pulumi";
import { StaticVolume, WebService } from "spillway/kubernetes";
import * as onprem from "spillway/onprem";

// What differs from place to place stands in Pulumi.onprem.yaml, as `onprem:...` in a project of any name;
// the key: pulumi config set --secret onprem:sshKey < ~/.ssh/id_ed25519
const config = new pulumi.Config("onprem");
const controlPlane = config.requireObject<string[]>("controlPlane");
const workers = config.requireObject<string[]>("workers");
const site = new onprem.Site("site", {
  range: config.require("range"),
  ssh: { user: config.get("sshUser") ?? "root", privateKey: config.requireSecret("sshKey") },
  hosts: config.requireObject<Record<string, onprem.HostArgs>>("hosts"),
});
const host = config.get("registryHost") ?? controlPlane[0]!;
const images = new onprem.Registry("registry", { site, host });

const cluster = new onprem.KubernetesCluster("onprem", {
  site,
  version: "1.36",
  controlPlane,
  pools: { general: { hosts: workers } },
  network: {
    mode: config.get("network") ?? "overlay",
    policies: config.get("policies") ?? "enforced",
    underlay: config.getObject("underlay"),
  } as onprem.NetworkArgs,
  registry: images,
});

// What runs inside goes through Pulumi's own Kubernetes provider.
const provider = new Provider("onprem", {
  kubeconfig: cluster.kubeconfig,
  clusterIdentifier: cluster.endpoint,
  // A run that was cut may have left objects that the state does not know, and drift is repaired.
  enablePatchForce: true,
  upsertExistingObjects: true,
});
const inside = { provider, dependsOn: cluster };
const image = images.image("hello", cluster.image("hello"));
const nodePort = 30080;
new WebService("hello", { image: image.reference, nodePort }, inside);

// One word, and its arguments under the same word, give the pods of all workers the claim `shared`.
const kinds = { ceph: onprem.CephStore, gluster: onprem.GlusterStore };
const kind = config.get<keyof typeof kinds>("store", { allowedValues: ["ceph", "gluster"] });
type StoreArgs = onprem.CephStoreArgs & onprem.GlusterStoreArgs;
const store = kind && new kinds[kind]("shared", { ...config.requireObject<StoreArgs>(kind), site });
if (store) {
  const [volume, path] = [store.volume("shared"), "/srv/shared"];
  const mounts = workers.map((host) => new onprem.VolumeMount(`shared-${host}`, { volume, host, path }));
  new StaticVolume("shared", { mounts }, inside);
}

export const { kubeconfig, nodes, artifacts, certificateExpiry } = cluster;
export const registry = images.address;
export const sampleUrl = `http://${site.hosts[workers[0]!]!.address}:${nodePort}`;
export const storeHealth = store?.health;
