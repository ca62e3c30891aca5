import type { Cluster } from "./cluster.ts";
import { at, type KubernetesObject, list, type Plain } from "./objects.ts";

/** The object will not become ready by waiting. */
export class Failed extends Error {}

type Check = (object: KubernetesObject, cluster: Cluster) => string[] | Promise<string[]>;

const number = (object: unknown, ...path: string[]): number => Number(at(object, ...path) ?? 0);

/** A condition of `status.conditions`. */
export function condition(object: unknown, type: string): Plain | undefined {
  return (list(at(object, "status", "conditions")) as Plain[]).find((one) => one.type === type);
}

const isTrue = (object: unknown, type: string): boolean => condition(object, type)?.status === "True";

function lacks(object: KubernetesObject, type: string): string[] {
  if (isTrue(object, type)) return [];
  const found = condition(object, type);
  return [`not ${type}${found ? `: ${found.reason ?? ""} ${found.message ?? ""}`.trimEnd() : " yet"}`];
}

const unobserved = (object: KubernetesObject): boolean =>
  number(object, "status", "observedGeneration") < Number(object.metadata.generation ?? 0);

function pod(object: KubernetesObject): string[] {
  // A pod that ran to its end is done, and never Ready again.
  return at(object, "status", "phase") === "Succeeded" ? [] : lacks(object, "Ready");
}

function deployment(object: KubernetesObject): string[] {
  if (unobserved(object)) return ["the controller has not seen the change yet"];
  const replicas = Number(at(object, "spec", "replicas") ?? 1);
  const { updated, available, total } = {
    updated: number(object, "status", "updatedReplicas"),
    available: number(object, "status", "availableReplicas"),
    total: number(object, "status", "replicas"),
  };
  const reasons: string[] = [];
  if (updated < replicas) reasons.push(`${updated} of ${replicas} replicas updated`);
  else if (total > updated) reasons.push(`${total - updated} old replicas still there`);
  if (available < replicas) reasons.push(`${available} of ${replicas} replicas available`);
  reasons.push(...lacks(object, "Available"));
  const progressing = condition(object, "Progressing");
  if (progressing?.status === "False") reasons.push(`${progressing.reason}: ${progressing.message}`);
  return reasons;
}

function statefulSet(object: KubernetesObject): string[] {
  if (unobserved(object)) return ["the controller has not seen the change yet"];
  const replicas = Number(at(object, "spec", "replicas") ?? 1);
  const ready = number(object, "status", "readyReplicas");
  const reasons: string[] = [];
  if (ready < replicas) reasons.push(`${ready} of ${replicas} replicas ready`);
  const rolling = at(object, "spec", "updateStrategy", "type") !== "OnDelete";
  const partition = number(object, "spec", "updateStrategy", "rollingUpdate", "partition");
  const updated = number(object, "status", "updatedReplicas");
  const current = at(object, "status", "currentRevision") === at(object, "status", "updateRevision");
  if (rolling && !current && updated < replicas - partition)
    reasons.push(`${updated} of ${replicas} replicas updated`);
  return reasons;
}

function daemonSet(object: KubernetesObject): string[] {
  if (unobserved(object)) return ["the controller has not seen the change yet"];
  const desired = number(object, "status", "desiredNumberScheduled");
  const reasons: string[] = [];
  const rolling = at(object, "spec", "updateStrategy", "type") !== "OnDelete";
  const updated = number(object, "status", "updatedNumberScheduled");
  if (rolling && updated < desired) reasons.push(`updated on ${updated} of ${desired} nodes`);
  const available = number(object, "status", "numberAvailable");
  if (available < desired) reasons.push(`available on ${available} of ${desired} nodes`);
  return reasons;
}

function job(object: KubernetesObject): string[] {
  const failed = condition(object, "Failed");
  if (failed?.status === "True") throw new Failed(`the job failed: ${failed.reason}: ${failed.message}`);
  if (at(object, "spec", "suspend") === true) return [];
  return lacks(object, "Complete");
}

async function service(object: KubernetesObject, cluster: Cluster): Promise<string[]> {
  const { spec } = object;
  const reasons: string[] = [];
  if (
    at(spec, "type") === "LoadBalancer" &&
    list(at(object, "status", "loadBalancer", "ingress")).length === 0
  ) {
    reasons.push("the load balancer has no address yet");
  }
  const selects = Object.keys((at(spec, "selector") as object | undefined) ?? {}).length > 0;
  if (at(spec, "type") === "ExternalName" || at(spec, "clusterIP") === "None" || !selects) return reasons;
  const slices = await cluster.list(
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", namespace: object.metadata.namespace },
    { labels: `kubernetes.io/service-name=${object.metadata.name}` },
  );
  const endpoints = slices.flatMap((slice) => list(slice.endpoints));
  if (!endpoints.some((endpoint) => at(endpoint, "conditions", "ready") !== false)) {
    reasons.push("no ready pod behind the service");
  }
  return reasons;
}

async function claim(object: KubernetesObject, cluster: Cluster): Promise<string[]> {
  if (at(object, "status", "phase") === "Bound") return [];
  const name = at(object, "spec", "storageClassName");
  if (typeof name === "string" && name) {
    const storageClass = await cluster.get({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", name });
    // Bound when the first pod uses it, and that pod may wait for us.
    if (storageClass?.volumeBindingMode === "WaitForFirstConsumer") return [];
  }
  return [`phase is ${at(object, "status", "phase") ?? "not set"}, not Bound`];
}

const phase =
  (...accepted: string[]): Check =>
  (object) => {
    const found = String(at(object, "status", "phase") ?? "not set");
    return accepted.includes(found) ? [] : [`phase is ${found}, not ${accepted.join(" or ")}`];
  };

const checks: Record<string, Check> = {
  "v1/Pod": pod,
  "v1/Service": service,
  "v1/Namespace": phase("Active"),
  "v1/PersistentVolume": phase("Available", "Bound"),
  "v1/PersistentVolumeClaim": claim,
  "apps/v1/Deployment": deployment,
  "apps/v1/StatefulSet": statefulSet,
  "apps/v1/DaemonSet": daemonSet,
  "batch/v1/Job": job,
  "networking.k8s.io/v1/Ingress": (object) =>
    list(at(object, "status", "loadBalancer", "ingress")).length > 0
      ? []
      : ["the ingress has no address yet"],
  "apiextensions.k8s.io/v1/CustomResourceDefinition": (object) => lacks(object, "Established"),
  "apiregistration.k8s.io/v1/APIService": (object) => lacks(object, "Available"),
};

/** Why an object is not ready yet; empty when it is, or when there is nothing to wait for. Throws `Failed`. */
export async function pending(object: KubernetesObject, cluster: Cluster): Promise<string[]> {
  return (await checks[`${object.apiVersion}/${object.kind}`]?.(object, cluster)) ?? [];
}
