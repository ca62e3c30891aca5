import { createHash } from "node:crypto";
import type { Connection } from "../model/connection.ts";
import { dataLossProblem } from "../model/data-loss.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { NOTHING_MOUNTED_BELOW } from "../ssh/mounts.ts";
import { onHost, type Session } from "../ssh/session.ts";
import { orGiveUp } from "../ssh/unreachable.ts";

export interface DirectoryInputs {
  connection: Connection;
  /** Absolute path on the host; its parent is there. */
  path: string;
  /** Octal mode. */
  mode: string;
  /** Who it is made for, over all stacks; what another holds is never touched. */
  holder: string;
  /** Whose it is, for messages: `volume "data" of HostStore "scratch"`. */
  of: string;
  /** It may go with what is in it. */
  allowDataLoss: boolean;
}

interface Found {
  kind: "absent" | "directory" | "other";
  /** Octal. */
  mode: string;
  /** How many entries it has at its top, as far as they were counted. */
  entries: number;
  /** Who it was made for; empty when nobody noted it. */
  holder: string;
  /** It was not there before. */
  made: boolean;
  /** It is away with the file system that it was made on, which may only not be mounted. */
  away: boolean;
}

/*
 * Beside the directory nothing else tells whose it is: what is inside belongs to its users. A state that
 * was lost finds its data again by this note.
 */
const PRELUDE = `
notes=/var/lib/spillway/directories
note=$notes/$ID
`;

const LOOK = `${PRELUDE}
if [ -d "$DIRECTORY" ]; then
  entries=$(find "$DIRECTORY" -mindepth 1 -maxdepth 1 ! -name lost+found -printf . | head -c 1000 | wc -c)
  echo "directory $(stat -c %a "$DIRECTORY") $entries"
elif [ -e "$DIRECTORY" ] || [ -L "$DIRECTORY" ]; then echo other 0 0
else
  above=\${DIRECTORY%/*}
  until [ -d "$above" ]; do above=\${above%/*}; above=\${above:-/}; done
  echo "absent 0 0 $(stat -c %m "$above")"
fi
if [ -e "$note" ]; then cat "$note"; fi
`;

/** The note comes first: a directory that is ours and empty is made by a run that was cut. */
const MAKE = `${PRELUDE}
if [ ! -e "$note" ]; then
  if [ -e "$DIRECTORY" ]; then made=no; else made=yes; fi
  mkdir -p "$notes"
  printf '%s\\n%s\\n' "$HOLDER" "$made" >"$note.new"
  mv "$note.new" "$note"
elif [ "$(sed -n 1p "$note")" != "$HOLDER" ]; then
  { printf '%s\\n' "$HOLDER"; sed 1d "$note"; } >"$note.new"
  mv "$note.new" "$note"
fi
if [ ! -d "$DIRECTORY" ]; then mkdir "$DIRECTORY"; fi
chmod "$MODE" "$DIRECTORY"
if [ "$(sed -n 3p "$note")" = "" ]; then stat -c %m "$DIRECTORY" >>"$note"; fi
`;

const REMOVE = `${PRELUDE}${NOTHING_MOUNTED_BELOW}
if [ -d "$DIRECTORY" ]; then
  nothing_mounted_below "$DIRECTORY"
  find "$DIRECTORY" -xdev -mindepth 1 ! -name lost+found -delete
  if [ "$MADE" = yes ]; then rmdir "$DIRECTORY"; fi
fi
rm -f "$note"
rmdir "$notes" /var/lib/spillway 2>/dev/null || :
`;

const idOf = (path: string): string => createHash("sha256").update(path).digest("hex").slice(0, 32);

const valuesOf = ({ path }: DirectoryInputs) => ({ DIRECTORY: path, ID: idOf(path) });

async function look(session: Session, inputs: DirectoryInputs, context: Context): Promise<Found> {
  const script = { name: `look at ${inputs.path}`, text: LOOK, values: valuesOf(inputs), timeoutSeconds: 60 };
  const [facts = "", holder = "", made = "", disk = ""] = (await session.run(script, context)).split("\n");
  const [kind, mode = "", entries, mountPoint] = facts.split(" ");
  const away = kind === "absent" && disk !== "" && disk !== mountPoint;
  return { kind: kind as Found["kind"], mode, entries: Number(entries), holder, made: made === "yes", away };
}

const placeOf = ({ path, connection }: DirectoryInputs): string => `${path} on host ${connection.host}`;

/** Why a directory cannot become ours. @param former what we were called, as before a stack's new name */
function takeProblems(inputs: DirectoryInputs, found: Found, former = inputs.holder): Problem[] {
  const { path, holder } = inputs;
  const say = (what: string, remedy: string): Problem[] => [{ path, found: what, remedy }];
  if (!["", holder, former].includes(found.holder))
    return say(`${placeOf(inputs)} belongs to ${found.holder}`, "choose another directory");
  if (found.away)
    return say(
      `${placeOf(inputs)} is away with the disk that was mounted above it`,
      "mount that again; if it is lost for good, make the empty directory by hand",
    );
  if (found.kind === "other")
    return say(`${placeOf(inputs)} is no directory`, "move it away or choose another directory");
  if (found.holder === "" && found.entries > 0)
    return say(
      `${placeOf(inputs)} holds data that is not this volume's`,
      "move it away or choose another directory",
    );
  return [];
}

async function foresee(context: Context, inputs: DirectoryInputs, former?: string): Promise<void> {
  const found = await onHost(inputs.connection, context, (session) => look(session, inputs, context), {
    change: false,
  });
  refuse(inputs.of, takeProblems(inputs, found, former));
}

async function make(context: Context, inputs: DirectoryInputs, former?: string): Promise<void> {
  await onHost(inputs.connection, context, async (session) => {
    refuse(inputs.of, takeProblems(inputs, await look(session, inputs, context), former));
    const values = { ...valuesOf(inputs), HOLDER: inputs.holder, MODE: inputs.mode };
    const script = { name: `make ${inputs.path}`, text: MAKE, values, timeoutSeconds: 60 };
    await session.run(script, context);
  });
}

/** A directory for data, which goes only when it is empty or somebody has said that what is in it may go. */
export const directory: ResourceType<DirectoryInputs, Record<never, never>> = {
  token: "spillway:store:Directory",
  computed: [],
  words: ["allowDataLoss"],
  unfinishedId: ({ path }) => path,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["connection", "of"], replaceOn: ["path"] }),

  preview: (context, inputs) => foresee(context, inputs),
  previewUpdate: (context, old, inputs) => foresee(context, inputs, old.inputs.holder),

  async create(context, inputs) {
    await make(context, inputs);
    return { id: inputs.path, outputs: {} };
  },

  async read(context, old) {
    const { inputs } = old;
    const found = await onHost(inputs.connection, context, (session) => look(session, inputs, context), {
      change: false,
    });
    if (found.holder !== inputs.holder) return undefined;
    // As changed by others: the next update says what to do.
    if (found.away) return { inputs: { ...inputs, mode: "away" }, outputs: {} };
    if (found.kind !== "directory") return undefined;
    // Compared as numbers: 0755 is 755.
    const same = Number.parseInt(found.mode, 8) === Number.parseInt(inputs.mode, 8);
    return { inputs: { ...inputs, mode: same ? inputs.mode : found.mode.padStart(4, "0") }, outputs: {} };
  },

  async update(context, old, inputs) {
    await make(context, inputs, old.inputs.holder);
    return {};
  },

  async delete(context, { inputs }) {
    const { connection, path, of, allowDataLoss, holder } = inputs;
    const takeBack = () =>
      onHost(connection, context, async (session) => {
        const found = await look(session, inputs, context);
        // One that was refused because another holds it has put nothing there.
        if (found.holder !== holder) return;
        if (found.away && !allowDataLoss)
          refuse(of, [dataLossProblem(`${placeOf(inputs)} is away with the disk that was mounted above it`)]);
        if (found.entries > 0 && !allowDataLoss)
          refuse(of, [dataLossProblem(`${placeOf(inputs)} holds data (${entriesOf(found)})`)]);
        const values = { ...valuesOf(inputs), MADE: found.made ? "yes" : "no" };
        await session.run({ name: `remove ${path}`, text: REMOVE, values }, context);
      });
    await orGiveUp(context, takeBack);
  },
};

function entriesOf({ entries }: Found): string {
  if (entries === 1) return "1 entry at its top";
  return `${entries >= 1000 ? "1,000 or more" : entries} entries at its top`;
}
