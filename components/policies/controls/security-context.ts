/** Security contexts of pods and containers, for the controls of the Pod Security Standards. */
import { type Control, podControl } from "../control.ts";
import { join, type Pod } from "../pods.ts";
import type { Finding } from "../resource.ts";
import { at, isAbsent, isFalse, isKnown, isOn, isTrue } from "../value.ts";

export const source = "Pod Security Standards";

/** The security context of a pod, and of each container. */
export function* contexts(pod: Pod): Generator<{ path: string; value: unknown }> {
  yield { path: join(pod.path, "securityContext"), value: pod.spec.securityContext };
  for (const { path, props } of pod.containers)
    yield { path: join(path, "securityContext"), value: props.securityContext };
}

/** Wherever a setting of a security context is on that must be off. */
export const mustBeOff = (about: Omit<Control, "find" | "types" | "source">, ...keys: string[]): Control =>
  podControl({ ...about, source }, function* (pod) {
    for (const { path, value } of contexts(pod))
      if (isOn(at(value, ...keys))) yield { path: [path, ...keys].join(".") };
  });

/** A switch that has to be set one way, and must not be left out. */
export function* mustBeSaid(
  value: unknown,
  wanted: boolean,
  { isPatch }: Pod,
  place: Finding,
): Generator<Finding> {
  if (!isKnown(value) || (isPatch && isAbsent(value))) return;
  if (isAbsent(value)) yield { ...place, what: "nothing is said" };
  else if (!(wanted ? isTrue(value) : isFalse(value))) yield place;
}
