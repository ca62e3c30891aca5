import { createHash } from "node:crypto";
import type { Connection } from "../model/connection.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { NOTE } from "../ssh/note.ts";
import { ConnectionError, HostError, onHost, type Script } from "../ssh/session.ts";
import { END_STEP } from "../ssh/step.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { type Place, type Places, withVolumes } from "./place.ts";
import { TREE } from "./tree.ts";

/* What Restore and Migration have in common: they fill a volume, once for each trigger. */

/** Longest that an operation may take when its `customTimeouts` say nothing, in seconds: a day. */
export const LONGEST_SECONDS = 86_400;

/** Shell text that ends an operation's step if it still runs. */
export const END_OPERATION = `${END_STEP}
end_step "$OPERATION"
`;

export interface FillingInputs {
  connection: Connection;
  /** Unique on the host among resources of its type. */
  name: string;
  /** The one that is filled. */
  volume: Place;
  /** What the volume holds may go. */
  overwrite: boolean;
  trigger: string;
}

export interface FillingOutputs {
  /** Names of files, directories and links that were brought. */
  files: number;
  /** In files; one with several names counts once. */
  bytes: number;
}

/** What is to be done on the host. */
export interface Filling extends Omit<Script, "name"> {
  /** Shell text that fails before anything is touched. @default nothing */
  before?: string;
  /** Shell text that makes `$base/data` as it shall be, and goes on where it was cut. */
  text: string;
  /** What else is mounted. */
  places: Places;
  /** What tells this work from what another source asks for, by the input that says it. */
  source: Readonly<Record<string, string>>;
}

/*
 * The note says how far it is: a run that was cut goes on with its own half-made copy, and one whose
 * answer was lost does not do it again.
 */
const NOTED = `${TREE}${NOTE}
note=/var/lib/spillway/operations/$OPERATION
noted() { cat "$note" 2>/dev/null || :; }
note_down() {
  mkdir -p "\${note%/*}"
  note "$note" "$POINT $1"
}
must_stay() {
  [ "$OVERWRITE" = no ] && [ "$(noted)" != "$POINT begun" ] && [ "$(noted)" != "$POINT done" ] &&
    holds_data "$base/data"
}
`;

const fillText = ({ before = "", text }: Filling) => `${NOTED}
if [ "$(noted)" != "$POINT done" ] || ! holds_data "$base/data"; then
  if must_stay; then echo "volume $DATA_VOLUME ${HOLDS}; ${REMEDY}" >&2; exit 1; fi
  ${before}
  note_down begun
  ${text}
  note_down done
fi
count "$base/data"
`;

const HOLDS = "holds data";
const REMEDY = "say 'overwrite: true' to replace it, or name an empty volume";

const LOOK = `${NOTED}
if must_stay; then echo holds; fi
`;

/** A type of resource that fills a volume; its name begins that of the step. */
interface Kind<I> {
  token: string;
  name: "Migration" | "Restore";
  fillingOf(inputs: I): Filling;
}

const operationOf = (kind: string, { name }: FillingInputs): string => `${kind.toLowerCase()}-${name}`;

/** Another value of any of these asks for the work to be done anew. */
function contentOf<I extends FillingInputs>(kind: Kind<I>, inputs: I) {
  const { name, trigger, volume, connection } = inputs;
  return {
    name,
    trigger,
    volume: volume.volume,
    host: connection.host,
    ...kind.fillingOf(inputs).source,
  };
}

function valuesOf<I extends FillingInputs>(kind: Kind<I>, inputs: I): Record<string, string> {
  const text = JSON.stringify(contentOf(kind, inputs));
  return {
    OPERATION: operationOf(kind.name, inputs),
    POINT: createHash("sha256").update(text).digest("hex").slice(0, 32),
    OVERWRITE: inputs.overwrite ? "yes" : "no",
  };
}

async function fill<I extends FillingInputs>(
  context: Context,
  kind: Kind<I>,
  inputs: I,
): Promise<FillingOutputs> {
  const filling = kind.fillingOf(inputs);
  const { files, secretFiles, values, places } = filling;
  const script = {
    name: operationOf(kind.name, inputs),
    text: fillText(filling),
    files,
    secretFiles,
    values: { ...values, ...valuesOf(kind, inputs) },
    timeoutSeconds: context.timeoutSeconds || LONGEST_SECONDS,
  };
  const step = withVolumes(script, { ...places, data: inputs.volume });
  const printed = await onHost(inputs.connection, context, (session) => session.step(step, context));
  const [entries, bytes] = printed.trim().split(" ").map(Number);
  return { files: entries!, bytes: bytes! };
}

/** Throws when the volume holds data that nobody said may go. One that cannot be looked into yet may be empty. */
async function foresee<I extends FillingInputs>(context: Context, kind: Kind<I>, inputs: I): Promise<void> {
  if (inputs.overwrite) return;
  const name = `look into ${inputs.volume.volume}`;
  const script = { name, text: LOOK, values: valuesOf(kind, inputs), timeoutSeconds: 150 };
  const look = withVolumes(script, { data: inputs.volume });
  try {
    const found = await onHost(inputs.connection, context, (session) => session.run(look, context), {
      change: false,
    });
    if (found.trim() !== "holds") return;
  } catch (error) {
    if (error instanceof HostError && !(error instanceof ConnectionError)) return;
    throw error;
  }
  refuse(`${kind.name} "${inputs.name}"`, [
    { path: "volume", found: `volume ${inputs.volume.volume} ${HOLDS}`, remedy: REMEDY },
  ]);
}

const FORGET = `${END_OPERATION}
rm -f "/var/lib/spillway/operations/$OPERATION"
rmdir /var/lib/spillway/operations /var/lib/spillway 2>/dev/null || :
`;

/** Takes back the note; what the volume holds stays. */
function forget(context: Context, { connection }: FillingInputs, operation: string): Promise<void> {
  const script = { name: `end ${operation}`, text: FORGET, values: { OPERATION: operation } };
  return orGiveUp(context, () => onHost(connection, context, (session) => session.run(script, context)));
}

/** A resource type of the plugin that fills a volume, and leaves it as it is when it goes. */
export function fillingType<I extends FillingInputs>(kind: Kind<I>): ResourceType<I, FillingOutputs> {
  const renewed = (old: I, inputs: I): boolean =>
    differenceOf(contentOf(kind, old), contentOf(kind, inputs)).paths.length > 0;
  const computed = ["files", "bytes"] as const;
  return {
    token: kind.token,
    computed,
    unfinishedId: ({ name }) => name,
    diff: (old, inputs) => {
      const facts = (of: I) => ({ ...contentOf(kind, of), overwrite: of.overwrite });
      return differenceOf(facts(old.inputs), facts(inputs), { replaceOn: ["name", "host"] });
    },
    renews: (old, inputs) => (renewed(old.inputs, inputs) ? computed : []),
    preview: (context, inputs) => foresee(context, kind, inputs),
    async previewUpdate(context, old, inputs) {
      if (renewed(old.inputs, inputs)) await foresee(context, kind, inputs);
    },
    async create(context, inputs) {
      return { id: inputs.name, outputs: await fill(context, kind, inputs) };
    },
    update: async (context, old, inputs) =>
      renewed(old.inputs, inputs) ? fill(context, kind, inputs) : old.outputs,
    delete: (context, { inputs }) => forget(context, inputs, operationOf(kind.name, inputs)),
  };
}
