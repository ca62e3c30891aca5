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

/**
 * Makes a run fail at its cut, then runs it again: it must come to its end and leave nothing to do.
 *
 * @param midway looks at what the first run said and left
 */
export async function cutAndFinish(
  lab: FaultLab,
  { from, to, cut }: Case,
  midway: (said: string) => void | Promise<void> = () => {},
): Promise<Outcome> {
  const began = Date.now();
  const problems: string[] = [];
  const check = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  await lab.arm(cut);
  const running = lab.launch(to);
  const power = cut.mode === "power" && (await lab.powerCutDuring(running, cut.host));
  const { code, text } = await running.end;
  // What is held to the end of a run, as the lock is, ends after it.
  const held =
    code === 0 && cut.mode === "after" && typeof cut.at === "number" && (await lab.count(cut.host)) >= cut.at;
  const happened = power || held || (await lab.isCut(cut));
  const said = new RegExp(
    `host ${cut.host}, ([^:\\n]+): [^]*?\\n(?=\\n|  \\S)|hosts\\.${cut.host}: .*|(worker|control plane member) \\S+: .*|(no quorum) answers .*`,
  ).exec(text.slice(Math.max(0, text.indexOf("Diagnostics:"))));
  const step = said
    ? (said[1] ?? said[2] ?? said[3] ?? "preflight")
    : code === 0
      ? "(the run came to its end)"
      : "?";
  if (!happened) problems.push(`no command on ${cut.host} was cut at ${cut.at}`);
  if (code !== 0 && said === null) problems.push(`no error names host and step:\n${text}`);
  else if (code !== 0 && !/again/.test(said![0])) problems.push(`no word on how to go on: ${said![0]}`);
  if (/\bat .*\.(js|ts):\d+/.test(text)) problems.push(`a stack trace:\n${text}`);
  await check(async () => midway(text));
  await lab.arm();
  await check(async () => void (await lab.succeed(to)));
  await check(() => lab.mustBeSettled(to));
  if (to === "cluster") await check(() => lab.mustBeReady());
  if (to === "store") await check(() => lab.mustBeMounted());
  return { from, to, cut, step, problems, seconds: Math.round((Date.now() - began) / 1000) };
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
