import * as pulumi from "@pulumi/pulumi";
import { quote } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { anything, argumentProblems, flag, given, named, optional, text } from "../model/shape.ts";
import { Restoring, SnapshotRestoring } from "../operations/resources.ts";
import type { Backup } from "./backup.ts";
import {
  type BackupTarget,
  repositoryOf,
  secretProblems,
  TARGET_SHAPE,
  targetProblems,
  volumesOf,
} from "./backup-target.ts";
import { operationProblems, placeOf, prepare, within } from "./operation.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Volume } from "./store.ts";

/** The point that comes back. */
export type RestorePoint =
  | {
      /** One of this program. */
      backup: Backup;
      /** A point of its repository. @default the backup's own when this is made or its trigger changes */
      snapshotId?: string;
      repository?: never;
      snapshot?: never;
    }
  | {
      /** Where a Backup of another state left its points. */
      repository: BackupTarget;
      /** Of the repository; becomes a secret. */
      password: pulumi.Input<string>;
      /** As `restic snapshots` shows it. */
      snapshotId: string;
      backup?: never;
      snapshot?: never;
    }
  | {
      /** Of this volume or another one. */
      snapshot: Snapshot;
      backup?: never;
      repository?: never;
      snapshotId?: never;
    };

/** A point that lies in a repository. */
type BackupPoint = Exclude<RestorePoint, { snapshot: Snapshot }>;

/** Arguments of a restore. */
export type RestoreArgs = RestorePoint & FillingArgs;

/** What every restore is told. */
export interface FillingArgs {
  /** The volume that is filled. */
  volume: Volume;
  /** Host that does the work. */
  host: string;
  /** What the volume holds may go. @default false: a volume with data is refused */
  overwrite?: boolean;
  /** Another value brings the point back once more. @default none */
  trigger?: pulumi.Input<string>;
}

/**
 * A volume filled with what was backed up, every file read back and compared; or with what a snapshot holds,
 * as a `Migration` copies. What it held before is gone then; it is refused unless `overwrite` says so.
 * Deleting the resource leaves the volume as it is.
 *
 * @example
 * const nightly = new Backup("nightly", { volume: store.volume("data"), host: "w1", to: { directory: "/srv/backups" } });
 * new Restore("back", { backup: nightly, volume: store.volume("data-again"), host: "w1" });
 */
export class Restore extends pulumi.ComponentResource {
  /** The volume that was filled. */
  readonly volume: Volume;
  /** Names of files, directories and links in the volume afterwards. */
  readonly files: pulumi.Output<number>;
  /** Of its files. */
  readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: RestoreArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`Restore "${name}"`, restoreProblems(name, args));
    super("spillway:onprem:Restore", name, {}, opts);
    const { files, bytes } = args.snapshot
      ? this.#copySnapshot(name, args, args.snapshot, opts)
      : this.#restore(name, args, opts);
    this.volume = args.volume;
    this.files = files;
    this.bytes = bytes;
    this.registerOutputs({ files, bytes });
  }

  #copySnapshot(
    name: string,
    args: FillingArgs,
    snapshot: Snapshot,
    opts?: pulumi.ComponentResourceOptions,
  ): SnapshotRestoring {
    const { volume, host, overwrite = false, trigger = "" } = args;
    const on = { host, volumes: [volume, snapshot.volume], packages: ["attr", "rsync"] };
    const { dependsOn, ...ready } = prepare(this, "restore", name, on);
    const source = { of: placeOf(snapshot.volume, host), name: snapshot.snapshotName, path: snapshot.path };
    return new SnapshotRestoring(
      `${name}-volume`,
      { ...ready, snapshot: source, volume: placeOf(volume, host), overwrite, trigger },
      { ...within(this, opts), dependsOn: [...dependsOn, snapshot] },
    );
  }

  #restore(name: string, args: FillingArgs & BackupPoint, opts?: pulumi.ComponentResourceOptions): Restoring {
    const { volume, host, overwrite = false, trigger = "" } = args;
    const { to, password, snapshotId, pinned } = pointOf(args);
    const volumes = [volume, ...volumesOf(to)];
    const { dependsOn, ...ready } = prepare(this, "restore", name, { host, volumes, packages: ["restic"] });
    return new Restoring(
      `${name}-volume`,
      {
        ...ready,
        volume: placeOf(volume, host),
        backup: { repository: repositoryOf(to, password, host), snapshotId, pinned },
        overwrite,
        trigger,
      },
      { ...within(this, opts), dependsOn: [...dependsOn, ...(args.backup ? [args.backup] : [])] },
    );
  }
}

function pointOf(args: BackupPoint) {
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
  snapshot: anything,
  volume: given,
  host: text,
  overwrite: flag,
  trigger: anything,
});

/** What is wrong with a restore's arguments. */
export function restoreProblems(name: string, args: RestoreArgs): Problem[] {
  return argumentProblems(RESTORE_SHAPE, args, (args) => {
    const { volume, host = "", backup, repository, snapshot } = args;
    const points = Object.entries({ backup, repository, snapshot }).filter(
      ([, point]) => point !== undefined,
    );
    if (points.length !== 1) {
      const found = points.length === 0 ? "no point" : points.map(([kind]) => kind).join(" and ");
      const remedy = "give `backup`, or `repository` with `password` and `snapshotId`, or `snapshot`";
      return [{ path: points.at(-1)?.[0] ?? "backup", found, remedy }];
    }
    if (snapshot) return operationProblems(name, host, { volume, "snapshot.volume": snapshot.volume });
    const to = backup?.to ?? repository!;
    const at = backup ? "backup" : "repository";
    const volumes = { volume, ...(to.volume ? { [`${at}.volume`]: to.volume } : {}) };
    return [
      ...operationProblems(name, host, volumes),
      ...targetProblems(at, to, volume, host),
      ...(backup ? directoryProblems(backup, host) : []),
      ...(backup ? [] : secretProblems("password", (args as { password?: pulumi.Input<string> }).password)),
      ...snapshotProblems(args.snapshotId, backup !== undefined),
    ];
  });
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
