import * as pulumi from "@pulumi/pulumi";
import { BlockPool, Client } from "../ceph/resources.ts";
import { blockCaps } from "../render/ceph.ts";
import type { CephStore } from "./ceph-store.ts";

/** Arguments of a pool of block devices. */
export interface CephBlockPoolArgs {
  /** Copies of everything, each on another host. @default the store's */
  replicas?: number;
  /** The pool may go with the devices in it. @default the store's */
  allowDataLoss?: boolean;
}

/** Block devices (RBD) in a Ceph store, and a client that may use this pool alone: what ceph-csi asks for. */
export class CephBlockPool extends pulumi.ComponentResource {
  /** Name of the pool in the cluster. */
  readonly pool: string;
  /** Name of its client without `client.`: ceph-csi's `userID`. */
  readonly user: string;
  /** The client's key; secret. */
  readonly key: pulumi.Output<string>;

  /** Made by `CephStore.blockPool`. */
  constructor(
    name: string,
    store: CephStore,
    args: Required<CephBlockPoolArgs>,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    const label = `${store.storeName}-${name}`;
    super("spillway:onprem:CephBlockPool", label, {}, { parent: store, ...opts });
    const cluster = store.cluster();
    // Volumes' clients and the file system's pools have no dot in their names.
    const pool = `${store.storeName}.${name}`;
    const made = new BlockPool(
      `${label}-pool`,
      { ...cluster, name: pool, ...args },
      { parent: this, dependsOn: store.ready },
    );
    this.pool = pool;
    this.user = pool;
    this.key = store.key(`block.${name}`, this);
    new Client(
      `${label}-client`,
      { ...cluster, name: `client.${pool}`, key: this.key, caps: blockCaps(pool) },
      { parent: this, dependsOn: made },
    );
    this.registerOutputs({ pool: this.pool, user: this.user });
  }
}
