import * as pulumi from "@pulumi/pulumi";
import { type Problem, refuse } from "../model/problem.ts";
import { anything, argumentProblems, flag, given, named, number, optional, text } from "../model/shape.ts";
import type { Keep } from "../operations/backup.provider.ts";
import { BackupPoint } from "../operations/resources.ts";
import { Password } from "../secrets/resources.ts";
import { type BackupTarget, repositoryOf, TARGET_SHAPE, targetProblems, volumesOf } from "./backup-target.ts";
import { operationProblems, placeOf, prepare, within } from "./operation.ts";
import type { Volume } from "./store.ts";

/** Arguments of a backup. */
export interface BackupArgs {
  /** What is backed up. */
  volume: Volume;
  /** Host that does the work; it reaches the volume and the target. */
  host: string;
  /** Where the restic repository lies; it is made when missing. Several backups may share one. */
  to: BackupTarget;
  /**
   * Encrypts the repository; becomes a secret. One that is made lives in this state alone: destroying
   * the backup without it would lose every point, and is refused. @default one is made
   */
  password?: pulumi.Input<string>;
  /** How many points of this backup stay: the newest, and those of so many hours, days ... @default all */
  keep?: Keep;
  /** Another value makes another point. @default none */
  trigger?: pulumi.Input<string>;
  /** Share of the stored data that is read back and compared after a backup, in percent. @default 0: the structure alone */
  readBackPercent?: number;
  /** The points of this backup go with it; else they stay in the repository. @default false */
  allowDataLoss?: boolean;
}

/**
 * A volume at one point in time, in a restic repository that is checked afterwards. One `up` makes one
 * point, another `trigger` the next; nothing is scheduled. Files that change while they are read are taken as they were then.
 *
 * @example
 * new Backup("nightly", {
 *   volume: store.volume("data"),
 *   host: "w1",
 *   to: { directory: "/srv/backups" },
 *   keep: { daily: 7, weekly: 4 },
 *   trigger: "2027-01-31",
 * });
 */
export class Backup extends pulumi.ComponentResource {
  /** What was backed up. */
  readonly volume: Volume;
  /** Host that did it. */
  readonly host: string;
  /** Where the point lies. */
  readonly to: BackupTarget;
  /** Of restic, 64 hexadecimal digits. */
  readonly snapshotId: pulumi.Output<string>;
  /** When the point was made, RFC 3339. */
  readonly time: pulumi.Output<string>;
  /** Names of files, directories and links in it. */
  readonly files: pulumi.Output<number>;
  /** Of its files, before compression. */
  readonly bytes: pulumi.Output<number>;
  /** Secret. */
  readonly password: pulumi.Output<string>;

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`Backup "${name}"`, backupProblems(name, args));
    super("spillway:onprem:Backup", name, {}, opts);
    const { volume, host, to, keep, trigger = "", readBackPercent = 0, allowDataLoss = false } = args;
    this.volume = volume;
    this.host = host;
    this.to = to;
    this.password = this.#password(name, args.password);
    const volumes = [volume, ...volumesOf(to)];
    const { dependsOn, ...ready } = prepare(this, "backup", name, { host, volumes, packages: ["restic"] });
    // Not the name: a backup that was destroyed and comes back takes none of its former points for its own.
    const identity = new Password(`${name}-identity`, { bytes: 16, encoding: "hex" }, { parent: this });
    const point = new BackupPoint(
      `${name}-point`,
      {
        ...ready,
        identity: identity.value,
        volume: placeOf(volume, host),
        repository: repositoryOf(to, this.password, host),
        ownPassword: args.password !== undefined,
        trigger,
        ...(keep && { keep }),
        readBackPercent,
        allowDataLoss,
      },
      { ...within(this, opts), dependsOn },
    );
    this.snapshotId = point.snapshotId;
    this.time = point.time;
    this.files = point.files;
    this.bytes = point.bytes;
    this.registerOutputs({ snapshotId: this.snapshotId, time: this.time });
  }

  #password(name: string, own: pulumi.Input<string> | undefined): pulumi.Output<string> {
    if (own !== undefined) return pulumi.secret(own);
    const made = new Password(`${name}-password`, { bytes: 24, encoding: "base64url" }, { parent: this });
    return made.value;
  }
}

const KEEP_SHAPE = {
  last: number,
  hourly: number,
  daily: number,
  weekly: number,
  monthly: number,
  yearly: number,
};

const BACKUP_SHAPE = named({
  volume: given,
  host: text,
  to: TARGET_SHAPE,
  password: anything,
  keep: optional(named(KEEP_SHAPE)),
  trigger: anything,
  readBackPercent: number,
  allowDataLoss: flag,
});

/** What is wrong with a backup's arguments. */
export function backupProblems(name: string, args: BackupArgs): Problem[] {
  return argumentProblems(BACKUP_SHAPE, args, (args) => {
    const { volume, host = "", to, keep, readBackPercent = 0 } = args;
    const volumes = { volume, ...("volume" in to && to.volume ? { "to.volume": to.volume } : {}) };
    return [
      ...operationProblems(name, host, volumes),
      ...targetProblems("to", to, volume, host),
      ...(keep === undefined ? [] : keepProblems(keep)),
      ...(readBackPercent >= 0 && readBackPercent <= 100
        ? []
        : [{ path: "readBackPercent", found: String(readBackPercent), remedy: "give 0 to 100" }]),
    ];
  });
}

function keepProblems(keep: Keep): Problem[] {
  const entries = Object.entries(keep).filter(([, count]) => count !== undefined);
  if (entries.length === 0)
    return [{ path: "keep", found: "nothing is kept", remedy: "give one such as { daily: 7 }" }];
  return entries
    .filter(([, count]) => !Number.isInteger(count) || count < 1)
    .map(([unit, count]) => ({
      path: `keep.${unit}`,
      found: String(count),
      remedy: "give a whole number from 1 on",
    }));
}
