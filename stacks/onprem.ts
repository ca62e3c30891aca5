import { Provider } from "@pulumi/kubernetes/provider.js";
import * as pulumi from "@pulumi/pulumi";
import { WebService } from "spillway/kubernetes";
import { type HostArgs, KubernetesCluster, type Policies, Registry, Site } from "spillway/onprem";

const config = new pulumi.Config();

// Addresses and host keys stand in Pulumi.onprem.yaml; the key: pulumi config set --secret sshKey < ~/.ssh/id_ed25519
const site = new Site("site", {
  range: config.require("range"),
  ssh: { user: config.get("sshUser") ?? "root", privateKey: config.requireSecret("sshKey") },
  hosts: config.requireObject<Record<string, HostArgs>>("hosts"),
});

const controlPlane = config.requireObject<string[]>("controlPlane");
const workers = config.requireObject<string[]>("workers");

const store = new Registry("registry", { site, host: config.get("registryHost") ?? controlPlane[0]! });

const cluster = new KubernetesCluster("onprem", {
  site,
  version: "1.36",
  controlPlane,
  pools: { general: { hosts: workers } },
  network: {
    mode: config.get<"bridge" | "overlay">("network") ?? "overlay",
    policies: config.get<Policies>("policies") ?? "enforced",
  },
  registry: store,
});

// What runs inside goes through Pulumi's own Kubernetes provider.
const provider = new Provider("onprem", {
  kubeconfig: cluster.kubeconfig,
  clusterIdentifier: cluster.endpoint,
  // A run that was cut may have left objects that the state does not know, and drift is repaired.
  enablePatchForce: true,
  upsertExistingObjects: true,
});
const image = store.image("hello", cluster.image("hello"));
const nodePort = 30080;
new WebService("hello", { image: image.reference, nodePort }, { provider, dependsOn: cluster });

export const kubeconfig = cluster.kubeconfig;
export const nodes = cluster.nodes;
export const registry = store.address;
export const sampleUrl = `http://${site.hosts[workers[0]!]!.address}:${nodePort}`;
export const artifacts = cluster.artifacts;
export const certificateExpiry = cluster.certificateExpiry;
