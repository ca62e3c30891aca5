import type { BgpArgs } from "../model/bgp.ts";

/** What BIRD is told; its own configuration is left alone, as other programs of the host may use it. */
export const BGP_CONFIG = "/etc/spillway/bgp/bird.conf";
export const BGP_UNIT = "spillway-bgp.service";

const RUN = "spillway-bgp";
const SOCKET = `/run/${RUN}/bird.ctl`;

/** One node's part in telling the site's routers where pods are. */
export interface BgpSettings {
  /** Host address of the node. */
  address: string;
  /** Range of the node's pods. */
  podRange: string;
  bgp: BgpArgs;
  /** Shared secrets, in the order of the routers. */
  passwords: (string | undefined)[];
}

/** BIRD 2's configuration. It announces the node's pods, takes nothing and leaves the kernel's routes alone. */
export function birdConfig({ address, podRange, bgp, passwords }: BgpSettings): string {
  const sessions = bgp.routers.map(
    // On a reload BIRD knows sessions by these names.
    ({ address: router, as = bgp.as }, i) => `
protocol bgp router_${router.replaceAll(".", "_")} {
  local ${address} as ${bgp.as};
  neighbor ${router} as ${as};
  direct;
${passwords[i] === undefined ? "" : `  password "${passwords[i]}";\n`}  hold time 30;
  connect delay time 1;
  connect retry time 5;
  error wait time 2, 30;
  ipv4 {
    import none;
    export where source = RTS_STATIC;
    next hop self;
  };
}
`,
  );
  return `log stderr all;
router id ${address};
protocol device {
}
protocol static pods {
  ipv4;
  route ${podRange} unreachable;
}
${sessions.join("")}`;
}

/** Comes last of all routes to the same range. */
const LAST = 4294967295;

/**
 * Unit of the BIRD that announces a node's pods. Routes to the range come with the first pod or the network's
 * agent; until then packets for it would go back to the router that sent them.
 */
export const bgpUnit = (podRange: string): string => `[Unit]
Description=Routes to the pods of this node, for the site's routers (BGP)
After=network-online.target
Wants=network-online.target

[Service]
RuntimeDirectory=${RUN}
ExecStartPre=/usr/sbin/ip route replace unreachable ${podRange} metric ${LAST}
ExecStartPre=/usr/sbin/bird -p -c ${BGP_CONFIG}
ExecStart=/usr/sbin/bird -f -c ${BGP_CONFIG} -s ${SOCKET}
ExecReload=/usr/sbin/birdc -s ${SOCKET} configure
ExecStopPost=-/usr/sbin/ip route delete unreachable ${podRange} metric ${LAST}
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW
NoNewPrivileges=true
ProtectHome=true
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`;
