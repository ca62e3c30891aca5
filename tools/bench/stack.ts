import { type Ended, Stack, type StackArgs } from "../../test/lab/stack.ts";
import { later } from "./tidy.ts";

/** A stack of the bench's own on the real engine, whose end is noted. */
export function benchStack(args: StackArgs): Stack {
  const stack = new Stack(args);
  later(() => stack.remove());
  return stack;
}

/** Runs a Pulumi command that has to succeed, and gives its seconds. */
export async function pulumi(stack: Stack, ...args: string[]): Promise<number> {
  return mustEnd(await stack.run(args)).seconds;
}

export function mustEnd(ended: Ended): Ended {
  if (ended.code !== 0) throw new Error(`pulumi ended with code ${ended.code}:\n${ended.text.slice(-4000)}`);
  return ended;
}

/** `up` that asks nothing. */
export const UP = ["up", "--yes", "--skip-preview"];
