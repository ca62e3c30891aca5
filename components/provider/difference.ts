import type { Difference } from "./resource.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Pulumi's property path: `files["/etc/hosts"].content`, `hosts[2]`. */
function join(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path ? `${path}.${key}` : key;
}

/** Paths at which two plain values differ, the deepest ones. */
export function differingPaths(before: unknown, after: unknown, path = ""): string[] {
  if (Object.is(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    const longest = Math.max(before.length, after.length);
    return Array.from({ length: longest }).flatMap((_, i) =>
      differingPaths(before[i], after[i], join(path, i)),
    );
  }
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => differingPaths(before[key], after[key], join(path, key)));
  }
  return [path];
}

/** The first name of a property path: `files` of `files["/etc/hosts"].mode`. */
export const firstName = (path: string): string => /^[^.[]*/.exec(path)![0];

/**
 * Compares inputs. How a host is reached is no part of what is on it: a new key or address of the
 * same host changes nothing there, and the engine keeps the new inputs all the same.
 */
export function differenceOf(
  before: object,
  after: object,
  options: { ignore?: readonly string[]; replaceOn?: readonly string[] } = {},
): Difference {
  const ignored = new Set(options.ignore ?? ["connection"]);
  const paths = differingPaths(before, after).filter((path) => !ignored.has(firstName(path)));
  return { paths, replace: paths.filter((path) => options.replaceOn?.includes(firstName(path))) };
}
