import { Provider } from "@pulumi/kubernetes/provider.js";
import * as pulumi from "@pulumi/pulumi";
import { WebService } from "spillway/kubernetes";
import { KubernetesCluster, type Policies, Registry, Site } from "spillway/lab";

const config = new pulumi.Config();

// Three hosts on this computer, each a systemd container with an sshd of its own.
const site = new Site("lab", { hosts: ["cp1", "w1", "w2"] });

const store = new Registry("registry", { site, host: "cp1" });

const cluster = new KubernetesCluster("local", {
  site,
  version: "1.36",
  controlPlane: ["cp1"],
  pools: { general: { hosts: ["w1", "w2"] } },
  network: {
    mode: config.get<"bridge" | "overlay">("network") ?? "bridge",
    policies: config.get<Policies>("policies") ?? "enforced",
  },
  registry: store,
});

// What runs inside goes through Pulumi's own Kubernetes provider.
const provider = new Provider("local", {
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
export const sampleUrl = `http://${site.hosts.w1!.address}:${nodePort}`;
export const artifacts = cluster.artifacts;
export const certificateExpiry = cluster.certificateExpiry;
