/** A daemon or client of a Ceph cluster, its key and what that may do. */
export interface CephEntity {
  /** Such as `client.admin`. */
  name: string;
  /** In Ceph's form. */
  key: string;
  /** What it may do, by the kind of daemon it asks. @default nothing is said: the cluster knows */
  caps?: Record<string, string>;
}

/** What every configuration of a cluster says. */
export interface CephSettings {
  fsid: string;
  /** Addresses of the monitors by their names. */
  monitors: Record<string, string>;
  /** Range of the network that daemons talk on. */
  network: string;
  /** Copies of each object, and with how many it still takes writes. */
  replicas: number;
  /** The hosts are containers: their disk is that of a whole machine. */
  container: boolean;
}

/** Ceph's form of a secret of 16 bytes: type 1 (AES), the moment it was made (none is said), length, bytes; little endian. */
export function cephKey(secret: Uint8Array): string {
  const head = Buffer.alloc(12);
  head.writeUInt16LE(1, 0);
  head.writeUInt16LE(secret.length, 10);
  return Buffer.concat([head, secret]).toString("base64");
}

/** A UUID of these 16 bytes in hexadecimal, marked as a random one (RFC 9562, version 4). */
export function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  const digits = `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Copies with which a pool still takes writes: with fewer a second loss could lose what was written. */
export const minSize = (replicas: number): number => (replicas > 2 ? replicas - 1 : 1);

/** ceph.conf of the cluster's own hosts. */
export function cephConfig(settings: CephSettings): string {
  const { network, replicas, container } = settings;
  return [
    ...globalLines(settings),
    `public network = ${network}`,
    "auth cluster required = cephx",
    "auth service required = cephx",
    `mon initial members = ${Object.keys(settings.monitors).join(",")}`,
    `osd pool default size = ${replicas}`,
    `osd pool default min size = ${minSize(replicas)}`,
    // Of one computer, which answers late when it is busy; the warning would stay for a quarter of an hour.
    ...(container ? ["mon warn on slow ping time = 60000"] : []),
    ...(replicas === 1 ? ["mon allow pool size one = true", "mon warn on pool no redundancy = false"] : []),
    "",
    "[mon]",
    // Clients older than 2021 guess the id of another's session.
    "auth allow insecure global id reclaim = false",
    ...(container ? ["mon data avail warn = 2", "mon data avail crit = 1"] : []),
    "",
  ].join("\n");
}

/** Configuration of the client of one file system's directory. */
export function cephClientConfig(
  settings: Pick<CephSettings, "fsid" | "monitors">,
  client: { name: string; fileSystem: string; directory: string; keyring: string },
): string {
  return [
    ...globalLines(settings),
    "",
    `[${client.name}]`,
    `keyring = ${client.keyring}`,
    `client fs = ${client.fileSystem}`,
    `client mountpoint = ${client.directory}`,
    // Without the two ceph-fuse keeps no access control lists.
    "client acl type = posix_acl",
    "fuse default permissions = false",
    "",
  ].join("\n");
}

/** An object gateway on a host. */
export interface CephGateway {
  /** Its client's name, such as `client.shared-gateway-s1`. */
  name: string;
  keyring: string;
  address: string;
  port: number;
  /** Certificate and key, in one file. */
  certificate: string;
}

/** Configuration of an object gateway. */
export function cephGatewayConfig(
  settings: Pick<CephSettings, "fsid" | "monitors">,
  { name, keyring, address, port, certificate }: CephGateway,
): string {
  return [
    ...globalLines(settings),
    "",
    `[${name}]`,
    `keyring = ${keyring}`,
    `rgw frontends = beast ssl_endpoint=${address}:${port} ssl_certificate=${certificate}`,
    "log to file = false",
    "log to stderr = true",
    "",
  ].join("\n");
}

/** Unit of an object gateway. */
export const cephGatewayUnit = (name: string, config: string): string => `[Unit]
Description=Ceph object gateway
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/bin/radosgw -f --conf ${config} --name ${name} --setuser ceph --setgroup ceph
LimitNOFILE=1048576
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
`;

function globalLines({ fsid, monitors }: Pick<CephSettings, "fsid" | "monitors">): string[] {
  return [
    "[global]",
    `fsid = ${fsid}`,
    `mon host = ${Object.values(monitors).join(",")}`,
    "auth client required = cephx",
  ];
}

/** A keyring file. */
export function cephKeyring(entities: readonly CephEntity[]): string {
  const sections = entities.map(({ name, key, caps = {} }) => [
    `[${name}]`,
    `\tkey = ${key}`,
    ...Object.entries(caps).map(([service, cap]) => `\tcaps ${service} = "${cap}"`),
    "",
  ]);
  return sections.flat().join("\n");
}

/** What each kind of daemon, and a client of a directory, may do: no more than Ceph's documentation asks for. */
export const CAPS = {
  monitor: { mon: "allow *" },
  admin: { mon: "allow *", mgr: "allow *", osd: "allow *", mds: "allow *" },
  manager: { mon: "allow profile mgr", osd: "allow *", mds: "allow *" },
  metadata: { mon: "allow profile mds", mgr: "allow profile mds", osd: "allow rw tag cephfs *=*" },
  gateway: { mon: "allow rw", mgr: "allow rw", osd: "allow rwx tag rgw *=*" },
} as const satisfies Record<string, Record<string, string>>;

/** What ceph-csi asks for to make volumes in a file system (its docs/capabilities.md). */
export const provisionerCaps = (fileSystem: string): Record<string, string> => ({
  mon: `allow r fsname=${fileSystem}`,
  mgr: "allow rw",
  mds: `allow r fsname=${fileSystem} path=/volumes, allow rws fsname=${fileSystem} path=/volumes/csi`,
  osd: `allow rw tag cephfs metadata=${fileSystem}, allow rw tag cephfs data=${fileSystem}`,
});

/** What a client of one pool of block devices may do. */
export const blockCaps = (pool: string): Record<string, string> => ({
  mon: "profile rbd",
  mgr: `profile rbd pool=${pool}`,
  osd: `profile rbd pool=${pool}`,
});

/** Drop-in of an OSD's unit: Ceph's user gets the device, which udev gives to root at every boot. */
export function osdDropIn(device: string): string {
  return `[Service]\nExecStartPre=+/usr/bin/chown ceph:ceph ${device}\n`;
}
