import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { underlayPlan } from "../../components/model/underlay.ts";
import {
  apiAddressUnit,
  apiServerCheck,
  interfaceScript,
  keepalivedConfig,
} from "../../components/render/api-address.ts";
import {
  admissionConfig,
  auditPolicy,
  authenticationConfig,
  encryptionConfig,
} from "../../components/render/api-server.ts";
import { bgpUnit, birdConfig } from "../../components/render/bgp.ts";
import {
  CAPS,
  cephClientConfig,
  cephConfig,
  cephGatewayConfig,
  cephGatewayUnit,
  cephKey,
  cephKeyring,
  osdDropIn,
} from "../../components/render/ceph.ts";
import { ciliumAgentUnit, ciliumManifests, ciliumOperatorUnit } from "../../components/render/cilium.ts";
import {
  cniConfig,
  flannelConfig,
  flannelUnit,
  isolatedConfig,
  routesUnit,
} from "../../components/render/cni.ts";
import { containerdConfig, hostsToml } from "../../components/render/containerd.ts";
import { noHostNetwork } from "../../components/render/isolated.ts";
import {
  type ClusterSettings,
  CONTROL_PLANE_TAINT,
  imagePatch,
  initConfig,
  joinConfig,
} from "../../components/render/kubeadm.ts";
import { kubeconfig } from "../../components/render/kubeconfig.ts";
import { kubeletUnit } from "../../components/render/kubelet.ts";
import { goneManifests } from "../../components/render/manifests.ts";
import { registryConfig, registryDropIn } from "../../components/render/registry.ts";
import {
  multusConfig,
  releaseScript,
  releaseTimer,
  releaseUnit,
  underlayManifests,
  whereaboutsConfig,
} from "../../components/render/underlay.ts";

const cluster: ClusterSettings = {
  name: "paris",
  version: "1.36.3",
  endpoint: "paris.room.internal",
  apiPort: 6443,
  podRange: "10.244.0.0/16",
  serviceRange: "10.96.0.0/16",
  imageRepository: "10.0.0.11:5000",
  tags: { etcd: "3.6.16-0", coredns: "v1.12.4" },
  container: false,
  kubeProxy: true,
  dns: true,
};
const ceph = {
  fsid: "f335103a-fdd0-4fe8-b0b1-62e794f1f942",
  monitors: { s1: "10.0.0.31", s2: "10.0.0.32", s3: "10.0.0.33" },
};
const cp1 = { name: "cp1", address: "10.0.0.11", taints: [CONTROL_PLANE_TAINT] };
const join = { endpoint: "paris.room.internal:6443", token: "abcdef.0123456789abcdef", caHash: "sha256:00" };

const cilium = {
  pods: "10.244.0.0/16",
  mtu: 1500,
  tunnel: true,
  translate: true,
  loadBalancers: "10.0.0.64/27",
  workers: true,
};

const member = {
  apiAddress: "10.0.0.10",
  apiPort: 6443,
  routerId: 11,
  member: "10.0.0.12",
  peers: ["10.0.0.11", "10.0.0.13"],
  place: 1,
};

const rendered: Record<string, string> = {
  "admission.yaml": admissionConfig,
  "api-address.service": apiAddressUnit,
  "api-address-check.sh": apiServerCheck(member),
  "api-address-interface.sh": interfaceScript(member),
  "audit-policy.yaml": auditPolicy,
  "authentication.yaml": authenticationConfig,
  "bird.conf": birdConfig({
    address: "10.0.0.21",
    podRange: "10.244.21.0/24",
    bgp: { as: 64512, routers: [{ address: "10.0.0.1", as: 64513 }, { address: "10.0.0.2" }] },
    passwords: ["abc", undefined],
  }),
  "bgp.service": bgpUnit("10.244.21.0/24"),
  "ceph.conf": cephConfig({
    ...ceph,
    network: "10.0.0.0/24",
    replicas: 3,
    container: false,
  }),
  "ceph-client.conf": cephClientConfig(ceph, {
    name: "client.shared-data",
    fileSystem: "shared",
    directory: "/volumes/_nogroup/data/1",
    keyring: "/etc/spillway/ceph/shared-data.keyring",
  }),
  "ceph-gateway.conf": cephGatewayConfig(ceph, {
    name: "client.shared.gateway.s1",
    keyring: "/etc/spillway/ceph/shared-gateway.keyring",
    address: "10.0.0.31",
    port: 7443,
    certificate: "/etc/spillway/ceph/shared-gateway.pem",
  }),
  "ceph-gateway.service": cephGatewayUnit(
    "client.shared.gateway.s1",
    "/etc/spillway/ceph/shared-gateway.conf",
  ),
  "ceph.keyring": cephKeyring([
    { name: "mon.", key: cephKey(new Uint8Array(16)), caps: CAPS.monitor },
    { name: "mgr.s1", key: cephKey(new Uint8Array(16).fill(255)), caps: CAPS.manager },
    { name: "mds.s1", key: cephKey(new Uint8Array(16).fill(1)), caps: CAPS.metadata },
  ]),
  "ceph-osd-drop-in.conf": osdDropIn("/dev/disk/by-id/ata-x"),
  "cni-bridge.json": cniConfig({ podRange: "10.244.11.0/24", mtu: 1500 }),
  "cni-overlay.json": cniConfig({ podRange: "10.244.11.0/24", mtu: 1450 }),
  "cilium-agent-bridge.service": ciliumAgentUnit(
    { ...cilium, tunnel: false },
    { host: "w1", container: false },
  ),
  "cilium-agent-announced.service": ciliumAgentUnit(
    { ...cilium, tunnel: false, translate: false },
    { host: "w1", container: false },
  ),
  "cilium-agent-overlay.service": ciliumAgentUnit(cilium, { host: "w1", container: true }),
  "cilium-operator.service": ciliumOperatorUnit,
  "cilium-manifests.yaml": ciliumManifests(cilium),
  "cni-isolated.json": isolatedConfig,
  "containerd.toml": containerdConfig({
    pauseImage: "r:5000/pause@sha256:00",
    cniPlugins: "/usr/lib/cni",
    container: false,
  }),
  "encryption.yaml": encryptionConfig("a2V5"),
  "flannel-net-conf.json": flannelConfig("10.244.0.0/16", 1500),
  "flanneld.service": flannelUnit("w1", "10.0.0.21", "10.244.0.0/16", 1450),
  "hosts.toml": hostsToml(
    { address: "r:5000", username: "u", password: "p" },
    "/etc/containerd/certs.d/r:5000/ca.crt",
  ),
  "image-patch.yaml": imagePatch("etcd", "r:5000/etcd@sha256:00"),
  "kubeadm-init.yaml": initConfig(cluster, cp1),
  "kubeadm-join-control-plane.yaml": joinConfig(cp1, { ...join, controlPlane: { port: 6443 } }),
  "kubeadm-join-worker.yaml": joinConfig({ name: "w1", address: "10.0.0.21", taints: [] }, join),
  "kubeconfig.yaml": kubeconfig({
    cluster: "paris",
    server: "https://10.0.0.11:6443",
    tlsServerName: "paris.room.internal",
    caCertificate: "ca",
    user: "admin",
    certificate: "crt",
    privateKey: "key",
  }),
  "keepalived.conf": keepalivedConfig(member),
  "keepalived-alone.conf": keepalivedConfig({ ...member, peers: [], place: 0 }),
  "kubelet.service": kubeletUnit,
  "multus.conf": multusConfig(
    "/etc/spillway/multus/kubeconfig",
    cniConfig({ podRange: "10.244.11.0/24", mtu: 1500 }),
    "/etc/cni/net.d/10-spillway.conflist",
  ),
  "no-host-network.yaml": noHostNetwork,
  "registry-config.yml": registryConfig({ listen: ":5000", storage: "/var/lib/spillway-registry" }),
  "registry-drop-in.conf": registryDropIn,
  "release-addresses": releaseScript,
  "release-addresses.service": releaseUnit,
  "release-addresses.timer": releaseTimer,
  "underlay-manifests.yaml": underlayManifests({
    addresses: underlayPlan(
      { range: "10.0.0.64/26", gateway: "10.0.0.1", exclude: ["10.0.0.70"] },
      "10.0.0.0/24",
    ),
    mtu: 1500,
    parent: "eth1",
  }),
  "whereabouts.conf": whereaboutsConfig("/etc/spillway/whereabouts/kubeconfig"),
  "routes.service": routesUnit({
    podRange: "10.244.11.0/24",
    pods: "10.244.0.0/16",
    peers: { "10.244.21.0/24": "10.0.0.21" },
    translate: true,
  }),
  "routes-announced.service": routesUnit({
    podRange: "10.244.11.0/24",
    pods: "10.244.0.0/16",
    peers: { "10.244.21.0/24": "10.0.0.21" },
    translate: false,
  }),
};

test.each(Object.keys(rendered))("%s is rendered as reviewed", async (name) => {
  await expect(rendered[name]).toMatchFileSnapshot(`../golden/render/${name}`);
});

test("a cluster whose pods reach no server of names is made without one", () => {
  const phases = (dns: boolean) =>
    parseAllDocuments(initConfig({ ...cluster, dns }, cp1))[0]!.get("skipPhases");
  expect(phases(true)).toBeUndefined();
  expect(String(phases(false))).toContain("addon/coredns");
});

test("an API server's certificate names the API's virtual address as well", () => {
  const [, clusterConfiguration] = parseAllDocuments(
    initConfig({ ...cluster, apiAddress: "10.0.0.10" }, cp1),
  );
  expect(clusterConfiguration!.toJS().apiServer.certSANs).toEqual(["paris.room.internal", "10.0.0.10"]);
});

describe("a host that is itself a container", () => {
  const kubelet = (container: boolean) =>
    parseAllDocuments(initConfig({ ...cluster, container }, cp1))
      .map((document) => document.toJS() as Record<string, unknown>)
      .find(({ kind }) => kind === "KubeletConfiguration")!;

  test("gets the settings that a machine's disk, swap and cgroups would break", () => {
    expect(kubelet(true)).toMatchObject({ cgroupDriver: "cgroupfs", failSwapOn: false, failCgroupV1: false });
  });

  test("keeps them from machines", () => {
    expect(kubelet(false)).toMatchObject({ cgroupDriver: "systemd", protectKernelDefaults: true });
    expect(kubelet(false)).not.toHaveProperty("failSwapOn");
  });
});

test("kube-proxy stays out where the network does its work", () => {
  const documents = parseAllDocuments(initConfig({ ...cluster, kubeProxy: false }, cp1)).map(
    (document) => document.toJS() as Record<string, unknown>,
  );
  expect(documents.map(({ kind }) => kind)).not.toContain("KubeProxyConfiguration");
  expect(documents.find(({ kind }) => kind === "ClusterConfiguration")).toMatchObject({
    proxy: { disabled: true },
  });
});

test("of manifests that went just enough is kept to delete their objects", () => {
  const before = ciliumManifests(cilium);
  const now = ciliumManifests({ ...cilium, loadBalancers: undefined });
  const gone = parseAllDocuments(goneManifests(before, now)).map((document) => document.toJS() as object);
  expect(gone).toEqual([
    { apiVersion: "cilium.io/v2", kind: "CiliumLoadBalancerIPPool", metadata: { name: "spillway" } },
    { apiVersion: "cilium.io/v2alpha1", kind: "CiliumL2AnnouncementPolicy", metadata: { name: "spillway" } },
  ]);
  expect(goneManifests(now, now)).toBe("");
  expect(goneManifests("", before)).toBe("");
});

test("values with quotes and newlines stay data", () => {
  const password = 'a"b\n[host."evil"]';
  const toml = hostsToml({ address: "r:5000", username: "u", password }, "/ca.crt");
  expect(toml).not.toContain("evil");
  const hostile = parseAllDocuments(imagePatch("etcd", 'x"\nkind: Evil'))[0]!.toJS() as object;
  expect(hostile).not.toHaveProperty("kind");
});
