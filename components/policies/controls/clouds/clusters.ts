import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isKnown, isTrue, listOf, textOf } from "../../value.ts";
import {
  cloudControl,
  component,
  documentOf,
  forTypes,
  get,
  items,
  mayBeAutomatic,
  mayBeOn,
  mustBeOn,
  mustBeOneOf,
  mustBeThere,
  mustNotBeOff,
  type Place,
  part,
  whole,
} from "./cloud.ts";
import {
  AKS,
  AKS_CLASSIC,
  EKS,
  EKS_ADDON_COMPONENT,
  EKS_COMPONENT,
  EKS_NATIVE,
  EKS_NETWORK_COMPONENT,
  GKE,
} from "./types.ts";

const source = "CIS benchmarks of EKS, AKS and GKE";

/** An encryption of EKS names a key; it has but one kind of resource, secrets. */
function* keyOfEks(place: Place, key: string, arn: string): Generator<Finding> {
  yield* mustBeThere(place, key);
  for (const each of items(place, key)) if (isKnown(each.value)) yield* mustBeThere(each, arn);
}

function* keyOfAks(place: Place): Generator<Finding> {
  const service = get(place.value, "securityProfile.kubernetesResourceObjectEncryptionProfile");
  const own = get(service, "infrastructureEncryption");
  if (!isKnown(own) || own === "Enabled") return;
  yield* mustBeOn(place, "securityProfile.azureKeyVaultKms.enabled");
}

/** Clouds encrypt what they store with keys of their own; secrets are worth one that the site can take away. */
const clusterEncryption = cloudControl(
  {
    id: "cluster-encryption",
    practice: "secrets",
    title: "A cluster's secrets are encrypted with a key of the site's own",
    remedy: "name a key of the cloud's key service for the cluster's secrets",
    source,
  },
  {
    [EKS]: (props) => keyOfEks(whole(props), "encryptionConfig", "provider.keyArn"),
    [EKS_NATIVE]: (props) => keyOfEks(whole(props), "encryptionConfig", "provider.keyArn"),
    [EKS_COMPONENT]: component((props) => mustBeThere(whole(props), "encryptionConfigKeyArn")),
    [AKS]: (props) => keyOfAks(whole(props)),
    [AKS_CLASSIC]: (props) => mustBeThere(whole(props), "keyManagementService.keyVaultKeyId"),
    [GKE]: (props) =>
      mustBeOneOf(whole(props), "databaseEncryption.state", ["ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"]),
  },
);

const LOGS = ["api", "audit", "authenticator"];

function* logsOfEks(place: Place, key: string, name: (entry: unknown) => unknown): Generator<Finding> {
  const { value, path } = part(place, key);
  const names = listOf(value).map(name);
  if (!isKnown(value) || names.some((each) => !isKnown(each))) return;
  const missing = LOGS.filter((log) => !names.includes(log));
  if (missing.length > 0) yield { path, what: `without ${missing.join(", ")}` };
}

function* logsOfAks(place: Place): Generator<Finding> {
  const ways = [
    "addonProfiles.omsagent.enabled",
    "addonProfiles.omsAgent.enabled",
    "azureMonitorProfile.containerInsights.enabled",
  ];
  if (ways.some((way) => mayBeOn(get(place.value, way)))) return;
  yield* mustBeOn(place, ways.find((way) => !isAbsent(get(place.value, way))) ?? ways[0]!);
}

function* logsOfAksClassic(place: Place): Generator<Finding> {
  if (mayBeOn(get(place.value, "addonProfile.omsAgent.enabled"))) return;
  yield* mustBeThere(place, "omsAgent.logAnalyticsWorkspaceId");
}

/** GKE logs its system's components where nothing is said, and audits always. */
function* logsOfGke(place: Place): Generator<Finding> {
  const service = part(place, "loggingService");
  if (textOf(service.value) === "none") yield { path: service.path };
  const components = part(place, "loggingConfig.enableComponents");
  const names = listOf(components.value);
  if (isAbsent(components.value) || !isKnown(components.value) || names.some((name) => !isKnown(name)))
    return;
  if (!names.includes("SYSTEM_COMPONENTS"))
    yield { path: components.path, what: "without SYSTEM_COMPONENTS" };
}

const clusterLogs = cloudControl(
  {
    id: "cluster-logs",
    practice: "audit",
    title: "What is done to a cluster is logged",
    remedy:
      "send the logs of the control plane (EKS: api, audit, authenticator) and of the system to the cloud's log service",
    source,
  },
  {
    [EKS]: (props) => logsOfEks(whole(props), "enabledClusterLogTypes", (name) => name),
    [EKS_NATIVE]: (props) =>
      logsOfEks(whole(props), "logging.clusterLogging.enabledTypes", (entry) => get(entry, "type")),
    [EKS_COMPONENT]: component((props) => logsOfEks(whole(props), "enabledClusterLogTypes", (name) => name)),
    [AKS]: (props) => logsOfAks(whole(props)),
    [AKS_CLASSIC]: (props) => logsOfAksClassic(whole(props)),
    [GKE]: (props) => logsOfGke(whole(props)),
  },
);

/** Pods of EKS get roles by themselves: by an association, or by the cluster's OpenID issuer, always there. */
const workloadIdentity = cloudControl(
  {
    id: "workload-identity",
    practice: "least-privilege",
    title: "Pods reach the cloud by an identity of their own, not by their machine's",
    remedy: "switch on workload identity (AKS: and the OpenID issuer)",
    source: "CIS benchmark of GKE",
  },
  {
    *[AKS](props) {
      const judge = mayBeAutomatic(props) ? mustNotBeOff : mustBeOn;
      yield* judge(whole(props), "oidcIssuerProfile.enabled");
      yield* judge(whole(props), "securityProfile.workloadIdentity.enabled");
    },
    *[AKS_CLASSIC](props) {
      yield* mustBeOn(whole(props), "oidcIssuerEnabled");
      yield* mustBeOn(whole(props), "workloadIdentityEnabled");
    },
    [GKE]: (props) =>
      mayBeOn(props.enableAutopilot) ? [] : mustBeThere(whole(props), "workloadIdentityConfig.workloadPool"),
  },
);

const ENGINES = ["azure", "calico", "cilium"];

function* policiesOfAks(place: Place, dataplane: string, otherwise?: string): Generator<Finding> {
  const value = get(place.value, dataplane);
  if (!isKnown(value) || textOf(value)?.toLowerCase() === "cilium") return;
  yield* mustBeOneOf(place, "networkProfile.networkPolicy", ENGINES, otherwise);
}

function* policiesOfGke(place: Place): Generator<Finding> {
  const { enableAutopilot, datapathProvider } = place.value as Record<string, unknown>;
  if (mayBeOn(enableAutopilot) || !isKnown(datapathProvider) || datapathProvider === "ADVANCED_DATAPATH")
    return;
  yield* mustBeOn(place, "networkPolicy.enabled");
  yield* isTrue(get(place.value, "addonsConfig.networkPolicyConfig.disabled"))
    ? [{ path: "addonsConfig.networkPolicyConfig.disabled" }]
    : [];
}

/** The network of EKS enforces nothing until its add-on is told to. */
function* policiesOfEks(place: Place): Generator<Finding> {
  const { addonName, configurationValues } = place.value as Record<string, unknown>;
  if (addonName !== "vpc-cni" || !isKnown(configurationValues)) return;
  const value = get(documentOf(configurationValues), "enableNetworkPolicy");
  if (isKnown(value) && !isTrue(value))
    yield { path: "configurationValues", what: "enableNetworkPolicy is not on" };
}

const clusterNetworkPolicy = cloudControl(
  {
    id: "cluster-network-policy",
    practice: "network-segmentation",
    title: "Network policies take effect in a cluster",
    remedy:
      "switch on an engine of network policies: datapathProvider ADVANCED_DATAPATH or networkPolicy of GKE, networkProfile.networkPolicy of AKS, enableNetworkPolicy of EKS's add-on vpc-cni",
    source,
  },
  {
    ...forTypes(["aws:eks/addon:Addon", "aws-native:eks:Addon", EKS_ADDON_COMPONENT], (props) =>
      policiesOfEks(whole(props)),
    ),
    [EKS_COMPONENT]: (props) => mustNotBeOff(whole(props), "vpcCniOptions.enableNetworkPolicy"),
    [EKS_NETWORK_COMPONENT]: (props) => mustNotBeOff(whole(props), "enableNetworkPolicy"),
    [AKS]: (props) =>
      policiesOfAks(
        whole(props),
        "networkProfile.networkDataplane",
        mayBeAutomatic(props) ? "cilium" : undefined,
      ),
    [AKS_CLASSIC]: (props) => policiesOfAks(whole(props), "networkProfile.networkDataPlane"),
    [GKE]: (props) => policiesOfGke(whole(props)),
  },
);

export const clusters: readonly Control[] = [
  clusterEncryption,
  clusterLogs,
  workloadIdentity,
  clusterNetworkPolicy,
];
