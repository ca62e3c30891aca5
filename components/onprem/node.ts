import * as pulumi from "@pulumi/pulumi";
import type { Artifacts } from "../artifacts/resources.ts";
import type { Connection } from "../model/connection.ts";
import type { ApiAddressSettings } from "../render/api-address.ts";
import {
  API_SERVER_FOLDER,
  admissionConfig,
  auditPolicy,
  authenticationConfig,
  encryptionConfig,
} from "../render/api-server.ts";
import { containerdConfig, hostsToml } from "../render/containerd.ts";
import { imagePatch, PATCHES_FOLDER } from "../render/kubeadm.ts";
import { kubeletUnit } from "../render/kubelet.ts";
import { HostState } from "../ssh/resources.ts";
import { apiAddressState } from "./api-address.ts";
import type { ClusterIdentity } from "./cluster-identity.ts";
import type { ClusterImages } from "./cluster-images.ts";
import type { Files, NetworkedNode, PodNetwork } from "./pod-networks/pod-network.ts";
import type { Registry } from "./registry.ts";

/** Plain facts of one node. */
export interface NodeDescription extends NetworkedNode {
  connection: pulumi.Output<Connection>;
  /** Stable name of the API, and where it leads, in the order to try. */
  endpointName: string;
  endpointAddresses: string[];
  /** Its part in holding the API's virtual address. @default none */
  apiAddress?: ApiAddressSettings;
  packages: string[];
  registry: Registry;
}

/** What flows into a node from other resources. */
export interface NodeParts {
  identity: ClusterIdentity;
  artifacts: Artifacts;
  images: ClusterImages;
  podNetwork: PodNetwork;
}

/** Everything a host needs before kubeadm comes: runtime, programs, network, access to the registry. */
export function nodeState(
  cluster: string,
  node: NodeDescription,
  parts: NodeParts,
  opts: pulumi.CustomResourceOptions,
): HostState {
  const network = parts.podNetwork.onNode(node);
  const { files, packages = [], directories = {}, units, programs = {}, modules = [] } = network;
  const api = node.apiAddress && apiAddressState(node.apiAddress);
  return new HostState(
    `${cluster}-${node.host}-state`,
    {
      connection: node.connection,
      name: `kubernetes-${cluster}`,
      packages: [...node.packages, ...packages, ...(api?.packages ?? [])],
      modules: node.container ? [] : ["overlay", "br_netfilter", ...modules],
      sysctls: { "net.ipv4.ip_forward": "1", ...(node.container ? {} : MACHINE_SYSCTLS) },
      hosts: { [node.endpointName]: node.endpointAddresses },
      // containerd makes it where nobody has, and leaves it.
      directories: { [CNI_FOLDER]: {}, ...directories },
      files: {
        ...runtimeFiles(node, parts),
        ...files,
        ...(node.controlPlane ? controlPlaneFiles(parts) : {}),
        ...api?.files,
      },
      uploads: uploads({ ...PROGRAMS, ...programs }, parts.artifacts),
      units: {
        "containerd.service": { enabled: true, running: true, restartOn: [CONTAINERD_CONFIG] },
        "kubelet.service": { content: kubeletUnit, enabled: true, restartOn: ["/usr/local/bin/kubelet"] },
        ...units,
        ...api?.units,
      },
    },
    opts,
  );
}

const CONTAINERD_CONFIG = "/etc/containerd/config.toml";
const CNI_PLUGINS = "/usr/lib/cni";
const CNI_FOLDER = "/etc/cni/net.d";

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

const PROGRAMS = Object.fromEntries(
  ["kubeadm", "kubectl", "kubelet"].map((name) => [`/usr/local/bin/${name}`, name]),
);

function uploads(programs: Record<string, string>, artifacts: Artifacts) {
  const entries = Object.entries(programs).map(([place, name]) => {
    const { path, sha256 } = artifacts.binaries.apply((binaries) => binaries[name]!);
    return [place, { source: path, sha256, mode: "0755" }] as const;
  });
  return Object.fromEntries(entries);
}
