/** Rules over all resources of a stack together. */
import type { SetControl } from "../control.ts";
import { join, type KubernetesObject, objectsOf, POD_KINDS, podsOf } from "../pods.ts";
import { type KubernetesType, type Resource, tokenOf } from "../resource.ts";
import { at, isKnown, listOf, objectOf, textOf, UNKNOWN } from "../value.ts";
import { NETWORK_GROUPS, selectsAll } from "./exposure.ts";

/** Kubernetes' own, which whoever makes the cluster looks after. */
const OWN = new Set(["kube-system", "kube-public", "kube-node-lease"]);

type Way = "Ingress" | "Egress";

/** Ways in which a policy denies, or may deny, whatever no other allows, for every pod of its namespace. */
function deniedBy(policy: KubernetesObject): Way[] {
  const spec = at(policy.props, "spec");
  const parts = ["podSelector", "policyTypes", "ingress", "egress"].map((key) => at(spec, key));
  if (!parts.every(isKnown)) return ["Ingress", "Egress"];
  if (!selectsAll(at(spec, "podSelector"))) return [];
  const types = at(spec, "policyTypes");
  const said = listOf(types);
  const hasEgress = listOf(at(spec, "egress")).length > 0;
  const ways: unknown[] = said.length > 0 ? [...said] : ["Ingress", ...(hasEgress ? ["Egress"] : [])];
  return (["Ingress", "Egress"] as const).filter(
    (way) => ways.includes(way) && listOf(at(spec, way.toLowerCase())).length === 0,
  );
}

const defaultDeny: SetControl = {
  id: "default-deny",
  practice: "network-segmentation",
  title:
    "Each namespace has a network policy that denies what no other allows, in and out, and policies leave no pod out",
  remedy:
    "add a NetworkPolicy to the namespace with an empty podSelector, policyTypes Ingress and Egress, and no rules",
  types: ["Namespace", "NetworkPolicy", ...POD_KINDS],
  *find(resources) {
    const objects = resources.flatMap((resource) =>
      objectsOf(resource).map((object) => ({ ...object, resource })),
    );
    const policies = objects.filter(({ type }) => isPolicy(type) && !type.isPatch);
    // One of a namespace that is not known yet may be the one that is looked for.
    if (policies.some(({ props }) => !isKnown(at(props, "metadata", "namespace")))) return;
    for (const { type, props, path, resource } of objects) {
      if (type.kind !== "Namespace" || type.group !== "core" || type.isPatch) continue;
      const name = at(props, "metadata", "name");
      if (name === UNKNOWN || OWN.has(textOf(name) ?? "")) continue;
      const own = policies.filter((policy) => namespaceOf(policy.props) === name);
      const denied = new Set(own.flatMap(deniedBy));
      if (denied.size < 2) yield { resource: resource as Resource, path: join(path, "metadata.name") };
    }
    yield* leftOut(objects, policies);
  },
};

type Found = KubernetesObject & { resource: Resource };

/** Pods that no policy selects, in namespaces that have policies: who wrote those may think that they hold for all. */
function* leftOut(
  objects: readonly Found[],
  policies: readonly Found[],
): Generator<{ resource: Resource; path: string; what: string }> {
  const foreign = objects.filter(({ type }) => /NetworkPolicy$/.test(type.kind) && !isPolicy(type));
  // What others' policies select is not known; these hold for all namespaces.
  if (foreign.some(({ type }) => /Cluster|Global|Admin|Baseline/.test(type.kind))) return;
  const spaces = new Set(foreign.map(({ props }) => namespaceOf(props)));
  for (const { type, props, path, resource } of objects) {
    const space = namespaceOf(props);
    const own = policies.filter((policy) => namespaceOf(policy.props) === space);
    if (own.length === 0 || OWN.has(space) || spaces.has(space) || type.isPatch) continue;
    for (const { metadata } of podsOf({ type: tokenOf(type), name: resource.name, props })) {
      const labels = at(metadata.props, "labels");
      if (own.some((policy) => selects(at(policy.props, "spec", "podSelector"), labels))) continue;
      yield {
        resource,
        path: join(path, join(metadata.path, "labels")),
        what: "no network policy selects it",
      };
    }
  }
}

/** Kubernetes' own kind; Calico calls one of its kinds by the same name. */
const isPolicy = ({ kind, group }: KubernetesType): boolean =>
  kind === "NetworkPolicy" && NETWORK_GROUPS.has(group);

const namespaceOf = (props: unknown): string => textOf(at(props, "metadata", "namespace")) ?? "default";

/** Whether a selector takes what has these labels, or may take it. */
function selects(selector: unknown, labels: unknown): boolean {
  if (!isKnown(selector) || !isKnown(labels)) return true;
  const isMet = (expression: unknown): boolean => {
    const [key, operator] = [textOf(at(expression, "key")), at(expression, "operator")];
    if (key === undefined || !isKnown(operator)) return true;
    const value = at(labels, key);
    const values = at(expression, "values");
    if (!isKnown(value) || !isKnown(values) || listOf(values).some((each) => !isKnown(each))) return true;
    if (operator === "Exists") return value !== undefined;
    if (operator === "DoesNotExist") return value === undefined;
    return listOf(values).includes(value) === (operator === "In");
  };
  const wanted = at(selector, "matchLabels");
  const expressions = at(selector, "matchExpressions");
  if (!isKnown(wanted) || !isKnown(expressions)) return true;
  const named = Object.entries(objectOf(wanted)).map(([key, value]) => ({
    key,
    operator: "In",
    values: [value],
  }));
  return [...named, ...listOf(expressions)].every(isMet);
}

export const sets: readonly SetControl[] = [defaultDeny];
