import { type KubernetesType, kubernetesOf, kubernetesType, type Resource } from "./resource.ts";
import { at, isAbsent, isKnown, isObject, listOf, type Properties, textOf, UNKNOWN } from "./value.ts";

/** How a container takes part in its pod. */
export type Role = "containers" | "initContainers" | "ephemeralContainers";

export interface Container {
  path: string;
  role: Role;
  props: Properties;
  /** An init container that goes on beside the others. */
  isSidecar: boolean;
}

/** The pod that a resource makes, whichever kind it is of. */
export interface Pod {
  /** Where the pod's spec is, below the resource's properties. */
  path: string;
  /** Kind of the object that has it. */
  kind: string;
  spec: Properties;
  /** Where the pod's metadata are, with what is there. */
  metadata: { path: string; props: Properties };
  containers: Container[];
  /** Or may be, as long as that is not known yet. */
  isWindows: boolean;
  /** Says a part of an object that is there: what it does not name is not missing. */
  isPatch: boolean;
}

/** Keys of objects and places in lists that lead somewhere. */
type Keys = readonly (string | number)[];

interface Shape {
  /** Keys that lead to the pod's template, which has metadata and spec. */
  template: Keys;
}

const SHAPES: Record<string, Shape> = {
  Pod: { template: [] },
  PodTemplate: { template: ["template"] },
  Deployment: { template: ["spec", "template"] },
  StatefulSet: { template: ["spec", "template"] },
  DaemonSet: { template: ["spec", "template"] },
  ReplicaSet: { template: ["spec", "template"] },
  ReplicationController: { template: ["spec", "template"] },
  Job: { template: ["spec", "template"] },
  CronJob: { template: ["spec", "jobTemplate", "spec", "template"] },
  ScheduledJob: { template: ["spec", "jobTemplate", "spec", "template"] },
  DeploymentConfig: { template: ["spec", "template"] },
};

const GROUPS = new Set(["core", "apps", "batch", "extensions", "apps.openshift.io"]);

/** Kinds of Kubernetes objects that make pods. */
export const POD_KINDS: readonly string[] = Object.keys(SHAPES);

const seen = new WeakMap<Resource, Pod[]>();

/** Every pod that a resource makes: none, one, or those of a list's items. */
export function podsOf(resource: Resource): readonly Pod[] {
  const before = seen.get(resource);
  if (before) return before;
  const pods = objectsOf(resource).flatMap(({ type, props, path }) =>
    templatesOf(type, props).flatMap((keys) => podAt(type, props, path, keys) ?? []),
  );
  seen.set(resource, pods);
  return pods;
}

/** A Kubernetes object, or one of a list's items. */
export interface KubernetesObject {
  type: KubernetesType;
  props: Properties;
  path: string;
}

/** The objects that a resource is: itself, or a list's items. */
export function objectsOf({ type, props }: Resource): KubernetesObject[] {
  const own = kubernetesOf(type);
  return own ? flattened(own, props, "") : [];
}

function flattened(own: KubernetesType, props: Properties, path: string): KubernetesObject[] {
  // To kubectl whatever has items is a list, of whichever kind it says it is.
  const items = listOf(props.items).flatMap((item, i) => {
    if (!isObject(item)) return [];
    const [version, kind] = [textOf(item.apiVersion), textOf(item.kind)];
    // Items of a typed list may leave out what the list says.
    const said = version && kind ? kubernetesOf(kubernetesType(version, kind)) : undefined;
    const type = said ?? { ...own, isList: false };
    return type.kind === "List" && !said ? [] : flattened(type, item, `${join(path, "items")}[${i}]`);
  });
  return isListOf(own, props) ? items : [{ type: own, props, path }, ...items];
}

/** The kind of a custom resource may end in `List` and be none. */
const isListOf = ({ isList, kind, group }: KubernetesType, { items }: Properties): boolean =>
  kind === "List" || (isList && (!isAbsent(items) || /^[^.]*$|\.k8s\.io$/.test(group)));

function podAt(type: KubernetesType, props: Properties, path: string, keys: Keys): Pod | undefined {
  const place = keys.reduce<string>(
    (way, key) => (typeof key === "number" ? `${way}[${key}]` : join(way, key)),
    path,
  );
  const template = at(props, ...keys);
  const said = at(template, "spec");
  if (isAbsent(said) || !isKnown(said)) return undefined;
  // Of one that Kubernetes could not read no control may say that it holds nothing bad.
  const spec = isObject(said) ? said : {};
  const metadata = at(template, "metadata");
  const os = at(spec, "os", "name");
  const where = join(place, "spec");
  const isPatch = type.isPatch || (!isUsual(keys) && isOverlay(spec));
  return {
    path: where,
    kind: type.kind,
    spec,
    metadata: { path: join(place, "metadata"), props: isObject(metadata) ? metadata : {} },
    containers: containersOf(spec, where, isPatch),
    isWindows: os === "windows" || os === UNKNOWN,
    isPatch,
  };
}

const USUAL = new Set(Object.values(SHAPES).map(({ template }) => template.join(".")));

/** Whether a template is where Kubernetes' own kinds have theirs. */
const isUsual = (keys: Keys): boolean => USUAL.has(keys.join("."));

const isOwn = ({ group, kind }: KubernetesType): boolean => GROUPS.has(group) && Object.hasOwn(SHAPES, kind);

/** Elsewhere operators take a part of a pod, to lay it over one of their own, which has the image. */
const isOverlay = ({ containers }: Properties): boolean =>
  listOf(containers).some((each) => isAbsent(at(each, "image")));

/** Groups whose objects describe pods that they judge, and make none. */
const JUDGES = /^(?:admissionregistration|apiextensions)\.k8s\.io$|(?:^|\.)(?:kyverno\.io|gatekeeper\.sh)$/;

/** Keys that lead to the templates of an object's pods. */
function templatesOf(type: KubernetesType, props: Properties): Keys[] {
  if (isOwn(type)) return [SHAPES[type.kind]!.template];
  if (JUDGES.test(type.group)) return [];
  return [...templatesIn(props.spec, ["spec"])];
}

/** How far down custom resources are searched: those of jobs of jobs have theirs at the fifth place. */
const DEEPEST = 8;

/**
 * Custom resources, such as Rollouts, Knative's Services, JobSets and Ray's clusters, have templates where they like:
 * whatever has a spec with a list of containers is one.
 */
function* templatesIn(value: unknown, keys: Keys): Generator<Keys> {
  if (keys.length > DEEPEST) return;
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) yield* templatesIn(each, [...keys, i]);
  } else if (isObject(value)) {
    if (Array.isArray(at(value, "spec", "containers"))) yield keys;
    else for (const [key, each] of Object.entries(value)) yield* templatesIn(each, [...keys, key]);
  }
}

const ROLES: readonly Role[] = ["containers", "initContainers", "ephemeralContainers"];

function containersOf(spec: Properties, path: string, isPatch: boolean): Container[] {
  const found = ROLES.flatMap((role) => {
    const value = spec[role];
    const place = join(path, role);
    if (isObject(value)) return [containerOf(value, place, role)];
    return listOf(value).flatMap((each, i) =>
      isObject(each) ? [containerOf(each, `${place}[${i}]`, role)] : [],
    );
  });
  if (found.length > 0 || isPatch || !ROLES.every((role) => allKnown(spec[role]))) return found;
  // Where none can be read, there is one that says nothing: what has to be said is missing.
  return [containerOf({}, join(path, "containers"), "containers")];
}

function containerOf(props: Properties, path: string, role: Role): Container {
  return { path, role, props, isSidecar: role === "initContainers" && props.restartPolicy === "Always" };
}

const allKnown = (value: unknown): boolean => isKnown(value) && listOf(value).every(isKnown);

/** A dotted path. */
export const join = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/** What a container has at a place, or what its pod has where the container says nothing. */
export function inherited(pod: Pod, container: Container, key: string): { value: unknown; path: string } {
  const own = at(container.props, "securityContext", key);
  if (own !== undefined && own !== null)
    return { value: own, path: `${container.path}.securityContext.${key}` };
  const shared = at(pod.spec, "securityContext", key);
  if (shared !== undefined && shared !== null)
    return { value: shared, path: `${pod.path}.securityContext.${key}` };
  return { value: undefined, path: `${container.path}.securityContext.${key}` };
}

/** Where a container says how it is probed. */
export const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"];
const HOOKS = ["postStart", "preStop"];

/** What a container runs, as lists of words: itself, its probes and its hooks. */
export function* commandsOf({
  path,
  props,
}: Container): Generator<{ path: string; words: readonly unknown[] }> {
  for (const key of ["command", "args"]) yield { path: `${path}.${key}`, words: listOf(props[key]) };
  const places = [...PROBES.map((probe) => [probe]), ...HOOKS.map((hook) => ["lifecycle", hook])];
  for (const place of places) {
    const words = listOf(at(props, ...place, "exec", "command"));
    yield { path: `${path}.${place.join(".")}.exec.command`, words };
  }
}

/** Whether all of a pod's containers are known: a preview may not know the list. */
export const containersKnown = ({ spec }: Pod): boolean => ROLES.every((role) => spec[role] !== UNKNOWN);
