/** Any Kubernetes object, as the API server takes and gives it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  [field: string]: unknown;
}

/** The part of `metadata` that is read here. */
export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  managedFields?: unknown;
}

/** Plain data of unknown shape. */
export type Plain = Record<string, unknown>;

export const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a path of names; `undefined` where the path ends early. */
export function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((inner, name) => (isPlain(inner) ? inner[name] : undefined), value);
}

export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** An annotation of inputs or of an object, which may have no metadata yet. */
export function annotation(object: unknown, name: string): string | undefined {
  const value = at(object, "metadata", "annotations", name);
  return value === undefined ? undefined : String(value);
}

/** `namespace/name`, or `name` of what belongs to no namespace: the official plugin's ids. */
export function idOf({ metadata }: KubernetesObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}

export function parseId(id: string): { namespace?: string; name: string } {
  const slash = id.indexOf("/");
  return slash < 0 ? { name: id } : { namespace: id.slice(0, slash), name: id.slice(slash + 1) };
}

/** How messages call an object: `Deployment demo/web`. */
export const titleOf = (object: KubernetesObject): string => `${object.kind} ${idOf(object)}`;

/** The API version and kind that a type token such as `kubernetes:apps/v1:Deployment` names. */
export function kindOf(token: string): { apiVersion: string; kind: string } {
  const [, group = "", kind = ""] = token.split(":");
  return { apiVersion: group.replace(/^core\//, ""), kind };
}

/** The type token at the end of a URN. */
export const tokenOf = (urn: string): string => urn.split("::")[2]?.split("$").at(-1) ?? "";

/** A live object without the bookkeeping of field managers, which changes with every write. */
export function withoutBookkeeping(object: KubernetesObject): KubernetesObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
