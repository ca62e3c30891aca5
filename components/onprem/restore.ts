import * as pulumi from "@pulumi/pulumi";
import { quote } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { anything, flag, given, named, optional, shapeProblems, text } from "../model/shape.ts";
import { Restoring } from "../operations/resources.ts";
import type { Backup } from "./backup.ts";
import {
  type BackupTarget,
  repositoryOf,
  secretProblems,
  TARGET_SHAPE,
  targetProblems,
  volumesOf,
} from "./backup-target.ts";
import { operationProblems, placeOf, prepare } from "./operation.ts";
import type { Volume } from "./store.ts";

/** The point that comes back. */
export type RestorePoint =
  | {
      backup: Backup;
      /** A point of its repository. @default the backup's own when this is made or its trigger changes */
      snapshotId?: string;
      repository?: never;
    }
  | {
      /** Where a Backup of another state left its points. */
      repository: BackupTarget;
      password: pulumi.Input<string>;
      /** As `restic snapshots` shows it. */
      snapshotId: string;
      backup?: never;
    };

/** Arguments of a restore. */
export type RestoreArgs = RestorePoint & {
  /** The volume that is filled. */
  volume: Volume;
  /** Host that does the work. */
  host: string;
  /** What the volume holds may go. @default false: a volume with data is refused */
  overwrite?: boolean;
  /** Another value brings the point back once more. @default none */
  trigger?: pulumi.Input<string>;
};

/**
 * A volume filled with what was backed up, every file read back and compared. What it held before is gone
 * then; it is refused unless `overwrite` says so. Deleting the resource leaves the volume as it is.
 *
 * @example
 * const nightly = new Backup("nightly", { volume: store.volume("data"), host: "w1", to: { directory: "/srv/backups" } });
 * new Restore("back", { backup: nightly, volume: store.volume("data-again"), host: "w1" });
 */
export class Restore extends pulumi.ComponentResource {
  readonly volume: Volume;
  /** Names of files, directories and links in the volume afterwards. */
  readonly files: pulumi.Output<number>;
  /** Of its files. */
  readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: RestoreArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`Restore "${name}"`, restoreProblems(name, args));
    super("spillway:onprem:Restore", name, {}, opts);
    const { volume, host, overwrite = false, trigger = "" } = args;
    const { to, password, snapshotId, pinned } = pointOf(args);
    const volumes = [volume, ...volumesOf(to)];
    const { dependsOn, ...ready } = prepare(this, "restore", name, { host, volumes, packages: ["restic"] });
    const restoring = new Restoring(
      `${name}-volume`,
      {
        ...ready,
        volume: placeOf(volume, host),
        backup: { repository: repositoryOf(to, password, host), snapshotId, pinned },
        overwrite,
        trigger,
      },
      { parent: this, dependsOn: [...dependsOn, ...(args.backup ? [args.backup] : [])] },
    );
    this.volume = volume;
    this.files = restoring.files;
    this.bytes = restoring.bytes;
    this.registerOutputs({ files: this.files, bytes: this.bytes });
  }
}

function pointOf(args: RestorePoint) {
  if (args.backup === undefined) {
    const { repository, password, snapshotId } = args;
    return { to: repository, password, snapshotId, pinned: true };
  }
  const { backup, snapshotId } = args;
  const { to, password } = backup;
  return { to, password, snapshotId: snapshotId ?? backup.snapshotId, pinned: snapshotId !== undefined };
}

const RESTORE_SHAPE = named({
  backup: anything,
  repository: optional(TARGET_SHAPE),
  password: anything,
  snapshotId: text,
  volume: given,
  host: text,
  overwrite: flag,
  trigger: anything,
});

/** What is wrong with a restore's arguments. */
export function restoreProblems(name: string, args: RestoreArgs): Problem[] {
  const misshapen = shapeProblems(RESTORE_SHAPE, args);
  if (misshapen.length > 0) return misshapen;
  const { volume, host = "", backup, repository } = args;
  if ((backup === undefined) === (repository === undefined)) {
    const found = backup === undefined ? "no point" : "a backup and a repository";
    const remedy = "give `backup`, or `repository` with `password` and `snapshotId`";
    return [{ path: backup === undefined ? "backup" : "repository", found, remedy }];
  }
  const to = backup?.to ?? repository!;
  const at = backup ? "backup" : "repository";
  const volumes = { volume, ...(to.volume ? { [`${at}.volume`]: to.volume } : {}) };
  return [
    ...operationProblems(name, host, volumes),
    ...(backup ? directoryProblems(backup, host) : targetProblems("repository", to, volume, host)),
    ...(backup ? [] : secretProblems("password", (args as { password?: pulumi.Input<string> }).password)),
    ...snapshotProblems(args.snapshotId, backup !== undefined),
  ];
}

/** A directory is seen by its own host alone. */
function directoryProblems({ to, host: own }: Backup, host: string): Problem[] {
  if (to.directory === undefined || own === host) return [];
  const found = `the backup lies in a directory of ${own}, and ${host} does not see it`;
  return [{ path: "host", found, remedy: `name ${own}; or back up to a shared volume or S3` }];
}

function snapshotProblems(snapshotId: string | undefined, optionally: boolean): Problem[] {
  if (snapshotId === undefined ? optionally : /^[0-9a-f]{8,64}$/.test(snapshotId)) return [];
  const found = `${quote(snapshotId)} is no point`;
  return [
    { path: "snapshotId", found, remedy: "give 8 to 64 hexadecimal digits, as `restic snapshots` shows" },
  ];
}
