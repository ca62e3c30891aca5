import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { documentsOf, Unreadable } from "./documents.ts";
import { objectsOf } from "./pods.ts";
import { kubernetesOf, kubernetesType, type Resource, tokenOf } from "./resource.ts";
import { at, isObject, type Properties, UNKNOWN } from "./value.ts";

export { documentsOf, Unreadable };

/** The name by which programs are told to read what is handed to them. */
const STANDARD_INPUT = "-";

/**
 * The resources that a file, or `-` for the standard input, holds: documents of Kubernetes in YAML or JSON, and `{type, name, props}` as
 * Pulumi has them, alone or in a list.
 *
 * @throws Unreadable that says what is wrong with it
 */
export async function resourcesOf(path: string): Promise<Resource[]> {
  // One file after the other: reading them in the background would cost a fifth of a run.
  const content = path === STANDARD_INPUT ? await text(process.stdin) : readFileSync(path, "utf8");
  return documentsOf(content).flatMap((document) => resourcesIn(document));
}

function resourcesIn(value: unknown): Resource[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap(resourcesIn);
  if (!isObject(value)) throw new Unreadable("neither an object of Kubernetes nor {type, name, props}");
  // A file may be both to its two readers.
  const found = [asPulumi(value), asKubernetes(value)];
  if (found.some((each) => each !== undefined)) return found.flatMap((each) => each ?? []);
  throw new Unreadable("neither an object of Kubernetes (apiVersion, kind) nor {type, name, props}");
}

function asPulumi(value: Properties): Resource[] | undefined {
  const { type, name, props } = value;
  if (typeof type !== "string" || !isObject(props)) return undefined;
  const timeouts = timeoutsOf(at(value.options ?? value.opts, "customTimeouts"));
  const known = asWritten(props) as Properties;
  const own = { type, name: typeof name === "string" ? name : nameOf(known), props: known, timeouts };
  return [own, ...(INLINE.test(type) ? madeBy(known) : [])];
}

/** How engines write what is not known yet, by its kind, and what is a secret. */
const NOT_KNOWN = new Set([
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Values as the program gave them; a secret that is sealed is not known. */
function asWritten(value: unknown): unknown {
  if (typeof value === "string") return NOT_KNOWN.has(value) ? UNKNOWN : value;
  if (Array.isArray(value)) return value.map(asWritten);
  if (!isObject(value)) return value;
  if (value[SIGNATURE] === SECRET) return "value" in value ? asWritten(value.value) : UNKNOWN;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asWritten(each)]));
}

/** Whose children hold what they are made of in texts and objects; an engine shows each child by itself. */
const INLINE = /^kubernetes:yaml(?:\/v2)?:ConfigGroup$/;

const madeBy = ({ yaml, objs }: Properties): Resource[] =>
  [...[yaml].flat().flatMap((each) => (typeof each === "string" ? documentsOf(each) : [])), objs].flatMap(
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
function asKubernetes(value: Properties): Resource[] | undefined {
  const { apiVersion, kind } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
  const whole = { type: kubernetesType(apiVersion, kind), name: nameOf(value), props: value };
  if (!kubernetesOf(whole.type)) throw new Unreadable("its apiVersion or kind is none of Kubernetes");
  if (!Array.isArray(value.items)) return [whole];
  return objectsOf(whole).map(({ type, props }) => ({ type: tokenOf(type), name: nameOf(props), props }));
}

function nameOf({ metadata }: Properties): string {
  const { name, generateName } = isObject(metadata) ? metadata : {};
  return typeof name === "string" ? name : typeof generateName === "string" ? generateName : "unnamed";
}
