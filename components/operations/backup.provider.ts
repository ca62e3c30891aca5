import { createHash } from "node:crypto";
import type { Connection } from "../model/connection.ts";
import { messageOf, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { runDirectory } from "../ssh/script.ts";
import { onHost, type Script, type Session } from "../ssh/session.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { END_OPERATION, LONGEST_SECONDS } from "./filling.ts";
import { type Place, withVolumes } from "./place.ts";
import {
  DISCARD_REPOSITORY,
  MAKE_REPOSITORY,
  type Repository,
  repositoryName,
  withRepository,
} from "./restic.ts";

/** Which of the earlier points stay, newest first, as `restic forget` counts them. */
export interface Keep {
  /** The newest so many. @default none by this count, nor by those below */
  last?: number;
  /** The newest of each of the last so many hours that have one. */
  hourly?: number;
  /** The same by days. */
  daily?: number;
  /** By weeks. */
  weekly?: number;
  /** By months. */
  monthly?: number;
  /** By years. */
  yearly?: number;
}

export interface BackupInputs {
  connection: Connection;
  /** Unique on the host among backups. */
  name: string;
  /** Known by no other backup, nor by one of the same name that comes after this one has gone. */
  identity: string;
  volume: Place;
  repository: Repository;
  /** The password is in the program as well, so that it outlives the state. */
  ownPassword: boolean;
  trigger: string;
  /** @default all of them */
  keep?: Keep;
  /** Share of the stored data that is read back and compared after a backup. */
  readBackPercent: number;
  allowDataLoss: boolean;
}

export interface BackupOutputs {
  /** Of restic, 64 hexadecimal digits. */
  snapshotId: string;
  /** RFC 3339. */
  time: string;
  /** Names of files, directories and links. */
  files: number;
  /** In files; one with several names counts once. */
  bytes: number;
}

const SHOW = `
show() {
  listed "$1"
  restic $options --no-lock stats --json --mode restore-size "$1"
}
`;

/*
 * A point that is there already, by its tag, is one whose answer was lost. Files that could not be read
 * make restic end with 3 and a point all the same, which would be found next time.
 */
const BACK_UP = `${DISCARD_REPOSITORY}${MAKE_REPOSITORY}${SHOW}
# Several backups may share a repository: one of them makes it.
exec 6>"${runDirectory}/repository.$(printf %s "$SHOWN" | sha256sum | cut -c 1-32)"
flock 6
if reach; then rm -f "$repository/.spillway-init" 2>/dev/null || :; else make_repository; fi
exec 6>&-
known=
if [ -n "$SNAPSHOT" ]; then known=$(listed "$SNAPSHOT"); fi
if [ -z "$(id_in "$known")" ]; then known=$(listed --tag "point=$POINT"); fi
point=$(id_in "$known")
if [ -z "$point" ]; then
  earlier=$(listed --tag "backup=$ID" --latest 1)
  parent=$(id_in "$earlier")
  cd "$base"
  code=0
  patient backup --host "$DATA_VOLUME" --tag "spillway,backup=$ID,point=$POINT" \\
    \${parent:+--parent "$parent"} --exclude "$base/data/lost+found" --exclude "$base/data/.trashcan" data >&2 || code=$?
  known=$(listed --tag "point=$POINT")
  point=$(id_in "$known")
  if [ "$code" != 0 ]; then
    if [ -n "$point" ]; then restic $options forget "$point" >/dev/null; fi
    exit "$code"
  fi
fi
if [ -n "$KEEP" ]; then
  echo "removing points that are not kept" >&2
  patient forget --tag "backup=$ID" --group-by '' $KEEP --prune >&2
fi
echo "checking the repository" >&2
patient check \${SUBSET:+--read-data-subset "$SUBSET"} >&2
show "$point"
`;

const LOOK = `${SHOW}
if ! command -v restic >/dev/null; then echo unknown; exit; fi
if reach; then
  found=$(listed "$SNAPSHOT" 2>/dev/null)
  if [ -n "$(id_in "$found")" ]; then echo there; fi
fi
`;

const REMOVE = `${DISCARD_REPOSITORY}
if reach; then
  known=$(listed --tag "backup=$ID")
  points=$(ids_in "$known")
  if [ -n "$points" ]; then patient forget $points --prune >&2; fi
  rest=$(listed)
  if [ "$KIND" != s3 ] && [ -z "$(id_in "$rest")" ]; then
    discard_repository
    if [ -e "$repository/.spillway-made" ]; then
      rm "$repository/.spillway-made"
      rmdir "$repository" 2>/dev/null || :
    fi
  fi
fi
`;

const operation = ({ name }: BackupInputs) => `backup-${name}`;

/** What a point is of: another trigger, volume or repository asks for another. */
const contentOf = ({ identity, trigger, volume, repository, connection }: BackupInputs) => [
  identity,
  trigger,
  volume.volume,
  repositoryName(connection.host, repository),
];

/** `before` makes a trigger that comes back ask for a new point all the same. */
function pointOf(inputs: BackupInputs, before: string): string {
  const text = JSON.stringify([...contentOf(inputs), before]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

const renews = (old: BackupInputs, inputs: BackupInputs): boolean =>
  JSON.stringify(contentOf(old)) !== JSON.stringify(contentOf(inputs));

const KEEP_FLAGS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

function keepArguments(keep: Keep = {}): string {
  return KEEP_FLAGS.flatMap((flag) => (keep[flag] ? [`--keep-${flag} ${keep[flag]}`] : [])).join(" ");
}

function scriptOf<S extends Script>(script: S, inputs: BackupInputs, withData: boolean): S {
  const prepared = withRepository(script, inputs.connection.host, inputs.repository);
  return withVolumes(prepared.script, { ...prepared.places, ...(withData ? { data: inputs.volume } : {}) });
}

/** @param before the point that the state knows of, and whether it is still the one that is wanted */
async function backUp(
  context: Context,
  inputs: BackupInputs,
  before: { snapshotId: string; stays: boolean } = { snapshotId: "", stays: false },
): Promise<BackupOutputs> {
  const { identity, keep, readBackPercent } = inputs;
  const values = {
    ID: identity,
    POINT: pointOf(inputs, before.snapshotId),
    SNAPSHOT: before.stays ? before.snapshotId : "",
    KEEP: keepArguments(keep),
    SUBSET: readBackPercent > 0 ? `${readBackPercent}%` : "",
  };
  const timeoutSeconds = context.timeoutSeconds || LONGEST_SECONDS;
  const step = scriptOf({ name: operation(inputs), text: BACK_UP, values, timeoutSeconds }, inputs, true);
  return parsePoint(await onHost(inputs.connection, context, (session) => session.step(step, context)));
}

/** Reads what `show` prints: the point's entry in a list, and its figures, a line each. */
export function parsePoint(printed: string): BackupOutputs {
  const [list, figures] = printed.trim().split("\n").slice(-2);
  const [point] = JSON.parse(list!) as { id: string; time: string }[];
  const { total_size, total_file_count } = JSON.parse(figures!) as Record<string, number>;
  // restic counts the volume's own top.
  return { snapshotId: point!.id, time: point!.time, files: total_file_count! - 1, bytes: total_size! };
}

/** One point of a volume in a restic repository; another `trigger` makes another. */
export const backup: ResourceType<BackupInputs, BackupOutputs> = {
  token: "spillway:operations:Backup",
  computed: ["snapshotId", "time", "files", "bytes"],
  words: ["allowDataLoss", "ownPassword"],
  unfinishedId: ({ name }) => name,

  diff: (old, inputs) => {
    const facts = (of: BackupInputs) => {
      const { name, identity, trigger, keep, readBackPercent, allowDataLoss, ownPassword } = of;
      const { host } = of.connection;
      const { volume } = of.volume;
      const { password } = of.repository;
      const repository = repositoryName(host, of.repository);
      return {
        name,
        identity,
        trigger,
        keep,
        readBackPercent,
        allowDataLoss,
        ownPassword,
        volume,
        password,
        repository,
      };
    };
    return differenceOf(facts(old.inputs), facts(inputs), { replaceOn: ["name"] });
  },
  renews: (old, inputs) => (renews(old.inputs, inputs) ? backup.computed : []),

  async create(context, inputs) {
    return { id: inputs.name, outputs: await backUp(context, inputs) };
  },

  async read(context, old) {
    const { inputs, outputs } = old;
    const script = { name: "look for a backup", text: LOOK, values: { SNAPSHOT: outputs.snapshotId } };
    const look = (session: Session) => session.run(scriptOf(script, inputs, false), context);
    const found = await onHost(inputs.connection, context, look, { change: false });
    return found.trim() === "" ? undefined : { inputs, outputs };
  },

  update: (context, { inputs: before, outputs: { snapshotId } }, inputs) =>
    backUp(context, inputs, { snapshotId, stays: !renews(before, inputs) }),

  async delete(context, { inputs, outputs }) {
    const { name, allowDataLoss, ownPassword } = inputs;
    // One that never came to an end has made no point, and may name a target that is none.
    const unfinished = "unfinished" in outputs;
    if (!allowDataLoss && !ownPassword && !unfinished) {
      refuse(`Backup "${name}"`, [
        {
          path: "password",
          found: "it is nowhere but in this state, and without it nobody reads what was backed up",
          remedy:
            "give it as `password` of your own (`pulumi stack export --show-secrets` shows it), or say `allowDataLoss: true`, let one `pulumi up` record that, then run again",
        },
      ]);
    }
    const values = { ID: inputs.identity, OPERATION: operation(inputs) };
    const end = { name: "end a backup", text: END_OPERATION, values };
    const remove = {
      name: `forget-${name}`,
      text: REMOVE,
      values,
      timeoutSeconds: LONGEST_SECONDS,
    };
    await orGiveUp(context, () =>
      onHost(inputs.connection, context, async (session) => {
        await session.run(end, context);
        if (!allowDataLoss) return;
        await session.step(scriptOf(remove, inputs, false), context).catch((error: unknown) => {
          if (!unfinished) throw error;
          context.warn(`nothing was removed from a target that was never reached: ${messageOf(error)}`);
        });
      }),
    );
  },
};
