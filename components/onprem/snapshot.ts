import * as pulumi from "@pulumi/pulumi";
import { nameProblems, quote } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { argumentProblems, flag, given, named } from "../model/shape.ts";
import { labelOf } from "./operation.ts";
import type { Volume } from "./store.ts";

/** Arguments of a snapshot. */
export interface SnapshotArgs {
  /** What is kept; of a `CephStore`. */
  volume: Volume;
  /**
   * It may go, with what only it still holds: the word that its removal asks for. It counts once a
   * `pulumi up` has recorded it. @default false
   */
  allowDataLoss?: boolean;
}

/**
 * A volume as it is at the moment this is made, in the same store, at no cost until files change. It is no
 * backup: what takes the store takes it as well. Any host that has the volume mounted reads it below `path`;
 * a `Restore` brings it back.
 *
 * @example
 * const before = new Snapshot("before-upgrade", { volume });
 * new Restore("undo", { snapshot: before, volume, host: "w1", overwrite: true });
 */
export class Snapshot extends pulumi.ComponentResource {
  /** Name of the snapshot, which is the resource's. */
  readonly snapshotName: string;
  /** What was kept. */
  readonly volume: Volume;
  /** Its directory, below the volume's top, such as `.snap/_before-upgrade_1099511628283`. */
  readonly path: pulumi.Output<string>;
  /** When it was taken, in UTC. */
  readonly time: pulumi.Output<string>;

  constructor(name: string, args: SnapshotArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`Snapshot "${name}"`, snapshotProblems(name, args));
    super("spillway:onprem:Snapshot", name, {}, opts);
    const { volume, allowDataLoss = false } = args;
    const { path, time } = volume.takeSnapshot!(name, allowDataLoss, this);
    this.snapshotName = name;
    this.volume = volume;
    this.path = path;
    this.time = time;
    this.registerOutputs({ path, time });
  }
}

const SNAPSHOT_SHAPE = named({ volume: given, allowDataLoss: flag });

/** What is wrong with a snapshot's arguments. */
export function snapshotProblems(name: string, args: SnapshotArgs): Problem[] {
  return argumentProblems(SNAPSHOT_SHAPE, args, (args) => {
    const { volume } = args;
    if (volume.takeSnapshot) return nameProblems("name", name);
    const found = `the store of ${quote(labelOf(volume))} takes no snapshots`;
    const remedy = "take a Backup, or keep the volume in a CephStore";
    return [...nameProblems("name", name), { path: "volume", found, remedy }];
  });
}
