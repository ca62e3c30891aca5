import type * as pulumi from "@pulumi/pulumi";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { BackupInputs } from "./backup.provider.ts";
import type { MigrationInputs } from "./migration.provider.ts";
import type { RestoreInputs } from "./restore.provider.ts";
import type { SnapshotRestoreInputs } from "./snapshot-restore.provider.ts";

/** A point of a volume in a restic repository. */
export class BackupPoint extends PluginResource {
  declare readonly snapshotId: pulumi.Output<string>;
  /** RFC 3339. */
  declare readonly time: pulumi.Output<string>;
  declare readonly files: pulumi.Output<number>;
  declare readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: Args<BackupInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:operations:Backup", name, args, ["snapshotId", "time", "files", "bytes"], opts);
  }
}

/** A volume filled from a point. */
export class Restoring extends PluginResource {
  declare readonly files: pulumi.Output<number>;
  declare readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: Args<RestoreInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:operations:Restore", name, args, ["files", "bytes"], opts);
  }
}

/** A volume filled from a snapshot. */
export class SnapshotRestoring extends PluginResource {
  declare readonly files: pulumi.Output<number>;
  declare readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: Args<SnapshotRestoreInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:operations:SnapshotRestore", name, args, ["files", "bytes"], opts);
  }
}

/** A volume filled from another. */
export class Migrating extends PluginResource {
  declare readonly files: pulumi.Output<number>;
  declare readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: Args<MigrationInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:operations:Migration", name, args, ["files", "bytes"], opts);
  }
}
