/** One thing wrong with what the user wrote: where, what was found, what to do. */
export interface Problem {
  /** Path of the argument, such as `pools.general.hosts[1]`. */
  path: string;
  /** What was found there. Never quotes a secret. */
  found: string;
  /** What to do about it. */
  remedy: string;
}

/** One line a problem: `network.range: "10.0.0.0/33" is no CIDR range; give one such as 10.0.0.0/16`. */
export function describe({ path, found, remedy }: Problem): string {
  return `${path}: ${found}; ${remedy}`;
}

/** Problems of one thing that the user wrote. */
interface Part {
  /** What it is, such as `Site "paris"`. */
  subject: string;
  problems: readonly Problem[];
}

/** Thrown before any resource exists; carries every problem, not the first. */
export class Refusal extends Error {
  readonly #parts: Part[] = [];
  /** By this mark Pulumi tells an error that is for the user: it shows the message and no stack. */
  declare readonly __pulumiRunError: true;

  constructor(subject: string, problems: readonly Problem[]) {
    super(messageFor([{ subject, problems }]));
    this.name = "Refusal";
    this.add(subject, problems);
    Object.defineProperty(this, "__pulumiRunError", { value: true });
    // Pulumi writes into an error's message through which inputs of which resources it came.
    Object.defineProperty(this, "message", { get: () => messageFor(this.#parts), set: () => {} });
  }

  get problems(): readonly Problem[] {
    return this.#parts.flatMap(({ problems }) => problems);
  }

  /** The same error with the problems of another thing: whoever reads it later reads them all. */
  add(subject: string, problems: readonly Problem[]): this {
    if (problems.length > 0) this.#parts.push({ subject, problems });
    return this;
  }
}

function messageFor(parts: readonly Part[]): string {
  const lines = parts.flatMap(({ subject, problems }) =>
    problems.map((problem) => ({ subject, line: describe(problem) })),
  );
  const [first] = lines;
  if (lines.length === 1) return `${first!.subject}: ${first!.line}`;
  const count = `${lines.length} problems`;
  return parts.length === 1
    ? [`${first!.subject}: ${count}`, ...lines.map(({ line }) => line)].join("\n  ")
    : [count, ...lines.map(({ subject, line }) => `${subject}: ${line}`)].join("\n  ");
}

/** Throws a `Refusal` when there are problems. */
export function refuse(subject: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw new Refusal(subject, problems);
}

/** What went wrong, in words, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
