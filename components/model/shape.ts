import * as z from "zod/mini";
import { nearest, quote } from "./names.ts";
import type { Problem } from "./problem.ts";

/** What an argument, or a part of one, is made of: a schema of the library that looks at it. */
export interface Shape {
  readonly def: {
    type?: string;
    innerType?: Shape;
    shape?: Record<string, Shape>;
    valueType?: Shape;
    element?: Shape;
  };
}

// Required ones may be absent here: what they mean is checked where it is known.
export const optional = (of: Shape): Shape => shaped(z.optional(schema(of)));
export const text = optional(shaped(z.string()));
export const number = optional(shaped(z.number()));
export const flag = optional(shaped(z.boolean()));
/** An `Input`, or a component: only the engine knows more. */
export const anything = optional(shaped(z.unknown()));
/** What cannot be looked into when it is absent. */
export const given = shaped(z.custom((value) => value !== undefined && value !== null));
/** No part of a list is absent. */
export const list = (of: Shape): Shape => shaped(z.array(schema(bare(of))));
export const map = (of: Shape): Shape => shaped(z.record(z.string(), schema(of)));
/** Named arguments and no others, so that a misspelt one is found. */
export const named = (fields: Record<string, Shape>): Shape =>
  shaped(z.strictObject(fields as unknown as Record<string, z.ZodMiniType>));

// The library's types are hundreds of lines in declarations, and users' compilers would need it.
function shaped(of: z.ZodMiniType): Shape {
  return of as unknown as Shape;
}

function schema(shape: Shape): z.ZodMiniType {
  return shape as unknown as z.ZodMiniType;
}

/**
 * What TypeScript would say of arguments, for those that came from configuration: a number for a
 * string, one name for a list of names, a misspelt key.
 */
export function shapeProblems(shape: Shape, value: unknown): Problem[] {
  const result = z.safeParse(schema(shape), value);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => {
    const path = pathOf(issue.path);
    const there = issue.path.reduce<unknown>((inside, key) => (inside as Values)?.[key as string], value);
    if (issue.code === "unrecognized_keys") return misspelt(path, issue.keys, namesAt(shape, issue.path));
    const expected = issue.code === "invalid_type" ? issue.expected : "value";
    return [{ path: path || "arguments", found: inWords(there), remedy: remedyFor(expected, there) }];
  });
}

/**
 * Everything wrong with arguments: with their shape, and with the meaning of what has its shape.
 *
 * @param meaning sees as empty what is misshapen, and is not believed about that
 */
export function argumentProblems<T>(shape: Shape, args: T, meaning: (args: T) => Problem[]): Problem[] {
  const misshapen = shapeProblems(shape, args);
  if (misshapen.length === 0) return meaning(args);
  if (!hasFoundation(shape, args)) return misshapen;
  const about = misshapen.flatMap(({ path, remedy }) => [path, ...meant(path, remedy)]);
  const others = meaning(wellShaped(shape, args)).filter(
    ({ path }) =>
      !about.some((one) => path === one || path.startsWith(`${one}.`) || path.startsWith(`${one}[`)),
  );
  return [...misshapen, ...others];
}

/** Without a component that they are about, or any names at all, arguments mean nothing. */
function hasFoundation(shape: Shape, args: unknown): boolean {
  const issues = z.safeParse(schema(shape), args).error?.issues ?? [];
  return issues.every(
    ({ code, path }) => code === "unrecognized_keys" || path.length > (code === "custom" ? 1 : 0),
  );
}

/** The argument that a misspelt one was to be. */
function meant(path: string, remedy: string): string[] {
  const name = /^did you mean (\w+)\?$/.exec(remedy)?.[1];
  return name ? [path.replace(/[^.]*$/, name)] : [];
}

/** Arguments of the right shape: those that were given, or a copy with nothing in the place of what is misshapen. */
export function wellShaped<T>(shape: Shape, args: T): T {
  const issues = z.safeParse(schema(shape), args).error?.issues ?? [];
  return issues
    .filter(({ code }) => code !== "unrecognized_keys")
    .reduce<T>((rest, { path }) => emptied(shape, rest, path) as T, args);
}

function emptied(shape: Shape | undefined, value: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  const { def } = bare(shape);
  if (key === undefined) return emptyOf(def);
  const inside = inOf(shape, key);
  const within = emptied(inside, (value as Values)[key as string], rest);
  // What a map or a list names is there, though nothing is known of it.
  const kept = within === undefined && !def.shape && bare(inside).def.type === "string" ? "" : within;
  if (!Array.isArray(value)) return { ...(value as Values), [key]: kept };
  return value.map((each: unknown, i) => (i === key ? kept : each));
}

/** Nothing, of a shape; what is required in it is there, and empty as well. */
function emptyOf({ shape, valueType, element }: Shape["def"]): unknown {
  if (element) return [];
  if (!shape) return valueType ? {} : undefined;
  const entries = Object.entries(shape).map(([name, of]) => [name, emptyOf(of.def)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
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
  return Object.keys(bare(path.reduce<Shape | undefined>(inOf, shape)).def.shape ?? {});
}

/** The shape of what stands under a key. */
function inOf(outer: Shape | undefined, key: PropertyKey): Shape | undefined {
  const { def } = bare(outer);
  return def.shape?.[key as string] ?? def.valueType ?? def.element;
}

/** A shape without the `optional` around it. */
function bare(shape: Shape | undefined): Shape {
  if (!shape) return { def: {} };
  return shape.def.innerType ? bare(shape.def.innerType) : shape;
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
