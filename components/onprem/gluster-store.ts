import type * as pulumi from "@pulumi/pulumi";
import { Peer, PoolVolume, Status } from "../gluster/resources.ts";
import type { Brick } from "../gluster/volume.provider.ts";
import { hostNameProblems, nameProblems } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { argumentProblems, flag, given, map, named, text } from "../model/shape.ts";
import { type Capacity, plainPathProblems, type VolumeArgs, volumeProblems } from "../model/store.ts";
import { HostState } from "../ssh/resources.ts";
import { Directory } from "../store/resources.ts";
import { refuseOn } from "./held.ts";
import type { Site } from "./site.ts";
import { holder, placesOf, Store, Volume, type VolumeAccess } from "./store.ts";

/** Where a host keeps what it knows of its trusted pool: it is in one, so it is in one store. */
const POOL = "/var/lib/glusterd";

/** Arguments of a store by GlusterFS. */
export interface GlusterStoreArgs {
  site: Site;
  /** Absolute path of the directory that bricks lie in, by name of the host: three hosts, each its own disk, mounted there. */
  bricks: Record<string, string>;
  /** The host among them that keeps names and attributes alone and decides when the two others disagree. @default none: replica 3 */
  arbiter?: string;
  /** Bricks may lie on the disk of the host's root file system, which they can fill up. @default false: refused by Gluster */
  rootDisk?: boolean;
  /** Its volumes may go with the data in them. @default false */
  allowDataLoss?: boolean;
}

/** Arguments of a replicated volume. */
export type GlusterVolumeArgs = Omit<VolumeArgs, "capacityGiB">;

/**
 * Replicated volumes by GlusterFS on three hosts: every byte on three of them, or on two with an arbiter.
 * Any one may be lost; what it missed is healed when it is back. To replace a host name another one in
 * its place: it is filled before the former leaves.
 *
 * **Legacy**: GlusterFS is in maintenance only. It is for platforms that have it already; prefer a
 * `CephStore` for new ones. Traffic is not encrypted: it belongs on the site's own network.
 *
 * @example
 * const shared = new GlusterStore("shared", {
 *   site,
 *   bricks: { w1: "/srv/bricks", w2: "/srv/bricks", w3: "/srv/bricks" },
 * });
 * new VolumeMount("home", { volume: shared.volume("home"), host: "w1", path: "/srv/home" });
 */
export class GlusterStore extends Store {
  readonly health: pulumi.Output<string>;
  readonly capacity: pulumi.Output<Capacity>;
  readonly #args: GlusterStoreArgs;
  readonly #ready: pulumi.Resource[];
  readonly #made: GlusterVolume[] = [];

  constructor(name: string, args: GlusterStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    refuseOn(`GlusterStore "${name}"`, glusterStoreProblems(name, args), args?.site);
    super("spillway:onprem:GlusterStore", name, args.site, opts);
    this.#args = args;
    for (const [host, path] of Object.entries(args.bricks)) {
      for (const place of [path, POOL]) placesOf(args.site).take(host, place, `GlusterStore "${name}"`);
    }
    const directories = this.#hosts().map((host) => this.#directory(host));
    const peers = this.#peers(this.#hosts().map((host) => this.#state(host)));
    this.#ready = [...directories, ...peers];
    const status = this.#status();
    this.health = status.health;
    this.capacity = status.capacity;
    this.registerOutputs({ health: this.health, capacity: this.capacity });
  }

  override volume(
    name: string,
    args: GlusterVolumeArgs = {},
    opts?: pulumi.ComponentResourceOptions,
  ): GlusterVolume {
    const shape = { allowDataLoss: flag };
    const of = `GlusterStore "${this.storeName}", volume "${name}"`;
    refuse(of, volumeProblems(this.storeName, name, args, this.volumes, shape));
    this.volumes.add(name);
    const { bricks, arbiter, rootDisk = false, allowDataLoss: all = false } = this.#args;
    const hosts = [...this.#hosts().filter((host) => host !== arbiter), ...(arbiter ? [arbiter] : [])];
    const inputs = {
      members: this.#members(),
      volume: `${this.storeName}-${name}`,
      bricks: hosts.map((host): Brick => ({ host, path: `${bricks[host]}/${name}` })),
      arbiter: arbiter !== undefined,
      options: this.#options(),
      rootDisk,
      of,
      allowDataLoss: args.allowDataLoss ?? all,
    };
    const made = { inputs, names: this.#names(), aliases: this.#aliases(), after: this.#ready };
    const volume = new GlusterVolume(name, this, made, opts);
    this.#made.push(volume);
    return volume;
  }

  /** In an order that does not hang on how the program lists them. */
  #hosts(): string[] {
    return Object.keys(this.#args.bricks).sort();
  }

  /**
   * Names that clients ask for a volume, whichever hosts the store has: a host that is replaced changes
   * no mount. With a label more than the hosts' own: glusterd takes the first name that an address has for
   * its peer's.
   */
  #aliases(): Record<string, string[]> {
    const entries = this.#hosts().map((host, i) => [
      `${i + 1}.${this.storeName}.${this.site.siteName}.internal`,
      [this.site.hosts[host]!.address],
    ]);
    return Object.fromEntries(entries);
  }

  /**
   * Addresses of the hosts' names, for /etc/hosts: the pool knows its members by name, so that they may
   * move. All of the site: while one takes the place of another both are in the pool, and the former
   * must know its successor.
   */
  #names(): Record<string, string[]> {
    const entries = Object.entries(this.site.hosts).map(([host, { address }]) => [
      this.#name(host),
      [address],
    ]);
    return Object.fromEntries(entries);
  }

  #name(host: string): string {
    return `${host}.${this.site.siteName}.internal`;
  }

  #members() {
    const entries = this.#hosts().map((host) => {
      return [host, { connection: this.site.connection(host), name: this.#name(host) }];
    });
    return Object.fromEntries(entries);
  }

  #options(): Record<string, string> {
    const addresses = Object.values(this.site.hosts).map(({ address }) => address);
    return {
      "auth.allow": ["127.0.0.1", ...addresses].sort().join(","),
      // A writer waits up to twice this long for a host that lost power; the default of 42 s stops databases.
      "network.ping-timeout": "10",
    };
  }

  #directory(host: string): Directory {
    return new Directory(
      // By its path: the old place goes, with what is in it, after the volumes have left it.
      `${this.storeName}-${host}-bricks${this.#args.bricks[host]!.replaceAll("/", "-")}`,
      {
        connection: this.site.connection(host),
        path: this.#args.bricks[host]!,
        mode: "0755",
        holder: holder(this.storeName, "bricks"),
        of: `GlusterStore "${this.storeName}", bricks of ${host}`,
        allowDataLoss: this.#args.allowDataLoss ?? false,
      },
      { parent: this },
    );
  }

  #state(host: string): HostState {
    return new HostState(
      `${this.storeName}-${host}-state`,
      {
        connection: this.site.connection(host),
        name: `gluster-${this.storeName}`,
        packages: ["glusterfs-server"],
        hosts: this.#names(),
        units: { "glusterd.service": { enabled: true, running: true, restartOn: [] } },
      },
      { parent: this },
    );
  }

  /** The first makes the pool for all: two that look for it at once would make two. */
  #peers(states: HostState[]): Peer[] {
    const peers: Peer[] = [];
    for (const host of this.#hosts()) {
      const inputs = {
        connection: this.site.connection(host),
        host,
        members: this.#members(),
        of: `GlusterStore "${this.storeName}"`,
      };
      const dependsOn = [...states, ...peers.slice(0, 1)];
      peers.push(new Peer(`${this.storeName}-${host}-peer`, inputs, { parent: this, dependsOn }));
    }
    return peers;
  }

  #status(): Status {
    const { bricks, arbiter } = this.#args;
    const holding = Object.entries(bricks).filter(([host]) => host !== arbiter);
    // Looked at after what the program says about volumes, which comes after this.
    const dependsOn = new Promise<pulumi.Resource[]>((resolve) => {
      setImmediate(() => resolve([...this.#ready, ...this.#made]));
    });
    return new Status(
      `${this.storeName}-status`,
      { members: this.#members(), bricks: Object.fromEntries(holding), healthy: true },
      { parent: this, dependsOn },
    );
  }
}

/** What a volume is made from. */
interface Made {
  inputs: ConstructorParameters<typeof PoolVolume>[1];
  names: Record<string, string[]>;
  aliases: Record<string, string[]>;
  after: pulumi.Resource[];
}

/** A volume that several hosts may write at once. */
export class GlusterVolume extends Volume {
  readonly #names: Record<string, string[]>;
  readonly #aliases: Record<string, string[]>;
  readonly #volume: string;

  /** Made by `GlusterStore.volume`. */
  constructor(name: string, store: GlusterStore, made: Made, opts?: pulumi.ComponentResourceOptions) {
    super("spillway:onprem:GlusterVolume", { name, store, shared: true }, opts);
    this.#names = made.names;
    this.#aliases = made.aliases;
    this.#volume = `${store.storeName}-${name}`;
    // Healing a replaced brick takes as long as its data.
    const customTimeouts = { create: "60m", update: "24h" };
    new PoolVolume(this.#volume, made.inputs, { parent: this, dependsOn: made.after, customTimeouts });
    this.registerOutputs({});
  }

  override access(_host: string): VolumeAccess {
    const [first, ...others] = Object.keys(this.#aliases);
    return {
      packages: ["glusterfs-client"],
      hosts: { ...this.#names, ...this.#aliases },
      files: {},
      mount: {
        what: `${first}:/${this.#volume}`,
        type: "glusterfs",
        // Only the first look at the volume needs them: then every host is asked directly.
        options: `_netdev,backup-volfile-servers=${others.join(":")}`,
      },
    };
  }
}

const GLUSTER_STORE_SHAPE = named({
  site: given,
  bricks: map(text),
  arbiter: text,
  rootDisk: flag,
  allowDataLoss: flag,
});

/** What is wrong with a Gluster store's arguments. */
export function glusterStoreProblems(name: string, args: GlusterStoreArgs): Problem[] {
  return argumentProblems(GLUSTER_STORE_SHAPE, args, (args) => {
    const { site, bricks, arbiter } = args;
    const known = Object.keys(site.hosts);
    const hosts = Object.keys(bricks);
    return [
      ...nameProblems("name", name),
      ...(hosts.length === 3
        ? []
        : [
            {
              path: "bricks",
              found: `${hosts.length} ${hosts.length === 1 ? "host" : "hosts"}`,
              remedy:
                "name three: two alone cannot tell which of them is right, and one that leaves needs a successor",
            },
          ]),
      ...(arbiter === undefined ? [] : hostNameProblems("arbiter", arbiter, hosts)),
      ...hosts.flatMap((host) => {
        const argument = `bricks.${host}`;
        const path = bricks[host]!;
        return [
          ...hostNameProblems(argument, host, known),
          ...plainPathProblems(argument, path, "/srv/bricks"),
          ...[path, POOL].flatMap((place) => placesOf(site).problems(argument, host, place)),
        ];
      }),
    ];
  });
}
