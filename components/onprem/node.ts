import * as pulumi from "@pulumi/pulumi";
import type { Artifacts } from "../artifacts/resources.ts";
import type { Connection } from "../model/connection.ts";
import {
  API_SERVER_FOLDER,
  admissionConfig,
  auditPolicy,
  authenticationConfig,
  encryptionConfig,
} from "../render/api-server.ts";
import { cniConfig, flannelConfig, flannelUnit, routesUnit, VXLAN_OVERHEAD } from "../render/cni.ts";
import { containerdConfig, hostsToml } from "../render/containerd.ts";
import { imagePatch, PATCHES_FOLDER } from "../render/kubeadm.ts";
import { kubeconfig } from "../render/kubeconfig.ts";
import { kubeletUnit } from "../render/kubelet.ts";
import type { Certificate } from "../secrets/resources.ts";
import { HostState } from "../ssh/resources.ts";
import type { NetworkArgs } from "./cluster.ts";
import type { ClusterIdentity } from "./cluster-identity.ts";
import type { ClusterImages } from "./cluster-images.ts";
import type { Registry } from "./registry.ts";

/** Plain facts of one node. */
export interface NodeDescription {
  host: string;
  address: string;
  connection: pulumi.Output<Connection>;
  /** The host is itself a container. */
  container: boolean;
  /** The host is a member of the control plane. */
  controlPlane: boolean;
  network: Required<NetworkArgs>;
  podRange: string;
  /** Host address of every other node by the range of its pods. */
  peerRoutes: Record<string, string>;
  /** Stable name of the API, and where it leads, in the order to try. */
  endpointName: string;
  endpointAddresses: string[];
  apiPort: number;
  packages: string[];
  registry: Registry;
}

/** What flows into a node from other resources. */
export interface NodeParts {
  identity: ClusterIdentity;
  artifacts: Artifacts;
  images: ClusterImages;
  /** flanneld's certificate, in mode `overlay`. */
  flannel?: Certificate;
}

type Files = Record<string, { content: pulumi.Input<string>; mode?: string; overwrite?: boolean }>;

/** Everything a host needs before kubeadm comes: runtime, programs, network, access to the registry. */
export function nodeState(
  cluster: string,
  node: NodeDescription,
  parts: NodeParts,
  opts: pulumi.CustomResourceOptions,
): HostState {
  const overlay = node.network.mode === "overlay";
  const network = overlay ? flannelNetwork(cluster, node, parts) : routedNetwork(node);
  return new HostState(
    `${cluster}-${node.host}-state`,
    {
      connection: node.connection,
      name: `kubernetes-${cluster}`,
      packages: node.packages,
      modules: node.container ? [] : ["overlay", "br_netfilter", ...(overlay ? ["vxlan"] : [])],
      sysctls: { "net.ipv4.ip_forward": "1", ...(node.container ? {} : MACHINE_SYSCTLS) },
      hosts: { [node.endpointName]: node.endpointAddresses },
      files: {
        ...runtimeFiles(node, parts),
        ...network.files,
        ...(node.controlPlane ? controlPlaneFiles(parts) : {}),
      },
      uploads: programs(["kubeadm", "kubectl", "kubelet", ...(overlay ? ["flanneld"] : [])], parts.artifacts),
      units: {
        "containerd.service": { enabled: true, running: true, restartOn: [CONTAINERD_CONFIG] },
        "kubelet.service": { content: kubeletUnit, enabled: true, restartOn: ["/usr/local/bin/kubelet"] },
        ...network.units,
      },
    },
    opts,
  );
}

const CONTAINERD_CONFIG = "/etc/containerd/config.toml";
const CNI_CONFIG = "/etc/cni/net.d/10-spillway.conflist";
const CNI_PLUGINS = "/usr/lib/cni";

/** What kubelet sets itself unless `protectKernelDefaults` tells it to find it there. */
const MACHINE_SYSCTLS = {
  "net.bridge.bridge-nf-call-iptables": "1",
  "net.bridge.bridge-nf-call-ip6tables": "1",
  "vm.overcommit_memory": "1",
  "vm.panic_on_oom": "0",
  "kernel.panic": "10",
  "kernel.panic_on_oops": "1",
};

function runtimeFiles({ registry, container }: NodeDescription, { images }: NodeParts): Files {
  const certs = `/etc/containerd/certs.d/${registry.address}`;
  const access = pulumi
    .secret(registry.password)
    .apply((password) =>
      hostsToml({ address: registry.address, username: registry.username, password }, `${certs}/ca.crt`),
    );
  const pause = images.reference("pause");
  return {
    [CONTAINERD_CONFIG]: {
      content: pause.apply((pauseImage) =>
        containerdConfig({ pauseImage, cniPlugins: CNI_PLUGINS, container }),
      ),
      overwrite: true,
    },
    [`${certs}/ca.crt`]: { content: registry.caCertificate },
    [`${certs}/hosts.toml`]: { content: access, mode: "0600" },
  };
}

function controlPlaneFiles({ identity, images }: NodeParts): Files {
  const encryption = pulumi.secret(identity.encryptionKey).apply(encryptionConfig);
  const components = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
  const patches = components.map((component): [string, Files[string]] => [
    `${PATCHES_FOLDER}/${component}+strategic.yaml`,
    { content: images.reference(component).apply((image) => imagePatch(component, image)) },
  ]);
  return {
    [`${API_SERVER_FOLDER}/admission.yaml`]: { content: admissionConfig },
    [`${API_SERVER_FOLDER}/audit-policy.yaml`]: { content: auditPolicy },
    [`${API_SERVER_FOLDER}/authentication.yaml`]: { content: authenticationConfig },
    [`${API_SERVER_FOLDER}/encryption.yaml`]: { content: encryption, mode: "0600" },
    ...Object.fromEntries(patches),
  };
}

/** Mode `bridge`: routes of the host lead to the pods of other nodes. */
function routedNetwork({ podRange, network, peerRoutes }: NodeDescription) {
  const content = routesUnit({ podRange, pods: network.pods, peers: peerRoutes });
  const files: Files = { [CNI_CONFIG]: { content: cniConfig({ podRange }) } };
  return {
    files,
    units: {
      "spillway-routes.service": { content, enabled: true, running: true, restartOn: [], reloads: true },
    },
  };
}

const FLANNEL_FOLDER = "/etc/spillway/flannel";

/** Mode `overlay`: flanneld's tunnel does. */
function flannelNetwork(cluster: string, node: NodeDescription, { identity, flannel }: NodeParts) {
  const { podRange, network, host, address, endpointName, apiPort } = node;
  const access = pulumi
    .all([identity.caCertificate, flannel!.certificate, pulumi.secret(flannel!.privateKey)])
    .apply(([caCertificate, certificate, privateKey]) =>
      kubeconfig({
        cluster,
        server: `https://${endpointName}:${apiPort}`,
        caCertificate,
        user: "flannel",
        certificate,
        privateKey,
      }),
    );
  const files: Files = {
    [CNI_CONFIG]: { content: cniConfig({ podRange, mtu: 1500 - VXLAN_OVERHEAD }) },
    [`${FLANNEL_FOLDER}/net-conf.json`]: { content: flannelConfig(network.pods) },
    [`${FLANNEL_FOLDER}/kubeconfig`]: { content: access, mode: "0600" },
  };
  const restartOn = [
    `${FLANNEL_FOLDER}/net-conf.json`,
    `${FLANNEL_FOLDER}/kubeconfig`,
    "/usr/local/bin/flanneld",
  ];
  const unit = { content: flannelUnit(host, address), enabled: true, running: true, restartOn };
  return { files, units: { "flanneld.service": unit } };
}

/** What flanneld may do: read nodes, and note its tunnel's end on its own. */
export const flannelManifests = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: spillway-flannel }
rules:
  - { apiGroups: [""], resources: [nodes], verbs: [get, list, watch] }
  - { apiGroups: [""], resources: [nodes/status], verbs: [patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: spillway-flannel }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: spillway-flannel }
subjects:
  - { apiGroup: rbac.authorization.k8s.io, kind: User, name: "spillway:flannel" }
`;

function programs(names: string[], artifacts: Artifacts) {
  const entries = names.map((name) => {
    const { path, sha256 } = artifacts.binaries.apply((binaries) => binaries[name]!);
    return [`/usr/local/bin/${name}`, { source: path, sha256, mode: "0755" }] as const;
  });
  return Object.fromEntries(entries);
}
