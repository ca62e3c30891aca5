import { stringify } from "yaml";

/** Where what Cilium's programs are told lies on a host. */
export const CILIUM_FOLDER = "/etc/spillway/cilium";
/** Sources that the agent compiles, as they were sent and where it looks for them. */
export const CILIUM_SOURCES = "/usr/local/lib/spillway/cilium-bpf.tar.gz";
export const CILIUM_LIBRARY = "/var/lib/cilium";
/** How containerd connects a pod, as the agent has it. */
export const CILIUM_CNI = JSON.stringify({
  cniVersion: "0.3.1",
  name: "cilium",
  plugins: [{ type: "cilium-cni", "enable-debug": false, "log-file": "/var/run/cilium/cilium-cni.log" }],
});
/** Where the agent writes it when it is ready, and so makes the node ready. */
export const CILIUM_CNI_CONFIG = "/etc/cni/net.d/05-cilium.conflist";

/** What Cilium does in a cluster. */
export interface CiliumSettings {
  /** Range of all pods. */
  pods: string;
  /** Largest packet that passes between hosts, in bytes; a tunnel's part is taken off by the agent. */
  mtu: number;
  /** Packets between nodes go through a VXLAN tunnel; without one, by routes of the hosts. */
  tunnel: boolean;
  /** What leaves the cluster gets its host's address. */
  translate: boolean;
  /** Range that services of type `LoadBalancer` get addresses from. @default they get none */
  loadBalancers?: string;
  /** There are nodes besides the control plane's: they alone answer for such addresses. */
  workers: boolean;
}

/** Of the leases. */
const NAMESPACE = "kube-system";
const CGROUPS = "/run/cilium/cgroupv2";

/** Flags of the agent. */
function agentFlags({
  pods,
  mtu,
  tunnel,
  translate,
  loadBalancers,
}: CiliumSettings): Record<string, string | boolean> {
  return {
    "k8s-kubeconfig-path": `${CILIUM_FOLDER}/agent.kubeconfig`,
    "k8s-namespace": NAMESPACE,
    "identity-allocation-mode": "crd",
    // The address plan gives each node its range, by the node object.
    ipam: "kubernetes",
    "k8s-require-ipv4-pod-cidr": true,
    "enable-ipv6": false,
    mtu: String(mtu),
    "ipv4-native-routing-cidr": pods,
    ...(tunnel
      ? { "routing-mode": "tunnel", "tunnel-protocol": "vxlan" }
      : { "routing-mode": "native", "auto-direct-node-routes": true }),
    // By iptables it would take ipset, which not every kernel has.
    "enable-bpf-masquerade": translate,
    ...(translate ? {} : { "enable-ipv4-masquerade": false }),
    "enable-policy": "default",
    // All it is told stands here; it would look for a ConfigMap of its chart.
    "enable-dynamic-config": false,
    "kube-proxy-replacement": true,
    "enable-l2-announcements": loadBalancers !== undefined,
    // Both are done by Envoy, which is not here.
    "enable-l7-proxy": false,
    "enable-envoy-config": false,
    "enable-hubble": false,
    "enable-health-checking": false,
    "enable-endpoint-health-checking": false,
    "write-cni-conf-when-ready": CILIUM_CNI_CONFIG,
    "cgroup-root": CGROUPS,
    "lib-dir": CILIUM_LIBRARY,
  };
}

const OPERATOR_FLAGS = {
  "k8s-kubeconfig-path": `${CILIUM_FOLDER}/operator.kubeconfig`,
  "k8s-namespace": NAMESPACE,
  "identity-allocation-mode": "crd",
  ipam: "kubernetes",
  // These look for pods of Cilium, and its programs are units here.
  "unmanaged-pod-watcher-interval": "0",
  "remove-cilium-node-taints": false,
  "set-cilium-is-up-condition": false,
};

const flagsOf = (flags: Record<string, string | boolean>): string =>
  Object.entries(flags)
    .map(([name, value]) => `--${name}=${value}`)
    .join(" ");

/** A host that is no node yet has nobody to ask. */
const onceNode = (program: string): string =>
  `/bin/sh -c 'until test -e /etc/kubernetes/kubelet.conf; do sleep 1; done; exec "$$0" "$$@"' ${program}`;

/** Where an agent runs. */
export interface CiliumNode {
  /** Name of the node. */
  host: string;
  /** The host is itself a container. */
  container: boolean;
}

/** Unit of the agent: it connects the host's pods and enforces their policies. */
export function ciliumAgentUnit(settings: CiliumSettings, { host, container }: CiliumNode): string {
  return `[Unit]
Description=Cilium agent
After=network-online.target containerd.service
Wants=network-online.target

[Service]
Environment=PATH=/usr/lib/llvm-19/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Environment=K8S_NODE_NAME=${host}
# A node whose agent is not ready is not ready itself.
ExecStartPre=+/bin/rm -f ${CILIUM_CNI_CONFIG}
ExecStartPre=+/bin/sh -c 'mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf'
ExecStartPre=+/bin/sh -c 'mkdir -p ${CILIUM_LIBRARY}/bpf && tar -C ${CILIUM_LIBRARY}/bpf -xzf ${CILIUM_SOURCES}'
ExecStart=${onceNode("/usr/local/bin/cilium-agent")} ${flagsOf(agentFlags(settings))}
ExecStopPost=+/bin/rm -f ${CILIUM_CNI_CONFIG}
LimitNOFILE=1048576
Restart=always
RestartSec=2
${container ? SHARED_KERNEL : ""}
[Install]
WantedBy=multi-user.target
`;
}

/** A container's kernel is the computer's: what the agent would set there is not its own. */
const SHARED_KERNEL = `ReadOnlyPaths=/proc/sys/kernel
`;

/** Unit of the operator, on each member of the control plane; one of them leads. */
export const ciliumOperatorUnit = `[Unit]
Description=Cilium operator
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=${onceNode("/usr/local/bin/cilium-operator")} ${flagsOf(OPERATOR_FLAGS)}
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`;

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

const may = (verbs: string, group: string, resources: string): Rule => ({
  apiGroups: [group],
  resources: resources.split(" "),
  verbs: verbs.split(" "),
});

const SEE = "get list watch";
const DEFINITIONS = may(SEE, "apiextensions.k8s.io", "customresourcedefinitions");

/** Kinds that Cilium brings, without those of Envoy, gateways and BGP, which are off. */
const KINDS =
  "ciliumcidrgroups ciliumclusterwidenetworkpolicies ciliumegressgatewaypolicies ciliumendpoints ciliumendpointslices " +
  "ciliumidentities ciliuml2announcementpolicies ciliumloadbalancerippools ciliumlocalredirectpolicies " +
  "ciliumnetworkpolicies ciliumnodeconfigs ciliumnodes ciliumpodippools";

/** As Cilium's chart 1.18 has them, without what is off here: secrets, Envoy, ingress, gateways, BGP, meshes. */
const AGENT_RULES: Rule[] = [
  may(SEE, "networking.k8s.io", "networkpolicies"),
  may(SEE, "discovery.k8s.io", "endpointslices"),
  may(SEE, "", "namespaces services pods endpoints nodes"),
  DEFINITIONS,
  may("list watch", "cilium.io", KINDS),
  may("create", "cilium.io", "ciliumidentities ciliumendpoints ciliumnodes"),
  may("update", "cilium.io", "ciliumidentities"),
  may("get delete", "cilium.io", "ciliumendpoints"),
  may("get update", "cilium.io", "ciliumnodes ciliumnodes/status"),
  may("patch", "cilium.io", "ciliumendpoints ciliumendpoints/status ciliuml2announcementpolicies/status"),
];

const OPERATOR_RULES: Rule[] = [
  may(SEE, "", "pods nodes namespaces services endpoints"),
  may(SEE, "discovery.k8s.io", "endpointslices"),
  may("update patch", "", "services/status"),
  may(
    "create update deletecollection patch get list watch",
    "cilium.io",
    "ciliumnetworkpolicies ciliumclusterwidenetworkpolicies",
  ),
  may(
    "patch update",
    "cilium.io",
    "ciliumnetworkpolicies/status ciliumclusterwidenetworkpolicies/status ciliumnodes/status",
  ),
  may("delete list watch update", "cilium.io", "ciliumendpoints ciliumidentities"),
  may("create update get list watch delete", "cilium.io", "ciliumnodes"),
  may("create update get list watch delete patch", "cilium.io", "ciliumendpointslices"),
  may(SEE, "cilium.io", "ciliumloadbalancerippools ciliumpodippools ciliumcidrgroups"),
  may("patch", "cilium.io", "ciliumloadbalancerippools/status"),
  DEFINITIONS,
  may("create", "apiextensions.k8s.io", "customresourcedefinitions"),
  {
    ...may("update", "apiextensions.k8s.io", "customresourcedefinitions"),
    resourceNames: KINDS.split(" ").map((kind) => `${kind}.cilium.io`),
  },
];

/** Who leads, and which node answers for the address of a service. */
const LEASES = "create get update list delete";

const RBAC = "rbac.authorization.k8s.io";

/** A role and its binding to the user `spillway:NAME`; in a namespace, or in the cluster. */
function rights(name: string, rules: Rule[], namespace?: string): object[] {
  const scope = namespace ? "" : "Cluster";
  const metadata = { name: `spillway-${name}`, ...(namespace && { namespace }) };
  return [
    { apiVersion: `${RBAC}/v1`, kind: `${scope}Role`, metadata, rules },
    {
      apiVersion: `${RBAC}/v1`,
      kind: `${scope}RoleBinding`,
      metadata,
      roleRef: { apiGroup: RBAC, kind: `${scope}Role`, name: metadata.name },
      subjects: [{ apiGroup: RBAC, kind: "User", name: `spillway:${name}` }],
    },
  ];
}

/** What the cluster itself needs: rights of agent and operator, and where addresses of services come from. */
export function ciliumManifests({ loadBalancers, workers }: CiliumSettings): string {
  const announcing = loadBalancers === undefined ? [] : announcements(loadBalancers, workers);
  const leases = [may(LEASES, "coordination.k8s.io", "leases")];
  const objects = [
    ...rights("cilium", AGENT_RULES),
    ...rights("cilium", leases, NAMESPACE),
    ...rights("cilium-operator", OPERATOR_RULES),
    ...rights("cilium-operator", leases, NAMESPACE),
    ...announcing,
  ];
  return objects.map((object) => stringify(object, { lineWidth: 0 })).join("---\n");
}

function announcements(range: string, workers: boolean): object[] {
  // kubeadm's mark on the control plane's nodes.
  const excluded = "node.kubernetes.io/exclude-from-external-load-balancers";
  const nodeSelector = { matchExpressions: [{ key: excluded, operator: "DoesNotExist" }] };
  const metadata = { name: "spillway" };
  return [
    {
      apiVersion: "cilium.io/v2",
      kind: "CiliumLoadBalancerIPPool",
      metadata,
      spec: { blocks: [{ cidr: range }] },
    },
    {
      apiVersion: "cilium.io/v2alpha1",
      kind: "CiliumL2AnnouncementPolicy",
      metadata,
      spec: { loadBalancerIPs: true, ...(workers && { nodeSelector }) },
    },
  ];
}
