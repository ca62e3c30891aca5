import * as pulumi from "@pulumi/pulumi";
import { type Problem, Refusal } from "../model/problem.ts";

/*
 * A site or a registry that was refused by a throw would hide what is wrong with all that the program is
 * yet to build on it. It is held instead: the engine is never asked for it, nor for what hangs on it,
 * and the program goes on. A cluster or a store on it throws all problems at once; without one, or where
 * a program catches that, the run fails at its end by the same error.
 */

const refusals = new WeakMap<pulumi.Resource, Refusal>();

/** Why a component is held, if it is. */
export const refusalOf = (component: pulumi.Resource | undefined): Refusal | undefined =>
  component && refusals.get(component);

/** One error for what is wrong with something, and with the components that it is built on. */
export function refusalFor(
  subject: string,
  problems: readonly Problem[],
  ...on: (pulumi.Resource | undefined)[]
): Refusal | undefined {
  const known = on.map(refusalOf).find((refusal) => refusal !== undefined);
  if (problems.length === 0) return known;
  return known?.add(subject, problems) ?? new Refusal(subject, problems);
}

/** Throws a `Refusal` when there are problems, here or in the components that something is built on. */
export function refuseOn(...args: Parameters<typeof refusalFor>): void {
  const refusal = refusalFor(...args);
  if (refusal) throw refusal;
}

/** Options of a component that may be held: a failed dependency keeps it, and its children, from the engine. */
export function unlessHeld(
  refusal: Refusal | undefined,
  opts?: pulumi.ComponentResourceOptions,
): pulumi.ComponentResourceOptions | undefined {
  return refusal ? { ...opts, dependsOn: Promise.reject<pulumi.Resource>(refusal) } : opts;
}

/** What a held component cannot say. */
export const unsaid = (refusal: Refusal): pulumi.Output<never> =>
  pulumi.output(Promise.reject<never>(refusal));

/** Lets what is built on a component know why it is held. */
export function hold(component: pulumi.Resource, refusal: Refusal | undefined): void {
  if (refusal) refusals.set(component, refusal);
}
