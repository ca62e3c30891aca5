import { Namespace, Secret } from "@pulumi/kubernetes/core/v1/index.js";
import { Chart } from "@pulumi/kubernetes/helm/v4/index.js";
import { StorageClass } from "@pulumi/kubernetes/storage/v1/index.js";
import * as pulumi from "@pulumi/pulumi";
import { nameProblems } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { anything, argumentProblems, given, named, text } from "../model/shape.ts";
import type { CephBlockPool } from "../onprem/ceph-block-pool.ts";
import type { CephStore } from "../onprem/ceph-store.ts";

/** Arguments of volumes that a cluster makes in a Ceph store as it needs them. */
export interface CephStorageArgs {
  /** Whose file system, and pools, volumes come from. */
  store: CephStore;
  /** Pool of a class of block devices, for volumes of one pod. @default none: files alone */
  blockPool?: CephBlockPool;
  /** Namespace of the drivers; made here. @default ceph-csi */
  namespace?: string;
  /** Version of ceph-csi's charts. @default 3.13.1 */
  chartVersion?: string;
  /** Further values of the charts, such as the images of a mirror. @default none */
  values?: Record<string, unknown>;
}

/**
 * Storage classes of a Ceph store, by ceph-csi's charts: `NAME-files` (CephFS, many writers) and, with a
 * `blockPool`, `NAME-blocks` (RBD, one writer). Its drivers need the kernel's Ceph clients or ceph-fuse of
 * their image, and pull images from outside unless `values` name a mirror.
 *
 * @throws Refusal with every problem of the arguments, before any resource exists.
 * @example
 * import { CephStorage } from "spillway/kubernetes";
 * import type { CephStore } from "spillway/onprem";
 *
 * declare const ceph: CephStore;
 * new CephStorage("ceph", { store: ceph, blockPool: ceph.blockPool("kubernetes") }, { provider });
 */
export class CephStorage extends pulumi.ComponentResource {
  /** Names of the storage classes. */
  readonly classes: { files: pulumi.Output<string>; blocks?: pulumi.Output<string> };

  constructor(name: string, args: CephStorageArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`CephStorage "${name}"`, cephStorageProblems(name, args));
    super("spillway:kubernetes:CephStorage", name, {}, opts);
    const { store, blockPool, namespace = "ceph-csi" } = args;
    const place = new Namespace(
      `${name}-namespace`,
      // A driver mounts on its host.
      { metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "privileged" } } },
      { parent: this },
    );
    const into: Into = { name, namespace: place.metadata.name, args };
    const files = this.#driver(into, {
      kind: "files",
      driver: "cephfs",
      user: store.provisioner(),
      parameters: { fsName: store.storeName },
    });
    this.classes = { files };
    if (blockPool) {
      const { user, key, pool } = blockPool;
      this.classes.blocks = this.#driver(into, {
        kind: "blocks",
        driver: "rbd",
        user: { user, key },
        parameters: { pool, imageFeatures: "layering", "csi.storage.k8s.io/fstype": "ext4" },
      });
    }
    this.registerOutputs(this.classes);
  }

  #driver({ name, namespace, args }: Into, driven: Driven): pulumi.Output<string> {
    const { store, chartVersion = "3.13.1", values = {} } = args;
    const { kind, driver, user, parameters } = driven;
    const label = `${name}-${kind}`;
    const monitors = Object.values(store.monitorAddresses).map((address) => `${address}:6789`);
    const chart = new Chart(
      label,
      {
        chart: `ceph-csi-${driver}`,
        version: chartVersion,
        namespace,
        repositoryOpts: { repo: "https://ceph.github.io/csi-charts" },
        values: {
          // Both drivers' charts are in one namespace, and each makes these.
          configMapName: `ceph-csi-config-${driver}`,
          cephConfConfigMapName: `ceph-config-${driver}`,
          ...values,
          csiConfig: [{ clusterID: store.fsid, monitors }],
        },
      },
      { parent: this },
    );
    const secret = new Secret(
      `${label}-user`,
      { metadata: { name: `${label}-user`, namespace }, stringData: secretOf(user) },
      { parent: this },
    );
    const made = new StorageClass(
      label,
      {
        metadata: { name: label },
        provisioner: `${driver}.csi.ceph.com`,
        parameters: { clusterID: store.fsid, ...parameters, ...secretsOf(secret.metadata.name, namespace) },
        reclaimPolicy: "Delete",
        allowVolumeExpansion: true,
      },
      { parent: this, dependsOn: [chart, store.ready] },
    );
    return made.metadata.name;
  }
}

interface Into {
  name: string;
  namespace: pulumi.Output<string>;
  args: CephStorageArgs;
}

/** One driver of ceph-csi. */
interface Driven {
  kind: "files" | "blocks";
  driver: "cephfs" | "rbd";
  user: { user: string; key: pulumi.Output<string> };
  parameters: Record<string, string>;
}

/** Each driver looks for its own names. */
const secretOf = ({ user, key }: Driven["user"]) => ({
  userID: user,
  userKey: key,
  adminID: user,
  adminKey: key,
});

function secretsOf(name: pulumi.Output<string>, namespace: pulumi.Output<string>) {
  const kinds = ["provisioner", "controller-expand", "node-stage"];
  return Object.fromEntries(
    kinds.flatMap((kind) => [
      [`csi.storage.k8s.io/${kind}-secret-name`, name],
      [`csi.storage.k8s.io/${kind}-secret-namespace`, namespace],
    ]),
  );
}

const CEPH_STORAGE_SHAPE = named({
  store: given,
  blockPool: anything,
  namespace: text,
  chartVersion: text,
  values: anything,
});

/** Everything wrong with the arguments, found before any resource exists. */
export function cephStorageProblems(name: string, args: CephStorageArgs): Problem[] {
  return argumentProblems(CEPH_STORAGE_SHAPE, args, (args) => {
    const { namespace } = args;
    return [
      ...nameProblems("name", name),
      ...(namespace === undefined ? [] : nameProblems("namespace", namespace)),
    ];
  });
}
