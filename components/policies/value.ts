/** In place of a value that a preview does not know yet: it breaks no rule and meets none. */
export const UNKNOWN = Symbol("unknown");

export type Properties = Record<string, unknown>;

export const isKnown = (value: unknown): boolean => value !== UNKNOWN;

/** Nothing was said: neither a value nor one that is not known yet. */
export const isAbsent = (value: unknown): boolean => value === undefined || value === null;

/** The object at a place; an empty one when there is none. */
export function objectOf(value: unknown): Properties {
  return isObject(value) ? value : {};
}

export function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The list at a place; an empty one when there is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A switch as programs and files write it: `"true"` is true as well. */
export function isTrue(value: unknown): boolean {
  return value === true || (typeof value === "string" && value.toLowerCase() === "true");
}

/** Whether a value that must be false is known to be anything else; nothing said counts as false. */
export const isOn = (value: unknown): boolean => isKnown(value) && !isAbsent(value) && !isFalse(value);

export function isFalse(value: unknown): boolean {
  return value === false || (typeof value === "string" && value.toLowerCase() === "false");
}

/** A whole number, also where a file has it as text. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d+$/.test(value.trim()) ? Number(value) : undefined;
}

/** The value at a path of keys; what lies below an unknown one is unknown. */
export function at(value: unknown, ...keys: (string | number)[]): unknown {
  let found = value;
  for (const key of keys) {
    if (found === UNKNOWN) return UNKNOWN;
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}

/** Every value in a tree that holds no others, with its path. */
export function* leaves(value: unknown, path = ""): Generator<{ path: string; value: unknown }> {
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) yield* leaves(each, `${path}[${i}]`);
  } else if (isObject(value)) {
    for (const [key, each] of Object.entries(value))
      yield* leaves(each, path === "" ? key : `${path}.${key}`);
  } else {
    yield { path, value };
  }
}
