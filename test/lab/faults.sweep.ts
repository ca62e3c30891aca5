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

export const modes: readonly Mode[] = ["before", "after", "power"];

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
  /** How often the power was cut. */
  powerCuts: number;
  step: string;
  problems: string[];
}

async function cutOnce(lab: FaultLab, { to, cut }: Case): Promise<CutRun> {
  const problems: string[] = [];
  await lab.arm(cut);
  const running = lab.launch(to);
  const powerCuts = cut.mode === "power" ? await lab.powerCutsDuring(running, cut.host) : 0;
  const { code, text } = await running.end;
  const finished = code === 0;
  // What is held to the end of a run, as the lock is, ends after it.
  const held =
    finished && cut.mode === "after" && typeof cut.at === "number" && (await lab.count(cut.host)) >= cut.at;
  const happened = powerCuts > 0 || held || (await lab.isCut(cut));
  const said = new RegExp(
    `host ${cut.host}, ([^:\\n]+): [^]*?\\n(?=\\n|  \\S)|hosts\\.${cut.host}: .*|(worker|control plane member) \\S+: .*|(no quorum) answers .*`,
  ).exec(text.slice(Math.max(0, text.indexOf("Diagnostics:"))));
  const failed = said ? (said[1] ?? said[2] ?? said[3] ?? "preflight") : "?";
  if (!finished && said === null) problems.push(`no error names host and step:\n${text}`);
  else if (!finished && !/again/.test(said![0])) problems.push(`no word on how to go on: ${said![0]}`);
  if (/\bat .*\.(js|ts):\d+/.test(text)) problems.push(`a stack trace:\n${text}`);
  const step = finished ? "(the run came to its end)" : failed;
  return { text, finished, happened, powerCuts, step, problems };
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
 * way: a run goes on from the last, and is cut at the first command that was not cut before; where it outlives
 * that, as it does most cuts of the power, at the next as well.
 *
 * @param only these ways of going wrong. @default all
 */
export async function sweepInChains(
  lab: FaultLab,
  [low, high]: [Extent, Extent],
  { only = modes, note = (_: Outcome) => {} }: { only?: readonly Mode[]; note?: (outcome: Outcome) => void },
): Promise<Outcome[]> {
  await lab.succeed(low);
  const before = await inventories(lab);
  const up = await commandsOf(lab, high);
  const down = await commandsOf(lab, low);
  const outcomes: Outcome[] = [];
  for (const mode of only) {
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
  const left = new Set(cuttable(given, mode));
  await lab.plan(host, [...left]);
  const outcomes: Outcome[] = [];
  for (let anew = true, over = false; !over; ) {
    const began = Date.now();
    const cut = { host, mode, at: "next" };
    const { finished, happened, powerCuts, text, problems, step } = await cutOnce(lab, { from, to, cut });
    const chosen = await lab.chosen(host);
    await lab.passChosen(host);
    const fresh = chosen.filter((command) => left.delete(command)).length > 0;
    const cuts = mode === "power" ? powerCuts : Number(happened);
    if (cuts !== chosen.length) problems.push(`cut ${cuts} times, not once at each of: ${chosen.join()}`);
    if (!finished && !happened) problems.push(`failed without a cut:\n${text}`);
    over = left.size === 0 || (!fresh && (anew || !finished));
    if (over) problems.push(...[...left].map((command) => `never given, or done beside another: ${command}`));
    if (finished || over) problems.push(...(await finish(lab, to)));
    // What no run that went on has given is given by one from the beginning.
    anew = finished;
    if (finished && !over) await lab.succeed(from);
    outcomes.push({
      from,
      to,
      cut,
      step: chosen.join(`\n${" ".repeat(46)}`) || step,
      problems,
      seconds: secondsSince(began),
    });
    note(outcomes.at(-1)!);
  }
  return outcomes;
}

/** What of a clean run's commands can be cut. */
function cuttable(given: readonly string[], mode: Mode): string[] {
  return given.filter(
    (command) =>
      // Files go side by side: with the first that is cut, others are there.
      (!command.startsWith("upload ") || command.endsWith(", 1")) &&
      // The lock's command ends with its run.
      (mode !== "after" || !command.startsWith("lock ")),
  );
}

/** The commands that a clean run gives each host, a line each. */
async function commandsOf(lab: FaultLab, to: Extent): Promise<Record<string, string[]>> {
  await lab.note();
  await lab.succeed(to);
  const entries = FaultLab.hosts.map(async (host) => [host, await lab.given(host)] as const);
  const commands = Object.fromEntries(await Promise.all(entries));
  if (Object.values(commands).flat().length === 0) throw new Error(`no host was given a command to ${to}`);
  return commands;
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
