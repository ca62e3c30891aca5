import { type Cut, type Extent, FaultLab, type Mode } from "./faults.ts";

/** One cut, on the way from one extent to another. */
export interface Case {
  from: Extent;
  to: Extent;
  cut: Cut;
}

export interface Outcome extends Case {
  /** What the engine said was being done on the host. */
  step: string;
  /** What was wrong; nothing when all went as it must. */
  problems: string[];
  seconds: number;
}

const modes: readonly Mode[] = ["before", "after", "power"];

/** Every case of one direction, by what a clean run counted. */
export function casesOf(from: Extent, to: Extent, counts: Record<string, number>): Case[] {
  return Object.entries(counts).flatMap(([host, count]) =>
    Array.from({ length: count }, (_, i) => i + 1).flatMap((k) =>
      modes.map((mode) => ({ from, to, cut: { host, at: k, mode } })),
    ),
  );
}

/** A run that was armed with a cut. */
interface CutRun {
  /** What it said. */
  text: string;
  finished: boolean;
  happened: boolean;
  step: string;
  problems: string[];
}

async function cutOnce(lab: FaultLab, { to, cut }: Case): Promise<CutRun> {
  const problems: string[] = [];
  await lab.arm(cut);
  const running = lab.launch(to);
  const power = cut.mode === "power" && (await lab.powerCutDuring(running, cut.host));
  const { code, text } = await running.end;
  const finished = code === 0;
  // What is held to the end of a run, as the lock is, ends after it.
  const held =
    finished && cut.mode === "after" && typeof cut.at === "number" && (await lab.count(cut.host)) >= cut.at;
  const happened = power || held || (await lab.isCut(cut));
  const said = new RegExp(
    `host ${cut.host}, ([^:\\n]+): [^]*?\\n(?=\\n|  \\S)|hosts\\.${cut.host}: .*|(worker|control plane member) \\S+: .*|(no quorum) answers .*`,
  ).exec(text.slice(Math.max(0, text.indexOf("Diagnostics:"))));
  const failed = said ? (said[1] ?? said[2] ?? said[3] ?? "preflight") : "?";
  if (!finished && said === null) problems.push(`no error names host and step:\n${text}`);
  else if (!finished && !/again/.test(said![0])) problems.push(`no word on how to go on: ${said![0]}`);
  if (/\bat .*\.(js|ts):\d+/.test(text)) problems.push(`a stack trace:\n${text}`);
  return { text, finished, happened, step: finished ? "(the run came to its end)" : failed, problems };
}

/** What is wrong when a run, now uncut, goes on to its end. */
async function finish(lab: FaultLab, to: Extent): Promise<string[]> {
  await lab.arm();
  return problemsOf(
    async () => void (await lab.succeed(to)),
    () => lab.mustBeSettled(to),
    async () => {
      if (to === "cluster") await lab.mustBeReady();
      if (to === "store") await lab.mustBeMounted();
    },
  );
}

async function problemsOf(...checks: (() => void | Promise<void>)[]): Promise<string[]> {
  const problems: string[] = [];
  for (const check of checks) {
    try {
      await check();
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  return problems;
}

/**
 * Makes a run fail at its cut, then runs it again: it must come to its end and leave nothing to do.
 *
 * @param midway looks at what the first run said and left
 */
export async function cutAndFinish(
  lab: FaultLab,
  way: Case,
  midway: (said: string) => void | Promise<void> = () => {},
): Promise<Outcome> {
  const began = Date.now();
  const { text, happened, step, problems } = await cutOnce(lab, way);
  const { host, at } = way.cut;
  if (!happened) problems.push(`no command on ${host} was cut at ${at}`);
  problems.push(...(await problemsOf(() => midway(text))), ...(await finish(lab, way.to)));
  return { ...way, step, problems, seconds: secondsSince(began) };
}

/**
 * Goes up and down between two extents for each host and mode until every command of the host was cut on the
 * way: a run goes on from the last, and is cut at the first command that was not cut before.
 */
export async function sweepInChains(
  lab: FaultLab,
  [low, high]: [Extent, Extent],
  note: (outcome: Outcome) => void = () => {},
): Promise<Outcome[]> {
  await lab.succeed(low);
  const before = await inventories(lab);
  const up = await commandsOf(lab, high);
  const down = await commandsOf(lab, low);
  const outcomes: Outcome[] = [];
  for (const mode of modes) {
    for (const host of FaultLab.hosts) {
      const ups = await chain(lab, { from: low, to: high, host, mode }, up[host]!, note);
      const downs = await chain(lab, { from: high, to: low, host, mode }, down[host]!, note);
      const last = downs.at(-1)!;
      last.problems.push(...(await leftovers(lab, before)));
      if (last.problems.length > 0) note(last);
      outcomes.push(...ups, ...downs);
    }
  }
  return outcomes;
}

interface Chain {
  from: Extent;
  to: Extent;
  host: string;
  mode: Mode;
}

async function chain(
  lab: FaultLab,
  { from, to, host, mode }: Chain,
  given: readonly string[],
  note: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const commands = cuttable(given, mode);
  await lab.plan(host, commands);
  const outcomes: Outcome[] = [];
  for (let left = commands; ; ) {
    const began = Date.now();
    const cut = { host, mode, at: "next" };
    const run = await cutOnce(lab, { from, to, cut });
    const { finished, happened, text, problems } = run;
    const cuts = await lab.cuts(host);
    const step = happened ? `${cuts.at(-1)}${finished ? ", and the run came to its end" : ""}` : run.step;
    if (!finished && !happened) problems.push(`failed without a cut:\n${text}`);
    const begunWith = left;
    left = without(commands, cuts);
    const over = left.length === 0 || left.length === begunWith.length;
    if (over) problems.push(...left.map((command) => `was not cut: ${command}`));
    if (finished || over) problems.push(...(await finish(lab, to)));
    // What a finished run did not give, or was over when it was cut, the way from its beginning gives again.
    if (finished && !over) await lab.succeed(from);
    const outcome = { from, to, cut, step, problems, seconds: secondsSince(began) };
    outcomes.push(outcome);
    note(outcome);
    if (over) return outcomes;
  }
}

/** What of a clean run's commands can be cut, each as often as it is there. */
function cuttable(given: readonly string[], mode: Mode): string[] {
  return given.filter((command, i) => {
    // Files go side by side: with the first that is cut, others are there.
    if (command.startsWith("upload ")) return given.indexOf(command) === i;
    // The lock's command ends with its run.
    return mode !== "after" || !command.startsWith("lock ");
  });
}

/** Takes each of some lines away once. */
function without(lines: readonly string[], taken: readonly string[]): string[] {
  const left = [...lines];
  for (const line of taken) left.splice(left.indexOf(line), 1);
  return left;
}

/** The commands that a clean run gives each host, a line each. */
async function commandsOf(lab: FaultLab, to: Extent): Promise<Record<string, string[]>> {
  await lab.note();
  await lab.succeed(to);
  const entries = FaultLab.hosts.map(async (host) => [host, await lab.given(host)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function secondsSince(began: number): number {
  return Math.round((Date.now() - began) / 1000);
}

/** What of the platform is still on the hosts. */
export async function leftovers(lab: FaultLab, before: Record<string, readonly string[]>): Promise<string[]> {
  const changes = await Promise.all(
    FaultLab.hosts.map(async (host) =>
      (await lab.changesSince(host, before[host]!)).map((change) => `left on ${host}: ${change}`),
    ),
  );
  return changes.flat();
}

export async function inventories(lab: FaultLab): Promise<Record<string, string[]>> {
  const entries = FaultLab.hosts.map(async (host) => [host, await lab.inventory(host)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** Commands that a clean run gives each host. */
export async function countsOf(lab: FaultLab, to: Extent): Promise<Record<string, number>> {
  await lab.arm();
  await lab.succeed(to);
  const entries = FaultLab.hosts.map(async (host) => [host, await lab.count(host)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * Goes up and down between two extents, each way cut once, until every case of both ways was had.
 *
 * @param every takes only each so manieth case. @default 1
 */
export async function sweep(
  lab: FaultLab,
  [low, high]: [Extent, Extent],
  { every = 1, first = 0, note = (_: Outcome) => {} } = {},
): Promise<Outcome[]> {
  await lab.succeed(low);
  const before = await inventories(lab);
  const chosen = (cases: Case[]) => cases.filter((_, i) => i % every === first);
  const ups = chosen(casesOf(low, high, await countsOf(lab, high)));
  const downs = chosen(casesOf(high, low, await countsOf(lab, low)));
  const outcomes: Outcome[] = [];
  for (let i = 0; i < Math.max(ups.length, downs.length); i++) {
    const up = ups[i] && (await cutAndFinish(lab, ups[i]!));
    if (!up) await lab.succeed(high);
    const down = downs[i] && (await cutAndFinish(lab, downs[i]!));
    if (!down) await lab.succeed(low);
    const last = (down ?? up)!;
    last.problems.push(...(await leftovers(lab, before)));
    for (const outcome of [up, down]) {
      if (!outcome) continue;
      outcomes.push(outcome);
      note(outcome);
    }
  }
  return outcomes;
}

/** One line of the table. */
export function row({ from, to, cut, step, problems, seconds }: Outcome): string {
  const how = `${from} -> ${to}`.padEnd(20);
  const where = `${cut.host} ${cut.mode} ${cut.at}`.padEnd(14);
  return `${how} ${where} ${`${seconds} s`.padStart(6)}  ${problems.length === 0 ? "ok " : "BAD"} ${step}`;
}
