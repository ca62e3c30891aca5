/** Spillway's own clusters, hosts and stores. */
import type { Addition, Control } from "../control.ts";
import { at, isKnown, isTrue, textOf } from "../value.ts";

const CLUSTER = /^spillway:\w+:KubernetesCluster$/;

const networkMode: Control = {
  id: "network-mode",
  practice: "network-segmentation",
  title: "Clusters have a network in which policies take effect",
  remedy: 'choose mode "bridge", "overlay" or "underlay", with `policies: "enforced"`, which is the default',
  types: ["spillway:*:KubernetesCluster"],
  production: true,
  *find({ type, props }) {
    if (!CLUSTER.test(type)) return;
    const [mode, policies] = [at(props, "network", "mode"), at(props, "network", "policies")];
    if (mode === "host") yield { path: "network.mode", what: "pods have the network of their host" };
    if (policies === "unenforced")
      yield { path: "network.policies", what: "policies are read and not enforced" };
  },
};

const supportedVersion: Addition = {
  control: "supported-version",
  types: ["spillway:*:KubernetesCluster"],
  *find({ type, props }, { kubernetesVersions }) {
    if (!CLUSTER.test(type) || !isKnown(props.version)) return;
    const minor = /^v?(\d+\.\d+)/.exec(textOf(props.version) ?? "")?.[1];
    if (minor === undefined || !kubernetesVersions.includes(minor)) yield { path: "version" };
  },
};

const dataLoss: Control = {
  id: "data-loss",
  practice: "audit",
  title: "Stores and volumes keep their data when they leave the program",
  remedy: "leave out allowDataLoss until the day that the data may go",
  types: ["spillway:ceph:*", "spillway:gluster:*", "spillway:store:*"],
  production: true,
  *find({ type, props }) {
    if (/^spillway:(ceph|gluster|store):/.test(type) && isTrue(props.allowDataLoss))
      yield { path: "allowDataLoss" };
  },
};

export const platform: readonly Control[] = [networkMode, dataLoss];
export const platformAdditions: readonly Addition[] = [supportedVersion];
