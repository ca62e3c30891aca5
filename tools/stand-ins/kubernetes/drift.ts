import { isDeepStrictEqual } from "node:util";
import { isPlain, type KubernetesObject, type Plain } from "./objects.ts";

/** Fields that tell the items of a list apart, as the API's own schemas say. */
const keys = ["name", "containerPort", "port", "mountPath", "devicePath", "topologyKey", "ip", "type"];

/**
 * The inputs as they are found in the cluster: every field that the program set, with the live value
 * where it drifted; fields of others are left alone. `desired` is what the API server makes of the
 * same inputs, so that `0.5` and `500m`, or an empty list and none, are no drift.
 */
export function observed(inputs: Plain, desired: KubernetesObject, live: KubernetesObject): Plain {
  return follow(inputs, desired, live) as Plain;
}

function follow(wanted: unknown, desired: unknown, live: unknown): unknown {
  if (isDeepStrictEqual(desired, live)) return wanted;
  if (isPlain(wanted) && isPlain(live)) {
    const entries = Object.entries(wanted).map(([key, value]) => {
      return [key, follow(value, isPlain(desired) ? desired[key] : undefined, live[key])] as const;
    });
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }
  if (Array.isArray(wanted) && Array.isArray(live)) {
    return followList(wanted, Array.isArray(desired) ? desired : [], live);
  }
  return live;
}

function followList(wanted: unknown[], desired: unknown[], live: unknown[]): unknown[] {
  const key = keys.find((name) => [...wanted, ...live].every((item) => isPlain(item) && name in item));
  if (key === undefined) {
    if (wanted.length !== live.length) return live;
    return wanted.map((item, index) => follow(item, desired[index], live[index]));
  }
  const find = (items: unknown[], like: Plain) =>
    items.find((item) => isPlain(item) && item[key] === like[key]);
  return (wanted as Plain[])
    .map((item) => follow(item, find(desired, item), find(live, item)))
    .filter((item) => item !== undefined);
}

const serverFields = new Set([
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "selfLink",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
]);

/** Inputs for an object that is imported: all of it but what the server adds. */
export function importedInputs({ status: _, ...live }: KubernetesObject): Plain {
  const metadata = Object.entries(live.metadata).filter(([name]) => !serverFields.has(name));
  return { ...live, metadata: Object.fromEntries(metadata) };
}
