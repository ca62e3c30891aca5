import { stringify } from "yaml";
import { API_SERVER_FOLDER, AUDIT_FOLDER } from "./api-server.ts";

/** What is alike on every member of one cluster. */
export interface ClusterSettings {
  name: string;
  /** Exact Kubernetes version, without a `v`. */
  version: string;
  /** Stable name of the API that every host resolves. */
  endpoint: string;
  /** Virtual address of the API. @default none */
  apiAddress?: string;
  apiPort: number;
  podRange: string;
  serviceRange: string;
  /** Registry that the platform's own images are pulled from. */
  imageRepository: string;
  /** Tags of the images that kubeadm does not number by the Kubernetes version. */
  tags: { etcd: string; coredns: string };
  /** The hosts are containers themselves (a lab). */
  container: boolean;
  /** kube-proxy runs on every node; without it, the pod network does its work. */
  kubeProxy: boolean;
  /** CoreDNS answers pods. */
  dns: boolean;
}

/** One member: a control plane host or a worker. */
export interface NodeSettings {
  name: string;
  address: string;
  taints: Taint[];
}

/** A taint of a node, as in the Kubernetes API. */
export interface Taint {
  /** By the grammar of a label's key. */
  key: string;
  /** By the grammar of a label's value. @default none */
  value?: string;
  /** `NoSchedule`: new pods stay away that do not tolerate it; `PreferNoSchedule`: where they can; `NoExecute`: running ones leave, too. */
  effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

export const CONTROL_PLANE_TAINT: Taint = {
  key: "node-role.kubernetes.io/control-plane",
  effect: "NoSchedule",
};

const API_VERSION = "kubeadm.k8s.io/v1beta4";
// Those of TLS 1.2 that CIS recommends; TLS 1.3 has no weak ones to leave out.
const CIPHERS = [
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
];

const documents = (...parts: object[]): string =>
  parts.map((part) => stringify(part, { lineWidth: 0 })).join("---\n");

const args = (values: Record<string, string>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

/** Configuration for `kubeadm init`. */
export function initConfig(cluster: ClusterSettings, node: NodeSettings): string {
  return documents(
    {
      apiVersion: API_VERSION,
      kind: "InitConfiguration",
      // Tokens are made just in time by each join; this one only fills the field and ends at once.
      bootstrapTokens: [
        {
          ttl: "1m0s",
          usages: ["authentication", "signing"],
          groups: ["system:bootstrappers:kubeadm:default-node-token"],
        },
      ],
      localAPIEndpoint: { advertiseAddress: node.address, bindPort: cluster.apiPort },
      nodeRegistration: nodeRegistration(node),
      patches: { directory: PATCHES_FOLDER },
      ...(cluster.dns ? {} : { skipPhases: ["addon/coredns"] }),
    },
    clusterConfiguration(cluster),
    kubeletConfiguration(cluster),
    ...(cluster.kubeProxy ? [kubeProxyConfiguration(cluster)] : []),
  );
}

/** Folder of the patches that give the static pods their images by digest. */
export const PATCHES_FOLDER = "/etc/spillway/kubeadm-patches";

/** Patch of one static pod: its image by digest. */
export function imagePatch(component: string, image: string): string {
  return stringify({ spec: { containers: [{ name: component, image }] } });
}

/** How a member joins. */
export interface JoinSettings {
  /** `address:port` or `name:port` of an API server that answers. */
  endpoint: string;
  token: string;
  /** `sha256:...` of the cluster authority's public key. */
  caHash: string;
  /** Present on a control plane host. */
  controlPlane?: { port: number };
}

/** Configuration for `kubeadm join`; holds a secret that ends within minutes. */
export function joinConfig(
  node: NodeSettings,
  { endpoint, token, caHash, controlPlane }: JoinSettings,
): string {
  return documents({
    apiVersion: API_VERSION,
    kind: "JoinConfiguration",
    discovery: { bootstrapToken: { apiServerEndpoint: endpoint, token, caCertHashes: [caHash] } },
    nodeRegistration: nodeRegistration(node),
    ...(controlPlane
      ? {
          controlPlane: { localAPIEndpoint: { advertiseAddress: node.address, bindPort: controlPlane.port } },
          patches: { directory: PATCHES_FOLDER },
        }
      : {}),
  });
}

function nodeRegistration({ name, address, taints }: NodeSettings): object {
  return {
    name,
    criSocket: "unix:///run/containerd/containerd.sock",
    imagePullPolicy: "IfNotPresent",
    taints,
    kubeletExtraArgs: args({ "node-ip": address }),
  };
}

function clusterConfiguration(cluster: ClusterSettings): object {
  const volume = (name: string, path: string, readOnly: boolean) => ({
    name,
    hostPath: path,
    mountPath: path,
    readOnly,
    pathType: "DirectoryOrCreate",
  });
  return {
    apiVersion: API_VERSION,
    kind: "ClusterConfiguration",
    clusterName: cluster.name,
    kubernetesVersion: `v${cluster.version}`,
    imageRepository: cluster.imageRepository,
    controlPlaneEndpoint: `${cluster.endpoint}:${cluster.apiPort}`,
    networking: {
      dnsDomain: "cluster.local",
      podSubnet: cluster.podRange,
      serviceSubnet: cluster.serviceRange,
    },
    etcd: { local: { imageRepository: cluster.imageRepository, imageTag: cluster.tags.etcd } },
    dns: { imageRepository: cluster.imageRepository, imageTag: cluster.tags.coredns },
    ...(cluster.kubeProxy ? {} : { proxy: { disabled: true } }),
    apiServer: {
      certSANs: [cluster.endpoint, ...(cluster.apiAddress === undefined ? [] : [cluster.apiAddress])],
      extraArgs: args({
        "admission-control-config-file": `${API_SERVER_FOLDER}/admission.yaml`,
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
        "audit-log-path": `${AUDIT_FOLDER}/audit.log`,
        "audit-policy-file": `${API_SERVER_FOLDER}/audit-policy.yaml`,
        "authentication-config": `${API_SERVER_FOLDER}/authentication.yaml`,
        "encryption-provider-config": `${API_SERVER_FOLDER}/encryption.yaml`,
        profiling: "false",
        "tls-cipher-suites": CIPHERS.join(","),
        "tls-min-version": "VersionTLS12",
      }),
      extraVolumes: [volume("spillway", API_SERVER_FOLDER, true), volume("audit", AUDIT_FOLDER, false)],
    },
    controllerManager: {
      // The address plan gives each node its pod range, so that it never moves.
      extraArgs: args({
        "allocate-node-cidrs": "false",
        profiling: "false",
        "terminated-pod-gc-threshold": "1000",
      }),
    },
    scheduler: { extraArgs: args({ profiling: "false" }) },
  };
}

function kubeletConfiguration({ container }: ClusterSettings): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
    authorization: { mode: "Webhook" },
    readOnlyPort: 0,
    rotateCertificates: true,
    seccompDefault: true,
    tlsCipherSuites: CIPHERS,
    tlsMinVersion: "VersionTLS12",
    eventRecordQPS: 50,
    streamingConnectionIdleTimeout: "5m0s",
    ...(container ? inContainer : { cgroupDriver: "systemd", protectKernelDefaults: true }),
  };
}

/**
 * A lab host has the computer's disk, swap and cgroups around it: what kubelet reads there says
 * nothing about the host, and evicting pods by it would empty the lab.
 */
const inContainer = {
  cgroupDriver: "cgroupfs",
  failSwapOn: false,
  failCgroupV1: false,
  evictionHard: {
    "memory.available": "100Mi",
    "nodefs.available": "1%",
    "imagefs.available": "1%",
    "nodefs.inodesFree": "1%",
  },
  imageGCHighThresholdPercent: 100,
  localStorageCapacityIsolation: false,
};

function kubeProxyConfiguration({ podRange, container }: ClusterSettings): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clusterCIDR: podRange,
    // These limits belong to the machine around a container and cannot be set from inside.
    ...(container
      ? { conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" } }
      : {}),
  };
}
