import * as pulumi from "@pulumi/pulumi";
import { type Capacity, Places, type VolumeArgs } from "../model/store.ts";
import { HostState } from "../ssh/resources.ts";
import type { Site } from "./site.ts";

/** What a host needs to mount a volume. */
export interface VolumeAccess {
  /** Debian packages of the client. */
  packages: string[];
  /** Addresses of names, for /etc/hosts. @default none */
  hosts?: Record<string, string[]>;
  /** Of this volume alone, by absolute path, such as a key; secrets are secret outputs. */
  files: Record<string, { content: pulumi.Input<string>; mode?: string }>;
  /** As of `HostState`. @default none: the volume is a directory of the host itself */
  mount?: { what: pulumi.Input<string>; type: string; options?: string };
  /** Directory of the host that is the volume. @default none: it is mounted */
  directory?: string;
}

/** Volumes for hosts of a site, such as a `HostStore`. */
export abstract class Store extends pulumi.ComponentResource {
  /** Name of the store. */
  readonly storeName: string;
  /** Where its hosts are. */
  readonly site: Site;
  /** `HEALTH_OK`, or what is wrong, as of the last change or refresh. */
  abstract readonly health: pulumi.Output<string>;
  /** In bytes, as of the last change or refresh. */
  abstract readonly capacity: pulumi.Output<Capacity>;
  /** Names of its volumes. */
  protected readonly volumes = new Set<string>();

  protected constructor(token: string, name: string, site: Site, opts?: pulumi.ComponentResourceOptions) {
    super(token, name, {}, opts);
    this.storeName = name;
    this.site = site;
  }

  /**
   * A volume of the store. What it holds is protected: see `VolumeArgs.allowDataLoss`.
   *
   * @param name unique in the store
   */
  abstract volume(name: string, args?: VolumeArgs, opts?: pulumi.ComponentResourceOptions): Volume;
}

/** A volume as it was at one moment. */
export interface SnapshotPoint {
  /** Its directory, below the volume's top. */
  path: pulumi.Output<string>;
  /** When it was taken, in UTC. */
  time: pulumi.Output<string>;
}

/** What every volume is. */
export interface VolumeFacts {
  name: string;
  store: Store;
  shared: boolean;
  hosts?: string[];
}

/** One volume of a store. What depends on it waits until it can be mounted. */
export abstract class Volume extends pulumi.ComponentResource {
  /** Name of the volume in its store. */
  readonly volumeName: string;
  /** What it is a volume of. */
  readonly store: Store;
  /** Several hosts may write at once. */
  readonly shared: boolean;
  /** The only hosts that can mount it. @default all of the site */
  readonly hosts?: readonly string[];
  readonly #clients = new Map<string, HostState | undefined>();

  protected constructor(token: string, facts: VolumeFacts, opts?: pulumi.ComponentResourceOptions) {
    const { name, store, shared, hosts } = facts;
    super(token, `${store.storeName}-${name}`, {}, { parent: store, ...opts });
    this.volumeName = name;
    this.store = store;
    this.shared = shared;
    this.hosts = hosts;
  }

  /** What a host of the site needs to mount it. */
  abstract access(host: string): VolumeAccess;

  /** Keeps it as it is now. @default the store takes no snapshots */
  takeSnapshot?(name: string, allowDataLoss: boolean, parent: pulumi.Resource): SnapshotPoint;

  /** Packages, names and files of the volume's client on a host: made once, however often it is mounted. */
  client(host: string): HostState | undefined {
    if (!this.#clients.has(host)) this.#clients.set(host, this.#newClient(host));
    return this.#clients.get(host);
  }

  #newClient(host: string): HostState | undefined {
    const { packages, hosts = {}, files } = this.access(host);
    if (packages.length + Object.keys(hosts).length + Object.keys(files).length === 0) return undefined;
    const name = `${this.store.storeName}-${this.volumeName}`;
    return new HostState(
      `${name}-${host}-client`,
      { connection: this.store.site.connection(host), name: `client-${name}`, packages, hosts, files },
      // Of the store: what waits for the volume need not wait for every host that mounts it.
      { parent: this.store },
    );
  }
}

const places = new WeakMap<Site, Places>();

/** What the program has given away of a site's hosts. */
export function placesOf(site: Site): Places {
  const known = places.get(site) ?? new Places();
  places.set(site, known);
  return known;
}

/** Who holds what is on a host; known in a preview. */
export function holder(store: string, volume: string): string {
  return [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack(), store, volume].join("/");
}
