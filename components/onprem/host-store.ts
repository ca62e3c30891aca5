import type * as pulumi from "@pulumi/pulumi";
import { hostNameProblems, nameProblems } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { argumentProblems, flag, given, map, named, text } from "../model/shape.ts";
import { type Capacity, plainPathProblems, type VolumeArgs, volumeProblems } from "../model/store.ts";
import { HostState } from "../ssh/resources.ts";
import { Directory, Space } from "../store/resources.ts";
import { refuseOn } from "./held.ts";
import type { Site } from "./site.ts";
import { holder, placesOf, Store, Volume, type VolumeAccess } from "./store.ts";

/** Arguments of a store in directories of hosts. */
export interface HostStoreArgs {
  site: Site;
  /** Absolute path of the directory that volumes lie in, by name of the host; made when missing. */
  directories: Record<string, string>;
  /** Its volumes may go with the data in them. @default false */
  allowDataLoss?: boolean;
}

/** Arguments of a volume that is a directory of one host. */
export interface HostVolumeArgs extends Omit<VolumeArgs, "capacityGiB"> {
  /** Host that it lies on. @default the store's only one */
  host?: string;
}

/**
 * Directories on named hosts: as fast as the host's own disk, lost with it, and seen by that host alone.
 *
 * @example
 * const scratch = new HostStore("scratch", { site, directories: { w1: "/srv/volumes" } });
 * new VolumeMount("build", { volume: scratch.volume("build"), host: "w1", path: "/srv/build" });
 */
export class HostStore extends Store {
  readonly health: pulumi.Output<string>;
  readonly capacity: pulumi.Output<Capacity>;
  readonly #args: HostStoreArgs;
  readonly #states: Record<string, HostState>;

  constructor(name: string, args: HostStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    refuseOn(`HostStore "${name}"`, hostStoreProblems(name, args), args?.site);
    super("spillway:onprem:HostStore", name, args.site, opts);
    const { site, directories } = args;
    this.#args = args;
    const entries = Object.entries(directories);
    for (const [host, path] of entries) placesOf(site).take(host, path, `HostStore "${name}"`);
    this.#states = Object.fromEntries(entries.map(([host, path]) => [host, this.#state(host, path)]));
    const hosts = entries.map(([host, path]) => [host, { connection: site.connection(host), path }]);
    const space = new Space(
      `${name}-space`,
      { hosts: Object.fromEntries(hosts) },
      { parent: this, dependsOn: Object.values(this.#states) },
    );
    this.health = space.health;
    this.capacity = space.capacity;
    this.registerOutputs({ health: this.health, capacity: this.capacity });
  }

  override volume(
    name: string,
    args: HostVolumeArgs = {},
    opts?: pulumi.ComponentResourceOptions,
  ): HostVolume {
    refuse(`HostStore "${this.storeName}", volume "${name}"`, this.#volumeProblems(name, args));
    const { directories, allowDataLoss: all = false } = this.#args;
    const { host = Object.keys(directories)[0]!, allowDataLoss = all } = args;
    this.volumes.add(name);
    const place = { host, path: `${directories[host]}/${name}`, after: this.#states[host]! };
    return new HostVolume(name, this, { ...place, allowDataLoss }, opts);
  }

  #state(host: string, path: string): HostState {
    const inputs = { name: `store-${this.storeName}`, directories: { [path]: {} } };
    return new HostState(
      `${this.storeName}-${host}-state`,
      { connection: this.site.connection(host), ...inputs },
      { parent: this },
    );
  }

  #volumeProblems(name: string, args: HostVolumeArgs): Problem[] {
    const problems = volumeProblems(this.storeName, name, args, this.volumes, {
      host: text,
      allowDataLoss: flag,
    });
    const hosts = Object.keys(this.#args.directories);
    const { host } = args;
    if (host === undefined) {
      if (hosts.length === 1) return problems;
      const found = `the store has directories on ${hosts.join(", ")}`;
      return [...problems, { path: "host", found, remedy: "name the one that the volume lies on" }];
    }
    return [...problems, ...hostNameProblems("host", host, hosts)];
  }
}

/** A volume that is a directory of one host. */
export class HostVolume extends Volume {
  readonly #path: string;

  /** Made by `HostStore.volume`. */
  constructor(
    name: string,
    store: HostStore,
    place: { host: string; path: string; after: HostState; allowDataLoss: boolean },
    opts?: pulumi.ComponentResourceOptions,
  ) {
    const { host, path, after, allowDataLoss } = place;
    super("spillway:onprem:HostVolume", { name, store, shared: false, hosts: [host] }, opts);
    this.#path = path;
    new Directory(
      // By its host: a volume that moves to another is a new one, and the old one is protected.
      `${store.storeName}-${name}-${host}`,
      {
        connection: store.site.connection(host),
        path,
        mode: "0755",
        holder: holder(store.storeName, name),
        of: `HostStore "${store.storeName}", volume "${name}"`,
        allowDataLoss,
      },
      { parent: this, dependsOn: after },
    );
    this.registerOutputs({});
  }

  override access(_host: string): VolumeAccess {
    return { packages: [], files: {}, directory: this.#path };
  }
}

const HOST_STORE_SHAPE = named({ site: given, directories: map(text), allowDataLoss: flag });

/** What is wrong with a host store's arguments. */
export function hostStoreProblems(name: string, args: HostStoreArgs): Problem[] {
  return argumentProblems(HOST_STORE_SHAPE, args, (args) => {
    const { site, directories } = args;
    const known = Object.keys(site.hosts);
    const entries = Object.entries(directories);
    return [
      ...nameProblems("name", name),
      ...(entries.length > 0
        ? []
        : [{ path: "directories", found: "no hosts", remedy: "name one, with a directory" }]),
      ...entries.flatMap(([host, path]) => {
        const argument = `directories.${host}`;
        return [
          ...hostNameProblems(argument, host, known),
          ...plainPathProblems(argument, path, "/srv/volumes"),
          ...placesOf(site).problems(argument, host, path),
        ];
      }),
    ];
  });
}
