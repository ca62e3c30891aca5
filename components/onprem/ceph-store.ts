import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { Client, Devices, FileSystem, Monitor, Osd } from "../ceph/resources.ts";
import { refuse } from "../model/problem.ts";
import { type Capacity, type VolumeArgs, volumeProblems } from "../model/store.ts";
import type { Args } from "../provider/plugin.ts";
import {
  CAPS,
  type CephEntity,
  cephConfig,
  cephKey,
  cephKeyring,
  provisionerCaps,
  uuidOf,
} from "../render/ceph.ts";
import { Password } from "../secrets/resources.ts";
import type { HostStateArgs } from "../ssh/host-state.ts";
import { HostState, Preflight } from "../ssh/resources.ts";
import { CephBlockPool, type CephBlockPoolArgs } from "./ceph-block-pool.ts";
import { CephObjectGateway, type CephObjectGatewayArgs, gatewayProblems } from "./ceph-gateway.ts";
import { blockPoolProblems, CEPH_CONFIG, cephStoreProblems } from "./ceph-problems.ts";
import { CephVolume, CLIENT_PACKAGES } from "./ceph-volume.ts";
import { refuseOn } from "./held.ts";
import { within } from "./operation.ts";
import type { Site } from "./site.ts";
import { holder, placesOf, Store } from "./store.ts";

/** A device for an OSD. */
export interface CephDevice {
  /** Absolute path; on machines with several disks one below /dev/disk/by-id, which does not change places. */
  device: string;
  /** Take it with what is on it. @default false: refused */
  wipe?: boolean;
}

/** Arguments of a Ceph store. */
export interface CephStoreArgs {
  /** Where its hosts are. */
  site: Site;
  /** Hosts of the monitors, 1, 3 or 5; each has a manager and a metadata server as well. */
  monitors: string[];
  /** Whole disks or partitions of 4 GiB or more by host, each an OSD; blank ones, unless `wipe` is said. */
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
  readonly #opts: pulumi.ComponentResourceOptions | undefined;
  readonly #fileSystem: FileSystem;
  /** Identity of the cluster: ceph-csi's `clusterID`. */
  readonly fsid: pulumi.Output<string>;
  /** Addresses of the monitors, by their names. */
  readonly monitorAddresses: Readonly<Record<string, string>>;
  readonly #blockPools = new Set<string>();
  #gateway: CephObjectGateway | undefined;
  #provisioner: { user: string; key: pulumi.Output<string> } | undefined;

  constructor(name: string, args: CephStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    refuseOn(`CephStore "${name}"`, cephStoreProblems(name, args), args?.site);
    super("spillway:onprem:CephStore", name, args.site, opts);
    this.#args = args;
    this.#opts = opts;
    for (const { host, device } of devicesOf(args)) {
      placesOf(args.site).take(host, device, `CephStore "${name}"`);
    }
    for (const host of this.#hosts()) placesOf(args.site).take(host, CEPH_CONFIG, `CephStore "${name}"`);
    this.fsid = this.#newFsid();
    const address = (host: string) => args.site.hosts[host]!.address;
    this.monitorAddresses = Object.fromEntries(args.monitors.map((host) => [host, address(host)]));
    const looks = [this.#preflight(), this.#devices()];
    const admin = this.key("client.admin");
    const states = this.#states(admin, looks);
    const daemons = this.#entities();
    const monitors = this.#monitors(admin, daemons, states);
    const osds = this.#osds(monitors, states);
    this.#fileSystem = this.#newFileSystem(daemons, [...osds, ...monitors]);
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
      monitors: this.monitorAddresses,
      fileSystem: this.#fileSystem,
      capacity: capacityGiB === undefined ? undefined : Math.round(capacityGiB * 2 ** 30),
      allowDataLoss,
    };
    return new CephVolume(name, this, parts, opts);
  }

  /** A pool of block devices (RBD). What it holds is protected: see `allowDataLoss`. */
  blockPool(
    name: string,
    args: CephBlockPoolArgs = {},
    opts?: pulumi.ComponentResourceOptions,
  ): CephBlockPool {
    refuse(
      `CephStore "${this.storeName}", block pool "${name}"`,
      blockPoolProblems(this.storeName, name, args, { ...this.#args, taken: this.#blockPools }),
    );
    this.#blockPools.add(name);
    const { replicas = this.#args.replicas ?? 3, allowDataLoss = this.#args.allowDataLoss ?? false } = args;
    return new CephBlockPool(name, this, { replicas, allowDataLoss }, opts);
  }

  /** S3 on hosts of the site; once in a store. What its buckets hold is protected: see `allowDataLoss`. */
  objectGateway(args: CephObjectGatewayArgs, opts?: pulumi.ComponentResourceOptions): CephObjectGateway {
    const again = {
      path: "hosts",
      found: "the store has its gateways already",
      remedy: "name all hosts at once",
    };
    refuse(`CephStore "${this.storeName}", object gateway`, [
      ...gatewayProblems(this.site, args),
      ...(this.#gateway ? [again] : []),
    ]);
    const { replicas = 3, allowDataLoss: all = false } = this.#args;
    const { hosts, port = 7443, allowDataLoss = all } = args;
    this.#gateway = new CephObjectGateway(this, { hosts, port, replicas, allowDataLoss }, opts);
    return this.#gateway;
  }

  /** A client that makes volumes in the file system, for ceph-csi: one for all who ask. */
  provisioner(): { user: string; key: pulumi.Output<string> } {
    this.#provisioner ??= this.#newProvisioner();
    return this.#provisioner;
  }

  #newProvisioner() {
    const user = `${this.storeName}.csi.files`;
    const key = this.key("csi.files");
    new Client(
      `${this.storeName}-provisioner`,
      { ...this.cluster(), name: `client.${user}`, key, caps: provisionerCaps(this.storeName) },
      { parent: this, dependsOn: this.ready },
    );
    return { user, key };
  }

  /** Comes when the whole store is up: what is made in it depends on it. */
  get ready(): pulumi.Resource {
    return this.#fileSystem;
  }

  /** How the cluster is asked. */
  cluster() {
    const { site, monitors } = this.#args;
    const connections = monitors.map((host) => [host, site.connection(host)] as const);
    return { store: this.storeName, fsid: this.fsid, monitors: Object.fromEntries(connections) };
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
    const { site, monitors } = this.#args;
    return new Preflight(
      `${this.storeName}-preflight`,
      {
        hosts: this.#hosts().map((host) => site.connection(host)),
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
      {
        store: this.storeName,
        owner: holder(this.storeName, "osds"),
        monitors: this.monitorAddresses,
        connections: this.cluster().monitors,
        hosts: Object.fromEntries(hosts),
      },
      { parent: this },
    );
  }

  #hosts(): string[] {
    const { monitors, osds } = this.#args;
    return [...new Set([...monitors, ...Object.keys(osds)])];
  }

  /**
   * Configuration of each host, and the packages of each role that it has. A state of its own for each: a host that
   * loses one role keeps the other's, and a role's packages go, with what runs from them, after its daemons have left.
   */
  #states(admin: pulumi.Output<string>, looks: pulumi.Resource[]): RoleStates {
    const { site, monitors, osds } = this.#args;
    const state = (
      host: string,
      role: string,
      state: Partial<Args<HostStateArgs>>,
      dependsOn: pulumi.Resource[],
    ) => {
      const name = `ceph-${this.storeName}${role}`;
      const inputs = { connection: site.connection(host), name, ...state };
      return new HostState(`${this.storeName}-${host}${role}-state`, inputs, { parent: this, dependsOn });
    };
    const byHost = (hosts: string[], make: (host: string) => HostState) =>
      Object.fromEntries(hosts.map((host) => [host, make(host)] as const));
    const keyring = admin.apply((key) => cephKeyring([{ name: "client.admin", key, caps: CAPS.admin }]));
    const administration = { [ADMIN_KEYRING]: { content: pulumi.secret(keyring), mode: "0600" } };
    const configuration = { [CEPH_CONFIG]: { content: this.#configuration() } };
    const all = byHost(this.#hosts(), (host) => state(host, "", { files: configuration }, looks));
    return {
      monitor: byHost(monitors, (host) =>
        state(host, "-monitor", { packages: MONITOR_PACKAGES, files: administration }, [all[host]!]),
      ),
      osd: byHost(Object.keys(osds), (host) => state(host, "-osd", { packages: OSD_PACKAGES }, [all[host]!])),
    };
  }

  #configuration(): pulumi.Output<string> {
    const { site, monitors, osds, replicas = 3 } = this.#args;
    const container = [...monitors, ...Object.keys(osds)].some((host) => site.hosts[host]!.container);
    const settings = { network: site.range, replicas, container };
    return this.fsid.apply((fsid) => cephConfig({ fsid, monitors: this.monitorAddresses, ...settings }));
  }

  #monitors(admin: pulumi.Output<string>, daemons: Record<string, Daemons>, states: RoleStates): Monitor[] {
    const { site, monitors } = this.#args;
    const all = [
      entity("mon.", this.key("mon"), CAPS.monitor),
      entity("client.admin", admin, CAPS.admin),
      ...Object.values(daemons).flatMap(({ manager, metadata }) => [manager, metadata]),
    ];
    return monitors.map((host) => {
      const inputs = {
        ...this.cluster(),
        connection: site.connection(host),
        fileSystem: this.storeName,
        name: host,
        addresses: this.monitorAddresses,
        keyring: pulumi.secret(pulumi.all(all).apply(cephKeyring)),
        managerKeyring: keyringOf(daemons[host]!.manager),
        metadataKeyring: keyringOf(daemons[host]!.metadata),
      };
      const options = { parent: this, dependsOn: Object.values(states.monitor) };
      return new Monitor(`${this.storeName}-${host}-monitor`, inputs, options);
    });
  }

  /** A manager and a metadata server beside each monitor. */
  #entities(): Record<string, Daemons> {
    const made = (name: string, caps: Record<string, string>) => entity(name, this.key(name), caps);
    const entries = this.#args.monitors.map((host) => {
      const manager = made(`mgr.${host}`, CAPS.manager);
      return [host, { manager, metadata: made(`mds.${host}`, CAPS.metadata) }] as const;
    });
    return Object.fromEntries(entries);
  }

  #osds(monitors: Monitor[], states: RoleStates): Osd[] {
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
      const dependsOn = [...monitors, states.osd[host]!];
      return new Osd(`${this.storeName}-${name}-osd`, inputs, { ...within(this, this.#opts), dependsOn });
    });
  }

  /** Follows from where it is: a state that forgot it half-way finds it again. */
  #osdUuid(host: string, device: string): pulumi.Output<string> {
    return this.fsid.apply((fsid) =>
      uuidOf(createHash("sha256").update(`${fsid} ${host} ${device}`).digest("hex").slice(0, 32)),
    );
  }

  #newFileSystem(entities: Record<string, Daemons>, dependsOn: pulumi.Resource[]): FileSystem {
    const { replicas = 3, osdMemoryMiB = 4096, allowDataLoss = false } = this.#args;
    const osds = devicesOf(this.#args).map(({ host, device }) => this.#osdUuid(host, device));
    const all = Object.values(entities).flatMap(({ manager, metadata }) => [manager, metadata]);
    const daemons = pulumi.secret(pulumi.all(all).apply(cephKeyring));
    const settings = { replicas, osds, osdMemoryMiB, daemons, allowDataLoss };
    const inputs = { ...this.cluster(), name: this.storeName, ...settings };
    return new FileSystem(`${this.storeName}-filesystem`, inputs, { parent: this, dependsOn });
  }
}

const ADMIN_KEYRING = "/etc/ceph/ceph.client.admin.keyring";
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

/** States of hosts by the role that they have there. */
interface RoleStates {
  monitor: Record<string, HostState>;
  osd: Record<string, HostState>;
}

/** Daemons beside a monitor. */
interface Daemons {
  manager: pulumi.Output<CephEntity>;
  metadata: pulumi.Output<CephEntity>;
}

const keyringOf = (one: pulumi.Output<CephEntity>) =>
  pulumi.secret(one.apply(({ name, key }) => cephKeyring([{ name, key }])));
