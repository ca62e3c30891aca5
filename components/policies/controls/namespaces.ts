/** Rules over all resources of a stack together. */
import type { SetControl } from "../control.ts";
import { join, type KubernetesObject, objectsOf } from "../pods.ts";
import type { Resource } from "../resource.ts";
import { at, isKnown, listOf, textOf, UNKNOWN } from "../value.ts";
import { selectsAll } from "./exposure.ts";

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
  title: "Each namespace has a network policy that denies what no other allows, in and out",
  remedy:
    "add a NetworkPolicy to the namespace with an empty podSelector, policyTypes Ingress and Egress, and no rules",
  types: ["Namespace", "NetworkPolicy"],
  *find(resources) {
    const objects = resources.flatMap((resource) =>
      objectsOf(resource).map((object) => ({ ...object, resource })),
    );
    const policies = objects.filter(({ type }) => type.kind === "NetworkPolicy" && !type.isPatch);
    // One of a namespace that is not known yet may be the one that is looked for.
    if (policies.some(({ props }) => !isKnown(at(props, "metadata", "namespace")))) return;
    for (const { type, props, path, resource } of objects) {
      if (type.kind !== "Namespace" || type.group !== "core" || type.isPatch) continue;
      const name = at(props, "metadata", "name");
      if (name === UNKNOWN || OWN.has(textOf(name) ?? "")) continue;
      const own = policies.filter((policy) => at(policy.props, "metadata", "namespace") === name);
      const denied = new Set(own.flatMap(deniedBy));
      if (denied.size < 2) yield { resource: resource as Resource, path: join(path, "metadata.name") };
    }
  },
};

export const sets: readonly SetControl[] = [defaultDeny];
