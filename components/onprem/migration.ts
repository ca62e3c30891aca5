import * as pulumi from "@pulumi/pulumi";
import { quote } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { anything, argumentProblems, flag, given, named, text } from "../model/shape.ts";
import { Migrating } from "../operations/resources.ts";
import { labelOf, operationProblems, placeOf, prepare, within } from "./operation.ts";
import type { Volume } from "./store.ts";

/** Arguments of a migration. */
export interface MigrationArgs {
  /** Stays as it is. */
  from: Volume;
  /** The volume that is filled, in whatever store. */
  to: Volume;
  /** Host that does the work; it reaches both. */
  host: string;
  /** What the target holds may go. @default false: a volume with data is refused */
  overwrite?: boolean;
  /** Another value copies once more; with `overwrite`, only what differs. @default none */
  trigger?: pulumi.Input<string>;
}

/**
 * A volume's files in another volume, whatever the stores: rsync in two passes, then content, owner, mode,
 * times, extended attributes, access control lists and links of every file compared. A source that is
 * written to meanwhile fails the comparison. Deleting the resource leaves both volumes as they are.
 *
 * @example
 * new Migration("to-new", { from: store.volume("old"), to: store.volume("new"), host: "w1" });
 */
export class Migration extends pulumi.ComponentResource {
  /** Where the files came from. */
  readonly from: Volume;
  /** The volume that was filled. */
  readonly to: Volume;
  /** Names of files, directories and links in the target afterwards. */
  readonly files: pulumi.Output<number>;
  /** Of its files. */
  readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: MigrationArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`Migration "${name}"`, migrationProblems(name, args));
    super("spillway:onprem:Migration", name, {}, opts);
    const { from, to, host, overwrite = false, trigger = "" } = args;
    const on = { host, volumes: [from, to], packages: ["attr", "rsync"] };
    const { dependsOn, ...ready } = prepare(this, "migration", name, on);
    const migrating = new Migrating(
      `${name}-volume`,
      { ...ready, from: placeOf(from, host), volume: placeOf(to, host), overwrite, trigger },
      { ...within(this, opts), dependsOn },
    );
    this.from = from;
    this.to = to;
    this.files = migrating.files;
    this.bytes = migrating.bytes;
    this.registerOutputs({ files: this.files, bytes: this.bytes });
  }
}

const MIGRATION_SHAPE = named({ from: given, to: given, host: text, overwrite: flag, trigger: anything });

/** What is wrong with a migration's arguments. */
export function migrationProblems(name: string, args: MigrationArgs): Problem[] {
  return argumentProblems(MIGRATION_SHAPE, args, (args) => {
    const { from, to, host = "" } = args;
    if (from !== to) return operationProblems(name, host, { from, to });
    const found = `${quote(labelOf(from))} is the source as well`;
    return [...operationProblems(name, host, { from }), { path: "to", found, remedy: "name another volume" }];
  });
}
