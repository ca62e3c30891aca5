import type { Control } from "../../control.ts";
import { documentsOf, Unreadable } from "../../documents.ts";
import { join } from "../../pods.ts";
import type { Finding } from "../../resource.ts";
import type { Settings } from "../../settings.ts";
import {
  at,
  isAbsent,
  isFalse,
  isKnown,
  isObject,
  isOn,
  isTrue,
  type Properties,
  textOf,
  UNKNOWN,
} from "../../value.ts";

/** A value and where it is, below the resource's properties. */
export interface Place {
  path: string;
  value: unknown;
}

/** Looks at the properties of one type of resource. */
export type Finder = (props: Properties, settings: Settings) => Iterable<Finding>;

/** One control for several clouds: what to look at, by the type's token. */
export function cloudControl(
  about: Omit<Control, "find" | "types">,
  finders: Readonly<Record<string, Finder>>,
): Control {
  const byType = new Map(Object.entries(finders));
  return {
    ...about,
    types: [...byType.keys()],
    *find({ type, props }, settings) {
      const find = byType.get(withoutVersion(type));
      if (find) yield* find(props, settings);
    },
  };
}

const AZURE = /^azure-native(?:_\w+)?:([^/:]+)(?:\/[^:]+)?:(\w+)$/;

/** Tokens of Azure's own API may name its version, in the module or in the package's name. */
export function withoutVersion(type: string): string {
  const match = AZURE.exec(type);
  return match ? `azure-native:${match[1]}:${match[2]}` : type;
}

/** The same look at several types. */
export const forTypes = (types: readonly string[], find: Finder): Record<string, Finder> =>
  Object.fromEntries(types.map((type) => [type, find]));

/**
 * A component whose resources are judged themselves. Local components register no inputs: then there is
 * nothing to say of the component.
 */
export const component =
  (find: Finder): Finder =>
  (props, settings) =>
    Object.keys(props).length === 0 ? [] : find(props, settings);

/** Where a cluster of Pulumi's own component says what its nodes are. */
export const nodesOfEks = (props: Properties): Place[] => [
  whole(props),
  part(whole(props), "nodeGroupOptions"),
];

/** AKS Automatic sets workload identity, network policies and upgrades by itself. */
export function mayBeAutomatic(props: Properties): boolean {
  const name = get(props, "sku.name");
  return !isKnown(name) || textOf(name)?.toLowerCase() === "automatic";
}

/** The value at a dotted path. */
export const get = (value: unknown, path: string): unknown => at(value, ...path.split("."));

/** Each of a list at a dotted path, with its own path; what is no list is one of it, as in some providers' versions. */
export function items(place: Place, key: string): Place[] {
  const { value, path } = part(place, key);
  if (!isKnown(value) || isAbsent(value)) return [];
  if (!Array.isArray(value)) return [{ path, value }];
  return value.map((each, i) => ({ path: `${path}[${i}]`, value: each }));
}

/** Nothing of a resource is above its properties. */
export const whole = (value: unknown): Place => ({ path: "", value });

/** A part of a place, known or not. */
export const part = ({ value, path }: Place, key: string): Place => ({
  path: join(path, key),
  value: get(value, key),
});

/** Neither a value nor anything in it: an empty list or text, a list or an object of nothing. */
export function isEmpty(value: unknown): boolean {
  if (isAbsent(value) || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.values(value).every(isAbsent);
}

export const NOTHING_SAID = "nothing is said";

/** A switch that has to be on, and is off where nothing is said. */
export function* mustBeOn(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (!isKnown(value) || isTrue(value)) return;
  yield isAbsent(value) ? { path, what: NOTHING_SAID } : { path };
}

/** A switch that has to be off, and is off where nothing is said. */
export function* mustBeOff(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (isOn(value)) yield { path };
}

/** A switch that may not be off by name; where nothing is said, it is on or somebody else's to say. */
export function* mustNotBeOff(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (isFalse(value)) yield { path };
}

/** Something that has to be there. */
export function* mustBeThere(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (isKnown(value) && isEmpty(value)) yield { path, what: NOTHING_SAID };
}

/** One of a few words, in whichever case; where nothing is said, it is `otherwise`. */
export function* mustBeOneOf(
  place: Place,
  key: string,
  wanted: readonly string[],
  otherwise?: string,
): Generator<Finding> {
  const { value, path } = part(place, key);
  const said = isAbsent(value) ? otherwise : value;
  if (!isKnown(said) || wanted.some((word) => word.toLowerCase() === textOf(said)?.toLowerCase())) return;
  yield isAbsent(value) ? { path, what: NOTHING_SAID } : { path };
}

/** The first of several keys that is said; providers rename them. The first of all where none is. */
export function said(place: Place, ...keys: readonly string[]): string {
  return keys.find((key) => !isAbsent(get(place.value, key))) ?? keys[0]!;
}

/** What is known to be on, or may be: it excuses what depends on it. */
export const mayBeOn = (value: unknown): boolean => value === UNKNOWN || isTrue(value);

/** A value that a file or a program has as JSON text; `undefined` where it cannot be read. */
export function jsonOf(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

/** The same of JSON or YAML. */
export function documentOf(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    const documents = documentsOf(value);
    return documents.length === 1 ? documents[0] : undefined;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}
