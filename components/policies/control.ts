import { type Container, POD_KINDS, type Pod, podsOf } from "./pods.ts";
import type { Finding, Resource } from "./resource.ts";
import type { Settings } from "./settings.ts";

/** What a platform must do to be safe, each answered by controls. */
export const PRACTICES = {
  "minimal-host": "Hosts run a minimal, supported and patched operating system and container platform",
  "trusted-images": "Images come from private registries, by digest, on known bases",
  "scanned-images": "Images are scanned for weaknesses before they run",
  "signed-images": "Images are signed, and signatures are verified at admission",
  "least-privilege": "Containers run with the least privilege: no root, no capabilities, no escalation",
  isolation:
    "Containers are isolated from their host and each other, and cannot change what they are made of",
  "resource-limits": "Containers have limits, and the platform knows when they are unwell",
  "network-segmentation": "Networks deny by default, and nothing is exposed that need not be",
  secrets: "Secrets are kept out of images, environments, commands and logs, and are encrypted",
  audit: "What is done to the platform is logged, and its data are kept",
} as const;

export type Practice = keyof typeof PRACTICES;

/** One rule: a policy of the same name in the pack, and one predicate. */
export interface Control {
  /** Short words in kebab-case; the policy's name. */
  id: string;
  practice: Practice;
  /** What must be so. */
  title: string;
  /** What to do where it is not. */
  remedy: string;
  /** Where the rule comes from. */
  source?: string;
  /** Types of resources that it judges, in words for the table. */
  types: readonly string[];
  /** Judged in production alone. @default false */
  production?: boolean;
  /** @default mandatory */
  level?: "mandatory" | "advisory";
  /** Places that break it. Pure; values that are not known yet break nothing. */
  find(resource: Resource, settings: Settings): Iterable<Finding>;
}

/** One rule over all resources together: a policy of the stack in the pack. */
export interface SetControl extends Omit<Control, "find"> {
  /** Asks for what may be in any file of a site: judged of the stacks that programs make, and not of files. */
  wholeStack?: boolean;
  find(resources: readonly Resource[], settings: Settings): Iterable<Finding & { resource: Resource }>;
}

/** What one control finds in resources of further types. */
export interface Addition {
  control: string;
  types: readonly string[];
  find(resource: Resource, settings: Settings): Iterable<Finding>;
}

type About = Omit<Control, "find" | "types">;

/** A control over whatever makes pods. */
export function podControl(about: About, find: (pod: Pod, settings: Settings) => Iterable<Finding>): Control {
  return {
    ...about,
    types: POD_KINDS,
    *find(resource, settings) {
      for (const pod of podsOf(resource)) yield* find(pod, settings);
    },
  };
}

/** A control over every container of whatever makes pods. */
export function containerControl(
  about: About,
  find: (container: Container, pod: Pod, settings: Settings) => Iterable<Finding>,
): Control {
  return podControl(about, function* (pod, settings) {
    for (const container of pod.containers) yield* find(container, pod, settings);
  });
}
