import { differingPaths } from "../../../components/provider/difference.ts";
import { isAutonamed } from "./naming.ts";
import { at, type Plain } from "./objects.ts";
import type { Settings } from "./settings.ts";

/** Fields that the API server refuses to change, by API version and kind; `except` may change inside them. */
const immutable: Record<string, { fields: string[]; except?: RegExp }> = {
  "v1/ConfigMap": { fields: ["data", "binaryData", "immutable"] },
  "v1/Secret": { fields: ["type", "data", "stringData", "immutable"] },
  "v1/Service": { fields: ["spec.clusterIP", "spec.clusterIPs"] },
  "v1/Pod": {
    fields: ["spec"],
    except: /^spec\.((initContainers|containers)\[\d+\]\.image|activeDeadlineSeconds|tolerations.*)$/,
  },
  "v1/PersistentVolumeClaim": { fields: ["spec"], except: /^spec\.resources\b/ },
  "v1/PersistentVolume": {
    fields: ["spec"],
    except:
      /^spec\.(accessModes|capacity|claimRef|mountOptions|persistentVolumeReclaimPolicy|storageClassName)\b/,
  },
  "apps/v1/Deployment": { fields: ["spec.selector"] },
  "apps/v1/ReplicaSet": { fields: ["spec.selector"] },
  "apps/v1/DaemonSet": { fields: ["spec.selector"] },
  "apps/v1/StatefulSet": {
    fields: ["spec.podManagementPolicy", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"],
  },
  "batch/v1/Job": {
    fields: ["spec.completionMode", "spec.completions", "spec.selector", "spec.template"],
  },
  "rbac.authorization.k8s.io/v1/RoleBinding": { fields: ["roleRef"] },
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": { fields: ["roleRef"] },
  "storage.k8s.io/v1/StorageClass": {
    fields: ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"],
  },
  "scheduling.k8s.io/v1/PriorityClass": { fields: ["value", "preemptionPolicy"] },
  "node.k8s.io/v1/RuntimeClass": { fields: ["handler"] },
};

const identity = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];

export interface Change {
  /** Every path that differs. */
  paths: string[];
  /** Those among them that need a new object. */
  replace: string[];
  deleteBeforeReplace: boolean;
}

/** What differs between two sets of inputs, and what of it the API server cannot change in place. */
export function changeOf(old: Plain, inputs: Plain, settings: Settings): Change {
  const paths = differingPaths(old, inputs);
  const rule = ruleOf(inputs, settings);
  const replace = paths.filter(
    (path) => within(path, identity) || (within(path, rule.fields) && !rule.except?.test(path)),
  );
  const sameName = ["name", "namespace"].every(
    (field) => at(old, "metadata", field) === at(inputs, "metadata", field),
  );
  return { paths, replace, deleteBeforeReplace: replace.length > 0 && sameName && !isAutonamed(inputs) };
}

function ruleOf(inputs: Plain, settings: Settings): { fields: string[]; except?: RegExp } {
  const kind = `${inputs.apiVersion}/${inputs.kind}`;
  if (kind === "v1/ConfigMap" && settings.enableConfigMapMutable) return { fields: ["immutable"] };
  if (kind === "v1/Secret" && settings.enableSecretMutable) return { fields: ["type", "immutable"] };
  return immutable[kind] ?? { fields: [] };
}

/** A path lies in a field, or was cut short above it because all of it came or went. */
function within(path: string, fields: readonly string[]): boolean {
  return fields.some(
    (field) =>
      path === field ||
      path.startsWith(`${field}.`) ||
      path.startsWith(`${field}[`) ||
      field.startsWith(`${path}.`),
  );
}
