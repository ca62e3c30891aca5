import * as z from "zod/mini";
import { nearest, quote } from "./names.ts";
import type { Problem } from "./problem.ts";

/** What arguments are made of. Required ones may be absent here: what they mean is checked where it is known. */
export const text = z.optional(z.string());
export const number = z.optional(z.number());
export const flag = z.optional(z.boolean());
/** An `Input`, or a component: only the engine knows more. */
export const anything = z.optional(z.unknown());
/** What cannot be looked into when it is absent. */
export const given = z.custom((value) => value !== undefined && value !== null);
export const list = <T extends z.ZodMiniType>(of: T) => z.array(of);
export const map = <T extends z.ZodMiniType>(of: T) => z.record(z.string(), of);
export const optional = z.optional;
/** Named arguments and no others, so that a misspelt one is found. */
export const named = z.strictObject;

type Shape = z.ZodMiniType;

/**
 * What TypeScript would say of arguments, for those that came from configuration: a number for a
 * string, one name for a list of names, a misspelt key.
 */
export function shapeProblems(shape: Shape, value: unknown): Problem[] {
  const result = z.safeParse(shape, value);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => {
    const path = pathOf(issue.path);
    const there = issue.path.reduce<unknown>((inside, key) => (inside as Values)?.[key as string], value);
    if (issue.code === "unrecognized_keys") return misspelt(path, issue.keys, namesAt(shape, issue.path));
    const expected = issue.code === "invalid_type" ? issue.expected : "value";
    return [{ path: path || "arguments", found: inWords(there), remedy: remedyFor(expected, there) }];
  });
}

type Values = Record<string, unknown>;

function misspelt(path: string, keys: readonly string[], known: string[]): Problem[] {
  return keys.map((key) => {
    const near = nearest(key, known);
    const remedy = near ? `did you mean ${near}?` : `give one of ${known.join(", ")}`;
    return { path: path ? `${path}.${key}` : key, found: "there is no such argument", remedy };
  });
}

/** Arguments that the shape has where an unknown one was found. */
function namesAt(shape: Shape, path: readonly PropertyKey[]): string[] {
  const inside = path.reduce<Shape | undefined>((outer, key) => {
    const { def } = bare(outer);
    return (def.shape?.[key as string] ?? def.valueType ?? def.element) as Shape | undefined;
  }, shape);
  return Object.keys(bare(inside).def.shape ?? {});
}

interface Definition {
  def: {
    innerType?: Shape;
    shape?: Record<string, Shape>;
    valueType?: Shape;
    element?: Shape;
  };
}

/** A shape without the `optional` around it. */
function bare(shape: Shape | undefined): Definition {
  const definition = shape as unknown as Definition | undefined;
  if (!definition) return { def: {} };
  return definition.def.innerType ? bare(definition.def.innerType) : definition;
}

function inWords(value: unknown): string {
  if (value === undefined || value === null) return "nothing is given";
  if (Array.isArray(value)) return "it is a list";
  if (typeof value === "object") return "it is a map of names to values";
  if (typeof value === "string") return `${quote(value)} is a string`;
  return `${String(value)} is a ${typeof value}`;
}

function remedyFor(expected: string, found: unknown): string {
  const quoted = typeof found === "number" || typeof found === "boolean" ? `"${found}"` : '"..."';
  const remedies: Record<string, string> = {
    string: `give a string, in quotes: ${quoted}`,
    number: "give a number, without quotes",
    boolean: "give true or false, without quotes",
    array: typeof found === "string" ? `give a list: [${found}]` : "give a list, such as [a, b]",
    object: "give named values, such as { name: value }",
    record: "give named values, such as { name: value }",
  };
  return remedies[expected] ?? "give one";
}

/** `hosts.w1.labels`, `pools.general.hosts[1]`. */
function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? String(key) : `.${String(key)}`))
    .join("");
}
