import { readFile } from "node:fs/promises";
import { documentsOf, Unreadable } from "./documents.ts";
import { objectsOf } from "./pods.ts";
import { kubernetesOf, kubernetesType, type Resource, tokenOf } from "./resource.ts";
import { at, isObject, type Properties } from "./value.ts";

export { documentsOf, Unreadable };

/**
 * The resources that a file holds: documents of Kubernetes in YAML or JSON, and `{type, name, props}` as
 * Pulumi has them, alone or in a list.
 *
 * @throws Unreadable that says what is wrong with it
 */
export async function resourcesOf(path: string): Promise<Resource[]> {
  return documentsOf(await readFile(path, "utf8")).flatMap((document) => resourcesIn(document));
}

function resourcesIn(value: unknown): Resource[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap(resourcesIn);
  if (!isObject(value)) throw new Unreadable("neither an object of Kubernetes nor {type, name, props}");
  // A file may be both to its two readers.
  const found = [...asPulumi(value), ...asKubernetes(value)];
  if (found.length > 0) return found;
  throw new Unreadable("neither an object of Kubernetes (apiVersion, kind) nor {type, name, props}");
}

function asPulumi(value: Properties): Resource[] {
  const { type, name, props } = value;
  if (typeof type !== "string" || !isObject(props)) return [];
  const timeouts = timeoutsOf(at(value.options ?? value.opts, "customTimeouts"));
  const own = { type, name: typeof name === "string" ? name : nameOf(props), props, timeouts };
  return [own, ...(INLINE.test(type) ? madeBy(props) : [])];
}

/** Whose children hold what they are made of in texts and objects; an engine shows each child by itself. */
const INLINE = /^kubernetes:yaml(?:\/v2)?:ConfigGroup$/;

const madeBy = ({ yaml, objs }: Properties): Resource[] =>
  [...[yaml].flat().flatMap((text) => (typeof text === "string" ? documentsOf(text) : [])), objs].flatMap(
    resourcesIn,
  );

const OPERATIONS = ["create", "update", "delete"] as const;

/** Times as a resource's options have them; what is not said has no limit. */
function timeoutsOf(said: unknown): Resource["timeouts"] {
  if (!isObject(said)) return undefined;
  const [create, update, deletion] = OPERATIONS.map((key) => seconds(said[key]));
  return { create: create!, update: update!, delete: deletion! };
}

const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 };

function seconds(time: unknown): number {
  if (typeof time === "number") return time;
  const parts = typeof time === "string" ? [...time.matchAll(/(\d+(?:\.\d+)?)(ms|[hms])/g)] : [];
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0);
}

/** Each item of a list is a resource of its own, as it is to kubectl. */
function asKubernetes(value: Properties): Resource[] {
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return [];
  const whole = { type: kubernetesType(apiVersion, kind), name: nameOf(value), props: value };
  if (!kubernetesOf(whole.type)) throw new Unreadable("its apiVersion or kind is none of Kubernetes");
  if (!Array.isArray(value.items)) return [whole];
  return objectsOf(whole).map(({ type, props }) => ({ type: tokenOf(type), name: nameOf(props), props }));
}

function nameOf({ metadata }: Properties): string {
  const { name, generateName } = isObject(metadata) ? metadata : {};
  return typeof name === "string" ? name : typeof generateName === "string" ? generateName : "unnamed";
}
