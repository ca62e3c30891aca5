import {
  PolicyPack,
  type ReportViolation,
  type ResourceValidationArgs,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
} from "@pulumi/policy";
import { type Control, PRACTICES, type SetControl } from "./control.ts";
import { controls, setControls } from "./controls/index.ts";
import { controlIds, violationsAmong, violationsOf } from "./judge.ts";
import { readOnce } from "./read-once.ts";
import type { Resource } from "./resource.ts";
import { SETTINGS_SCHEMA, type Settings, settingsOf } from "./settings.ts";
import { type Properties, UNKNOWN } from "./value.ts";

/**
 * Settings of the run. Policies cannot read each other's configuration: the one named `settings`, which comes
 * first, reads it for all.
 */
let settings: Settings = read({});
let isTold = false;

function read(given: object, stack?: string): Settings {
  return settingsOf(given, { stack, known: controlIds, today: new Date().toISOString().slice(0, 10) });
}

/** Name of the stack, as a URN begins: `urn:pulumi:STACK::PROJECT::...`. */
const stackOf = (urn: string): string | undefined => /^urn:pulumi:(.*?)::/.exec(urn)?.[1];

const settingsPolicy: ResourceValidationPolicy = {
  name: "settings",
  description: "The pack's settings and waivers are what they should be",
  enforcementLevel: "advisory",
  configSchema: { properties: SETTINGS_SCHEMA as never },
  validateResource: ({ getConfig, urn }, report) => {
    const { enforcementLevel: _, ...given } = getConfig<Properties>();
    settings = read(given, stackOf(urn));
    if (isTold) return;
    isTold = true;
    for (const problem of settings.problems) report(problem);
  },
};

/** One policy of the pack. */
function policyOf(control: Control): ResourceValidationPolicy {
  return {
    name: control.id,
    description: descriptionOf(control),
    enforcementLevel: control.level ?? "mandatory",
    validateResource: (args: ResourceValidationArgs, report: ReportViolation) => {
      for (const { message } of violationsOf(control, resourceOf(args), settings)) report(message);
    },
  };
}

/** One policy over a whole stack. */
function stackPolicyOf(control: SetControl): StackValidationPolicy {
  return {
    name: control.id,
    description: descriptionOf(control),
    enforcementLevel: control.level ?? "mandatory",
    validateStack: ({ resources }, report) => {
      const urns = new Map<Resource, string>();
      const all = resources.map(({ type, name, props, urn }) => {
        const resource = asked.get(urn) ?? { type, name, props: plain(props) as Properties };
        urns.set(resource, urn);
        return resource;
      });
      for (const { message, resource } of violationsAmong(control, all, settings))
        report(message, urns.get(resource));
    },
  };
}

const descriptionOf = ({ title, practice }: Pick<Control, "title" | "practice">) =>
  `${title} (${PRACTICES[practice]})`;

/** For a pack of your own: `new PolicyPack("ours", { policies: [...policies, ...more] })`. */
export const policies: readonly (ResourceValidationPolicy | StackValidationPolicy)[] = [
  settingsPolicy,
  ...controls.map(policyOf),
  ...setControls.map(stackPolicyOf),
];

/** Serves the pack to the engine that started this process. */
export function servePack(): void {
  readOnce();
  new PolicyPack("spillway", { policies: [...policies], enforcementLevel: "mandatory" });
}

const judged = new WeakMap<object, Resource>();

/**
 * What the program asked for, by URN. Rules over the whole stack are given what resources have become, which
 * a preview may not know, and which for a component is what it chose to tell.
 */
const asked = new Map<string, Resource>();

function resourceOf({ type, name, props, opts, urn }: ResourceValidationArgs): Resource {
  // By the SDK's word for what a proxy hides.
  const key = (props as Properties).__getSpecialProxyTarget as object;
  const before = judged.get(key);
  if (before) return before;
  const { createSeconds, updateSeconds, deleteSeconds } = opts.customTimeouts;
  const timeouts = { create: createSeconds, update: updateSeconds, delete: deleteSeconds };
  const resource = { type, name, props: plain(props) as Properties, timeouts };
  judged.set(key, resource);
  asked.set(urn, resource);
  return resource;
}

/** A copy in which every value that is not known yet is `UNKNOWN`: the SDK throws at each of them. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from({ length: value.length }, (_, i) => entry(value, i));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.keys(value).map((key) => [key, entry(value, key)]));
}

function entry(holder: object, key: string | number): unknown {
  try {
    return plain((holder as Record<string | number, unknown>)[key]);
  } catch {
    return UNKNOWN;
  }
}
