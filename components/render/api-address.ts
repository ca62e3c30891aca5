/** Folder of what keepalived is told on a member of the control plane. */
export const API_ADDRESS_FOLDER = "/etc/spillway/api-address";
/** Its unit; the package's own is left alone, as other programs of the host may use it. */
export const API_ADDRESS_UNIT = "spillway-api-address.service";

const RUN = "spillway-api-address";
const INTERFACE = `/run/${RUN}/interface.conf`;

/** One member's part in holding the API's virtual address. */
export interface ApiAddressSettings {
  /** The virtual address. */
  apiAddress: string;
  apiPort: number;
  /** VRRP's number of the group, 1 to 255. */
  routerId: number;
  /** Address of this member. */
  member: string;
  /** Addresses of the other members. */
  peers: string[];
  /** Its place in the program's list, from 0: of several that could take the address over the first does. */
  place: number;
}

/**
 * keepalived's configuration. A member whose API server does not live is in VRRP's state FAULT and holds
 * nothing. All begin as BACKUP and none takes the address from another that lives, so that it moves
 * no more than it must.
 */
export function keepalivedConfig({ apiAddress, routerId, member, peers, place }: ApiAddressSettings): string {
  // Without peers keepalived announces itself by multicast, to which nobody listens.
  const unicast = peers.length === 0 ? "" : `  unicast_peer {\n${lines(peers)}  }\n`;
  return `include ${INTERFACE}
global_defs {
  script_user root
  enable_script_security
}
vrrp_script api_server {
  script "${API_ADDRESS_FOLDER}/check"
  interval 2
  timeout 5
  fall 3
  rise 1
}
vrrp_instance api_address {
  state BACKUP
  nopreempt
  interface $INTERFACE
  virtual_router_id ${routerId}
  priority ${150 - 10 * place}
  advert_int 1
  unicast_src_ip ${member}
${unicast}  virtual_ipaddress {
    ${apiAddress}/32 dev $INTERFACE
  }
  track_script {
    api_server
  }
}
`;
}

const lines = (addresses: string[]): string => addresses.map((address) => `    ${address}\n`).join("");

/** Asks the member's own API server whether it lives; the certificate has the member's address. */
export function apiServerCheck({ member, apiPort }: ApiAddressSettings): string {
  return `#!/bin/sh
exec curl --silent --fail --output /dev/null --noproxy '*' --max-time 4 \\
  --cacert /etc/kubernetes/pki/ca.crt https://${member}:${apiPort}/livez
`;
}

/** Tells keepalived the name of the interface that has the member's address. */
export function interfaceScript({ member }: ApiAddressSettings): string {
  return `#!/bin/sh -eu
interface=$(ip -o -4 address show to ${member}/32 | awk 'NR == 1 { print $2 }')
if [ -z "$interface" ]; then
  echo "no interface has the address ${member}" >&2
  exit 1
fi
echo "\\$INTERFACE=$interface" >${INTERFACE}
`;
}

/** Unit of the keepalived that holds the API's address. */
export const apiAddressUnit = `[Unit]
Description=Virtual address of the Kubernetes API
After=network-online.target
Wants=network-online.target

[Service]
RuntimeDirectory=${RUN}
ExecStartPre=${API_ADDRESS_FOLDER}/interface
ExecStart=/usr/sbin/keepalived --dont-fork --log-console --no-syslog --vrrp --use-file=${API_ADDRESS_FOLDER}/keepalived.conf --pid=/run/${RUN}/keepalived.pid --vrrp_pid=/run/${RUN}/vrrp.pid
ExecReload=/bin/kill -HUP $MAINPID
# The address is taken off by the process that ends in order; only its parent is told to.
KillMode=mixed
TimeoutStopSec=10
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`;
