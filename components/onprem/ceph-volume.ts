import * as pulumi from "@pulumi/pulumi";
import { type FileSystem, Subvolume, SubvolumeSnapshot } from "../ceph/resources.ts";
import { cephClientConfig, cephKeyring } from "../render/ceph.ts";
import type { CephStore } from "./ceph-store.ts";
import type { Site } from "./site.ts";
import { type SnapshotPoint, Volume, type VolumeAccess } from "./store.ts";

/** Packages of whatever mounts a volume. */
export const CLIENT_PACKAGES = ["ceph-fuse"];

/** What a volume is made from. */
export interface CephVolumeParts {
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

  override takeSnapshot(name: string, allowDataLoss: boolean, parent: pulumi.Resource): SnapshotPoint {
    const inputs = {
      ...this.#parts.cluster,
      fileSystem: this.store.storeName,
      volume: this.volumeName,
      directory: this.#directory,
      name,
      allowDataLoss,
    };
    return new SubvolumeSnapshot(`${name}-snapshot`, inputs, { parent, dependsOn: this });
  }

  override access(_host: string): VolumeAccess {
    const { cluster, monitors } = this.#parts;
    const name = `client.${this.#client}`;
    // Not below /etc/ceph, which goes with the package ceph-common while others still mount.
    const folder = "/etc/spillway/ceph";
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
