import type { Cluster } from "./cluster.ts";
import { at, isPlain, type KubernetesObject, list, type Plain } from "./objects.ts";
import { condition } from "./readiness.ts";

const MOST_PODS = 5;
const MOST_EVENTS = 5;

/** What the cluster tells about an object that does not become ready: its pods' troubles and warnings. */
export async function symptoms(object: KubernetesObject, cluster: Cluster): Promise<string[]> {
  try {
    const pods = await podsOf(object, cluster);
    const troubled = pods.filter((pod) => troubles(pod).length > 0).slice(0, MOST_PODS);
    const lines = troubled.map((pod) => `Pod ${pod.metadata.name}: ${troubles(pod).join("; ")}`);
    return [...lines, ...(await warnings([object, ...troubled], cluster))];
  } catch (error) {
    // Whoever may create an object may still be forbidden to list pods and events.
    return [`its pods and events cannot be read: ${error instanceof Error ? error.message : error}`];
  }
}

async function podsOf(object: KubernetesObject, cluster: Cluster): Promise<KubernetesObject[]> {
  if (object.kind === "Pod") return [object];
  const selector = at(object, "spec", "selector", "matchLabels") ?? at(object, "spec", "selector");
  if (!isPlain(selector)) return [];
  const labels = Object.entries(selector).map(([name, value]) => `${name}=${value}`);
  const { namespace } = object.metadata;
  return cluster.list({ apiVersion: "v1", kind: "Pod", namespace }, { labels: labels.join(",") });
}

function troubles(pod: KubernetesObject): string[] {
  const scheduled = condition(pod, "PodScheduled");
  if (scheduled?.status === "False") return [`${scheduled.reason}: ${scheduled.message}`];
  const statuses = ["initContainerStatuses", "containerStatuses"].flatMap(
    (field) => list(at(pod, "status", field)) as Plain[],
  );
  const stuck = statuses.flatMap((container) => {
    const state = at(container, "state", "waiting") ?? at(container, "state", "terminated");
    if (!isPlain(state) || state.reason === "Completed") return [];
    return [`container ${container.name}: ${[state.reason, state.message].filter(Boolean).join(": ")}`];
  });
  if (stuck.length > 0) return stuck;
  const ready = condition(pod, "Ready");
  if (ready?.status === "True" || at(pod, "status", "phase") === "Succeeded") return [];
  return [ready ? `not ready: ${ready.reason ?? ""} ${ready.message ?? ""}`.trimEnd() : "not ready"];
}

async function warnings(objects: KubernetesObject[], cluster: Cluster): Promise<string[]> {
  const events = await Promise.all(
    objects.map(({ metadata: { uid, namespace } }) =>
      cluster.list(
        { apiVersion: "v1", kind: "Event", namespace },
        { fields: `involvedObject.uid=${uid},type=Warning` },
      ),
    ),
  );
  const newest = events.flat().slice(-MOST_EVENTS);
  return newest.map(
    (event) => `event ${event.reason} on ${at(event, "involvedObject", "name")}: ${event.message}`,
  );
}
