/** What a node's CNI configuration follows from. */
export interface CniSettings {
  /** Range of this node's pods. */
  podRange: string;
  /** Largest packet of a pod, in bytes. */
  mtu: number;
}

/**
 * `/etc/cni/net.d/10-spillway.conflist`: pods on a bridge of the host, addresses from the node's own
 * range. It serves the modes `bridge` (host routes carry packets to other nodes) and `overlay`
 * (flanneld's tunnel does).
 */
export function cniConfig({ podRange, mtu }: CniSettings): string {
  const bridge = {
    type: "bridge",
    bridge: "cni0",
    isGateway: true,
    // Masquerading at the bridge would hide pods from pods of other nodes: it is done at the way out.
    ipMasq: false,
    hairpinMode: true,
    mtu,
    ipam: { type: "host-local", ranges: [[{ subnet: podRange }]], routes: [{ dst: "0.0.0.0/0" }] },
  };
  const list = {
    cniVersion: "0.4.0",
    name: "spillway",
    plugins: [bridge, { type: "portmap", capabilities: { portMappings: true } }],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

/**
 * `/etc/cni/net.d/10-spillway.conflist` where pods have no network: the loopback interface alone. containerd takes no
 * pod without an address, so each shows IPv4's dummy address (RFC 7600), which no interface has and nobody routes. One
 * of the loopback range would let kubelet's probes reach what listens there on the host.
 */
export const isolatedConfig = `${JSON.stringify(
  {
    cniVersion: "0.4.0",
    name: "spillway",
    plugins: [
      { type: "static", ipam: { type: "static", addresses: [{ address: "192.0.0.8/32" }] } },
      { type: "loopback" },
    ],
  },
  null,
  2,
)}\n`;

/** Where the packets of one node go. */
export interface RouteSettings {
  podRange: string;
  /** Range of all pods. */
  pods: string;
  /** Other nodes: their host address by the range of their pods. */
  peers: Record<string, string>;
  /** What leaves the cluster gets its host's address. */
  translate: boolean;
}

/** Marks our routes, so that they are flushed without touching others. */
const ROUTE_PROTOCOL = 177;

/**
 * Unit that holds the routes to other nodes' pods and the translation of what leaves the cluster. A reload
 * takes no route away: a node that leaves is still drained when the others are told.
 */
export function routesUnit({ podRange, pods, peers, translate }: RouteSettings): string {
  const masquerade = `POSTROUTING -s ${podRange} ! -d ${pods} -m comment --comment spillway -j MASQUERADE`;
  const bringUp = [
    ...Object.entries(peers).map(
      ([range, address]) => `/usr/sbin/ip route replace ${range} via ${address} proto ${ROUTE_PROTOCOL}`,
    ),
    ...(translate
      ? [`-/usr/sbin/iptables -w -t nat -D ${masquerade}`, `/usr/sbin/iptables -w -t nat -A ${masquerade}`]
      : []),
  ];
  const lines = (when: string) => bringUp.map((command) => `${when}=${command}`).join("\n");
  return `[Unit]
Description=Routes to the pods of other nodes
After=network-online.target
Wants=network-online.target
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/usr/sbin/ip route flush proto ${ROUTE_PROTOCOL}
${lines("ExecStart")}
${lines("ExecReload")}
ExecStop=-/usr/sbin/ip route flush proto ${ROUTE_PROTOCOL}
${translate ? `ExecStop=-/usr/sbin/iptables -w -t nat -D ${masquerade}\n` : ""}# Each command takes milliseconds. In a container systemd may miss that one has ended, and would wait for it for 90 s.
TimeoutStartSec=30
TimeoutStopSec=10

[Install]
WantedBy=multi-user.target
`;
}

/** flanneld's network: a VXLAN tunnel among all nodes, over links of that MTU. */
export function flannelConfig(pods: string, mtu: number): string {
  const config = { Network: pods, EnableNFTables: false, Backend: { Type: "vxlan", MTU: mtu } };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Unit of flanneld: learns the nodes' pod ranges from the Kubernetes API. @param mtu inside the tunnel */
export function flannelUnit(node: string, address: string, pods: string, mtu: number): string {
  return `[Unit]
Description=Flannel VXLAN overlay
After=network-online.target
Wants=network-online.target
ConditionPathExists=/etc/spillway/flannel/kubeconfig

[Service]
Environment=NODE_NAME=${node}
# Routes to other nodes' pods come as flanneld learns of them; until then nothing for pods may leave by the default route.
ExecStartPre=+/bin/sh -c 'ip route replace unreachable ${pods}'
# flanneld keeps a device that is there, whatever its MTU.
ExecStartPre=-+/usr/sbin/ip link set flannel.1 mtu ${mtu}
ExecStart=/usr/local/bin/flanneld --kube-subnet-mgr --kubeconfig-file=/etc/spillway/flannel/kubeconfig --net-config-path=/etc/spillway/flannel/net-conf.json --public-ip=${address} --iface=${address} --ip-masq
ExecStopPost=+/bin/sh -c 'ip route delete unreachable ${pods} || :'
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`;
}
