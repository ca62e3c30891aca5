import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { Devices, FileSystem, Monitor, Osd, Subvolume } from "../ceph/resources.ts";
import { refuse } from "../model/problem.ts";
import { type Capacity, type VolumeArgs, volumeProblems } from "../model/store.ts";
import {
  CAPS,
  type CephEntity,
  cephClientConfig,
  cephConfig,
  cephKey,
  cephKeyring,
  uuidOf,
} from "../render/ceph.ts";
import { Password } from "../secrets/resources.ts";
import { HostState, Preflight } from "../ssh/resources.ts";
import { cephStoreProblems } from "./ceph-problems.ts";
import type { Site } from "./site.ts";
import { holder, placesOf, Store, Volume, type VolumeAccess } from "./store.ts";

/** A device for an OSD. */
export interface CephDevice {
  /** Absolute path; on machines with several disks one below /dev/disk/by-id, which does not change places. */
  device: string;
  /** Take it with what is on it. @default false: refused */
  wipe?: boolean;
}

/** Arguments of a Ceph store. */
export interface CephStoreArgs {
  site: Site;
  /** Hosts of the monitors, 1, 3 or 5; each has a manager and a metadata server as well. Stay as they are. */
  monitors: string[];
  /** Whole disks or partitions by host, each an OSD; blank ones, unless `wipe` is said. */
  osds: Record<string, (string | CephDevice)[]>;
  /** Copies of everything, each on another host. With 2 the next fault may lose data, with 1 the first does. @default 3 */
  replicas?: number;
  /** MiB of memory that an OSD tries to keep to, at least 896. @default 4096 */
  osdMemoryMiB?: number;
  /** The store, its volumes and its OSDs may go with the data in them. @default false */
  allowDataLoss?: boolean;
}

/**
 * Ceph on hosts of the site: volumes that several hosts write at once, each byte on several of them.
 * A loss of one host stalls writers for some 30 s, and loses nothing.
 *
 * @example
 * const store = new CephStore("shared", {
 *   site,
 *   monitors: ["s1", "s2", "s3"],
 *   osds: { s1: ["/dev/sdb"], s2: ["/dev/sdb"], s3: ["/dev/sdb"] },
 * });
 * new VolumeMount("data", { volume: store.volume("data", { capacityGiB: 10 }), host: "w1", path: "/srv/data" });
 */
export class CephStore extends Store {
  readonly health: pulumi.Output<string>;
  readonly capacity: pulumi.Output<Capacity>;
  readonly #args: CephStoreArgs;
  readonly #fileSystem: FileSystem;
  readonly #fsid: pulumi.Output<string>;

  constructor(name: string, args: CephStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`CephStore "${name}"`, cephStoreProblems(name, args));
    super("spillway:onprem:CephStore", name, args.site, opts);
    this.#args = args;
    for (const { host, device } of devicesOf(args)) {
      placesOf(args.site).take(host, device, `CephStore "${name}"`);
    }
    this.#fsid = this.#newFsid();
    const looks = [this.#preflight(), this.#devices()];
    const admin = this.key("client.admin");
    const states = this.#states(admin, looks);
    const monitors = this.#monitors(admin, states);
    const osds = this.#osds([...monitors, ...Object.values(states)]);
    this.#fileSystem = this.#newFileSystem([...osds, ...monitors]);
    this.health = this.#fileSystem.health;
    this.capacity = this.#fileSystem.capacity;
    this.registerOutputs({ health: this.health, capacity: this.capacity });
  }

  override volume(name: string, args: VolumeArgs = {}, opts?: pulumi.ComponentResourceOptions): CephVolume {
    refuse(
      `CephStore "${this.storeName}", volume "${name}"`,
      volumeProblems(this.storeName, name, args, this.volumes),
    );
    this.volumes.add(name);
    const { allowDataLoss = this.#args.allowDataLoss ?? false, capacityGiB } = args;
    const parts = {
      cluster: this.cluster(),
      monitors: this.monitorAddresses(),
      fileSystem: this.#fileSystem,
      capacity: capacityGiB === undefined ? undefined : Math.round(capacityGiB * 2 ** 30),
      allowDataLoss,
    };
    return new CephVolume(name, this, parts, opts);
  }

  /** How the cluster is asked. */
  private cluster() {
    const { site, monitors } = this.#args;
    const connections = monitors.map((host) => [host, site.connection(host)] as const);
    return { store: this.storeName, fsid: this.#fsid, monitors: Object.fromEntries(connections) };
  }

  private monitorAddresses(): Record<string, string> {
    const { site, monitors } = this.#args;
    return Object.fromEntries(monitors.map((host) => [host, site.hosts[host]!.address]));
  }

  /** Key of a daemon or client, made once; a secret. */
  key(entity: string, parent: pulumi.Resource = this): pulumi.Output<string> {
    const name = `${this.storeName}-${entity.replaceAll(".", "-")}-key`;
    const secret = new Password(name, { bytes: 16, encoding: "hex" }, { parent });
    return pulumi.secret(secret.value).apply((hex) => cephKey(Buffer.from(hex, "hex")));
  }

  /** Random, made once, and no secret. */
  #newFsid(): pulumi.Output<string> {
    const made = new Password(`${this.storeName}-fsid`, { bytes: 16, encoding: "hex" }, { parent: this });
    return pulumi.unsecret(made.value).apply(uuidOf);
  }

  #preflight(): Preflight {
    const { site, monitors, osds } = this.#args;
    const hosts = [...new Set([...monitors, ...Object.keys(osds)])];
    return new Preflight(
      `${this.storeName}-preflight`,
      {
        hosts: hosts.map((host) => site.connection(host)),
        // A monitor writes its map of the others once.
        fixed: {
          of: `CephStore "${this.storeName}"`,
          facts: { monitors: monitors.toSorted().join(", ") },
        },
        require: {
          diskGiB: 3,
          freePorts: Object.fromEntries(monitors.map((host) => [host, [3300, 6789]])),
          owner: `store ${this.storeName}`,
          // Ceph's monitors take no part with clocks further apart, and ask for much less.
          clockSkewSeconds: 1,
        },
      },
      { parent: this },
    );
  }

  #devices(): Devices {
    const { site, osds } = this.#args;
    const hosts = Object.keys(osds).map((host) => {
      const devices = devicesOf(this.#args).filter((each) => each.host === host);
      return [
        host,
        { connection: site.connection(host), devices: devices.map(({ device, wipe }) => ({ device, wipe })) },
      ] as const;
    });
    return new Devices(
      `${this.storeName}-devices`,
      { store: this.storeName, owner: holder(this.storeName, "osds"), hosts: Object.fromEntries(hosts) },
      { parent: this },
    );
  }

  /** Packages and configuration of each host. */
  #states(admin: pulumi.Output<string>, looks: pulumi.Resource[]): Record<string, HostState> {
    const { site, monitors, osds } = this.#args;
    const hosts = [...new Set([...monitors, ...Object.keys(osds)])];
    const keyring = admin.apply((key) => cephKeyring([{ name: "client.admin", key, caps: CAPS.admin }]));
    const content = this.#configuration();
    const states = hosts.map((host) => {
      const isMonitor = monitors.includes(host);
      const packages = [...(isMonitor ? MONITOR_PACKAGES : []), ...(host in osds ? OSD_PACKAGES : [])];
      const files = {
        "/etc/ceph/ceph.conf": { content },
        ...(isMonitor ? { [ADMIN_KEYRING]: { content: pulumi.secret(keyring), mode: "0600" } } : {}),
      };
      const inputs = { connection: site.connection(host), name: `ceph-${this.storeName}`, packages, files };
      const options = { parent: this, dependsOn: looks };
      return [host, new HostState(`${this.storeName}-${host}-state`, inputs, options)] as const;
    });
    return Object.fromEntries(states);
  }

  #configuration(): pulumi.Output<string> {
    const { site, monitors, osds, replicas = 3, osdMemoryMiB = 4096 } = this.#args;
    const container = [...monitors, ...Object.keys(osds)].some((host) => site.hosts[host]!.container);
    const settings = { network: site.range, replicas, osdMemoryMiB, container };
    return this.#fsid.apply((fsid) => cephConfig({ fsid, monitors: this.monitorAddresses(), ...settings }));
  }

  #monitors(admin: pulumi.Output<string>, states: Record<string, HostState>): Monitor[] {
    const { site, monitors } = this.#args;
    const managers = this.#entities("mgr", CAPS.manager);
    const metadata = this.#entities("mds", CAPS.metadata);
    const all = [
      entity("mon.", this.key("mon"), CAPS.monitor),
      entity("client.admin", admin, CAPS.admin),
      ...Object.values(managers),
      ...Object.values(metadata),
    ];
    return monitors.map((host) => {
      const inputs = {
        connection: site.connection(host),
        fsid: this.#fsid,
        name: host,
        addresses: this.monitorAddresses(),
        keyring: pulumi.secret(pulumi.all(all).apply(cephKeyring)),
        managerKeyring: keyringOf(managers[host]!),
        metadataKeyring: keyringOf(metadata[host]!),
      };
      const options = { parent: this, dependsOn: Object.values(states) };
      return new Monitor(`${this.storeName}-${host}-monitor`, inputs, options);
    });
  }

  /** A daemon on each of the monitors' hosts. */
  #entities(kind: string, caps: Record<string, string>): Record<string, pulumi.Output<CephEntity>> {
    const { monitors } = this.#args;
    const made = monitors.map((host) => {
      const name = `${kind}.${host}`;
      return [host, entity(name, this.key(name), caps)] as const;
    });
    return Object.fromEntries(made);
  }

  #osds(dependsOn: pulumi.Resource[]): Osd[] {
    const { site, allowDataLoss = false } = this.#args;
    return devicesOf(this.#args).map(({ host, device, wipe }) => {
      const name = `${host}-${device.replace(/^\/dev\//, "").replaceAll("/", "-")}`;
      const inputs = {
        ...this.cluster(),
        connection: site.connection(host),
        host,
        device,
        wipe,
        owner: holder(this.storeName, "osds"),
        uuid: this.#osdUuid(host, device),
        key: this.key(`osd.${name}`),
        allowDataLoss,
      };
      return new Osd(`${this.storeName}-${name}-osd`, inputs, { parent: this, dependsOn });
    });
  }

  /** Follows from where it is: a state that forgot it half-way finds it again. */
  #osdUuid(host: string, device: string): pulumi.Output<string> {
    return this.#fsid.apply((fsid) =>
      uuidOf(createHash("sha256").update(`${fsid} ${host} ${device}`).digest("hex").slice(0, 32)),
    );
  }

  #newFileSystem(dependsOn: pulumi.Resource[]): FileSystem {
    const { replicas = 3, allowDataLoss = false } = this.#args;
    const osds = devicesOf(this.#args).map(({ host, device }) => this.#osdUuid(host, device));
    const inputs = { ...this.cluster(), name: this.storeName, replicas, osds, allowDataLoss };
    return new FileSystem(`${this.storeName}-filesystem`, inputs, { parent: this, dependsOn });
  }
}

const ADMIN_KEYRING = "/etc/ceph/ceph.client.admin.keyring";
const CLIENT_PACKAGES = ["ceph-fuse"];
const MONITOR_PACKAGES = ["ceph-mon", "ceph-mgr", "ceph-mds", ...CLIENT_PACKAGES];
const OSD_PACKAGES = ["ceph-osd"];

function devicesOf({ osds }: CephStoreArgs): { host: string; device: string; wipe: boolean }[] {
  return Object.entries(osds).flatMap(([host, devices]) =>
    devices.map((each) => {
      const { device, wipe = false } = typeof each === "string" ? { device: each } : each;
      return { host, device, wipe };
    }),
  );
}

function entity(
  name: string,
  key: pulumi.Output<string>,
  caps: Record<string, string>,
): pulumi.Output<CephEntity> {
  return key.apply((value) => ({ name, key: value, caps }));
}

const keyringOf = (one: pulumi.Output<CephEntity>) =>
  pulumi.secret(one.apply(({ name, key }) => cephKeyring([{ name, key }])));

/** What a volume is made from. */
interface CephVolumeParts {
  cluster: {
    store: string;
    fsid: pulumi.Output<string>;
    monitors: Record<string, ReturnType<Site["connection"]>>;
  };
  monitors: Record<string, string>;
  fileSystem: FileSystem;
  /** Bytes. */
  capacity: number | undefined;
  allowDataLoss: boolean;
}

/** A volume of a Ceph store: a directory of its own that several hosts may mount and write at once. */
export class CephVolume extends Volume {
  readonly #parts: CephVolumeParts;
  readonly #client: string;
  readonly #key: pulumi.Output<string>;
  readonly #directory: pulumi.Output<string>;

  /** Made by `CephStore.volume`. */
  constructor(
    name: string,
    store: CephStore,
    parts: CephVolumeParts,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("spillway:onprem:CephVolume", { name, store, shared: true }, opts);
    this.#parts = parts;
    this.#client = `${store.storeName}-${name}`;
    this.#key = store.key(`client.${name}`, this);
    const made = new Subvolume(
      `${store.storeName}-${name}-subvolume`,
      {
        ...parts.cluster,
        fileSystem: store.storeName,
        name,
        capacity: parts.capacity,
        client: `client.${this.#client}`,
        key: this.#key,
        allowDataLoss: parts.allowDataLoss,
      },
      { parent: this, dependsOn: parts.fileSystem },
    );
    this.#directory = made.directory;
    this.registerOutputs({});
  }

  override access(_host: string): VolumeAccess {
    const { cluster, monitors } = this.#parts;
    const name = `client.${this.#client}`;
    const folder = "/etc/ceph/spillway";
    const keyring = `${folder}/${this.#client}.keyring`;
    const content = pulumi
      .all([cluster.fsid, this.#directory])
      .apply(([fsid, directory]) =>
        cephClientConfig({ fsid, monitors }, { name, fileSystem: cluster.store, directory, keyring }),
      );
    return {
      packages: CLIENT_PACKAGES,
      files: {
        [`${folder}/${this.#client}.conf`]: { content },
        [keyring]: {
          content: pulumi.secret(this.#key.apply((key) => cephKeyring([{ name, key }]))),
          mode: "0600",
        },
      },
      mount: {
        what: "none",
        type: "fuse.ceph",
        options: `ceph.id=${this.#client},ceph.conf=${folder}/${this.#client}.conf,_netdev`,
      },
    };
  }
}
