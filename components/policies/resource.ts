import type { Properties } from "./value.ts";

/** What is judged: a resource as a program asks for it. */
export interface Resource {
  /** Pulumi's type token, such as `kubernetes:apps/v1:Deployment`. */
  type: string;
  /** Name in the program. */
  name: string;
  props: Properties;
  /** Seconds that each operation may take, where that is known; 0 stands for no limit. */
  timeouts?: { create: number; update: number; delete: number };
}

/** One place that breaks a control. Never says the value found: it may be a secret. */
export interface Finding {
  /** Where, below the resource's properties. */
  path: string;
  /** What is wrong there, when the control's title does not say it. */
  what?: string;
}

/** Token of a Kubernetes object by what its file says; `/v1` is `v1` to Kubernetes. */
export const kubernetesType = (apiVersion: string, kind: string): string =>
  `kubernetes:${/^\/?[^/]*$/.test(apiVersion) ? `core/${apiVersion.replace("/", "")}` : apiVersion}:${kind}`;

export interface KubernetesType {
  /** Group without its version: `core`, `apps`, `networking.k8s.io`. */
  group: string;
  version: string;
  /** Without `Patch` and `List`. */
  kind: string;
  /** Says a part of an object that is there: what it does not name is not missing. */
  isPatch: boolean;
  isList: boolean;
}

const TYPE = /^kubernetes:(?:([^:/]*)\/)?([^:/]+):(\w+?)(Patch|List)?$/;

/** Reads a token; `undefined` for what is no Kubernetes object. */
export function kubernetesOf(type: string): KubernetesType | undefined {
  const match = TYPE.exec(type);
  if (!match) return undefined;
  const [, group, version, kind, suffix] = match;
  return {
    group: group || "core",
    version: version!,
    kind: kind!,
    isPatch: suffix === "Patch",
    isList: suffix === "List",
  };
}

/** The token of what was read from one. */
export const tokenOf = ({ group, version, kind, isPatch, isList }: KubernetesType): string =>
  `kubernetes:${group}/${version}:${kind}${isPatch ? "Patch" : isList ? "List" : ""}`;
