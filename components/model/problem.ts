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

/** Thrown before any resource exists; carries every problem, not the first. */
export class Refusal extends Error {
  readonly problems: readonly Problem[];
  /** By this mark Pulumi tells an error that is for the user: it shows the message and no stack. */
  declare readonly __pulumiRunError: true;

  constructor(subject: string, problems: readonly Problem[]) {
    const lines = problems.map(describe);
    super(
      lines.length === 1
        ? `${subject}: ${lines[0]}`
        : `${subject}: ${lines.length} problems\n  ${lines.join("\n  ")}`,
    );
    this.name = "Refusal";
    this.problems = problems;
    Object.defineProperty(this, "__pulumiRunError", { value: true });
  }
}

/** Throws a `Refusal` when there are problems. */
export function refuse(subject: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw new Refusal(subject, problems);
}

/** What went wrong, in words, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
