import { PersistentVolume, PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1/index.js";
import * as pulumi from "@pulumi/pulumi";
import { nameProblems, quote } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { anything, argumentProblems, list, named, number } from "../model/shape.ts";
import type { VolumeMount } from "../onprem/volume-mount.ts";

/** Arguments of a store's volume inside a cluster. */
export interface StaticVolumeArgs {
  /** Mounts of one volume on nodes of the cluster, all at one path; pods run on these nodes alone. */
  mounts: VolumeMount[];
  /** Namespace of the claim; it is there already. @default "default" */
  namespace?: pulumi.Input<string>;
  /** Size that the claim shows, in GiB; what holds is the store's own limit. @default 1 */
  capacityGiB?: number;
}

/**
 * A store's volume for the pods of a cluster, by a claim of the component's name: `ReadWriteMany` where
 * several hosts may write, else `ReadWriteOnce`. Takes no CSI driver and no image. What is in it stays
 * when the claim goes. Pods that do not run as root say `fsGroup`.
 *
 * @throws Refusal with every problem of the arguments, before any resource exists.
 * @example
 * import { StaticVolume } from "spillway/kubernetes";
 * import { VolumeMount } from "spillway/onprem";
 *
 * const volume = store.volume("uploads");
 * const mounts = ["w1", "w2"].map((host) => new VolumeMount(`uploads-${host}`, { volume, host, path: "/srv/uploads" }));
 * new StaticVolume("uploads", { mounts }, { provider });
 */
export class StaticVolume extends pulumi.ComponentResource {
  /** Name of the claim, for `persistentVolumeClaim.claimName` of a pod. */
  readonly claimName: pulumi.Output<string>;

  constructor(name: string, args: StaticVolumeArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`StaticVolume "${name}"`, staticVolumeProblems(name, args));
    super("spillway:kubernetes:StaticVolume", name, {}, opts);
    const { mounts, namespace = "default", capacityGiB = 1 } = args;
    const { volume, path } = mounts[0]!;
    const accessModes = [volume.shared ? "ReadWriteMany" : "ReadWriteOnce"];
    const storage = `${capacityGiB}Gi`;
    const values = mounts.map(({ host }) => host).sort();
    const persistent = new PersistentVolume(
      `${name}-volume`,
      {
        metadata: { name },
        spec: {
          capacity: { storage },
          accessModes,
          persistentVolumeReclaimPolicy: "Retain",
          // Of no class: no provisioner and no other claim takes it.
          storageClassName: "",
          claimRef: { namespace, name },
          local: { path },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values }] },
              ],
            },
          },
        },
      },
      { parent: this, dependsOn: mounts },
    );
    const claim = new PersistentVolumeClaim(
      `${name}-claim`,
      {
        metadata: { name, namespace },
        spec: {
          accessModes,
          storageClassName: "",
          volumeName: persistent.metadata.name,
          resources: { requests: { storage } },
        },
      },
      { parent: this },
    );
    this.claimName = claim.metadata.name;
    this.registerOutputs({ claimName: this.claimName });
  }
}

const STATIC_VOLUME_SHAPE = named({ mounts: list(anything), namespace: anything, capacityGiB: number });

/** Everything wrong with the arguments, found before any resource exists. */
export function staticVolumeProblems(name: string, args: StaticVolumeArgs): Problem[] {
  return argumentProblems(STATIC_VOLUME_SHAPE, args, (args) => {
    const { mounts, namespace, capacityGiB = 1 } = args;
    const first = mounts[0];
    return [
      ...nameProblems("name", name),
      ...(typeof namespace === "string" ? nameProblems("namespace", namespace) : []),
      ...(Number.isInteger(capacityGiB) && capacityGiB > 0
        ? []
        : [
            { path: "capacityGiB", found: String(capacityGiB), remedy: "give a whole number of GiB above 0" },
          ]),
      ...(first === undefined
        ? [{ path: "mounts", found: "no mounts", remedy: "mount the volume on a node of the cluster" }]
        : []),
      ...(first === undefined || first.volume.shared || mounts.length === 1
        ? []
        : [
            {
              path: "mounts",
              found: `${mounts.length} hosts would write the volume ${quote(first.volume.volumeName)}, which its store does not share`,
              remedy: "mount it on one node",
            },
          ]),
      ...mounts.flatMap((mount, i) => [
        ...(mount.volume === first!.volume
          ? []
          : [
              {
                path: `mounts[${i}]`,
                found: `it is of the volume ${quote(mount.volume.volumeName)}, not of ${quote(first!.volume.volumeName)}`,
                remedy: "give the mounts of one volume",
              },
            ]),
        ...(mount.path === first!.path
          ? []
          : [
              {
                path: `mounts[${i}]`,
                found: `it is at ${mount.path}, not at ${first!.path}`,
                remedy: "mount the volume at one path on every node",
              },
            ]),
      ]),
    ];
  });
}
