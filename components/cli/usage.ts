import type { ParseArgsConfig } from "node:util";

/** What was typed cannot be understood; exit code 2. */
export class UsageError extends Error {}

/** What `parseArgs` made of the options. */
export type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export type Answer = string | { text: string; code: number };

/** One command. */
export interface Command {
  /** Its lines in the help. */
  usage: string;
  options: NonNullable<ParseArgsConfig["options"]>;
  /** Returns what is printed; with an exit code where that is not 0. */
  run(values: Values, words: readonly string[]): Answer | Promise<Answer>;
}

/** Refuses words that a command has no use for. */
export function noMore(words: readonly string[]): void {
  if (words.length > 0) throw new UsageError(`${JSON.stringify(words[0])} is one word too many`);
}
