import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import type { Settings } from "../../settings.ts";
import { isAbsent, isKnown, isTrue, listOf, numberOf } from "../../value.ts";
import {
  cloudControl,
  forTypes,
  get,
  items,
  mayBeOn,
  nodesOfEks,
  type Place,
  part,
  said,
  whole,
} from "./cloud.ts";
import {
  AKS,
  AKS_CLASSIC,
  AKS_POOL,
  AKS_POOL_CLASSIC,
  AZURE_SCALE_SET,
  AZURE_SCALE_SET_MIXED,
  AZURE_SCALE_SETS_CLASSIC,
  EKS_COMPONENT,
  EKS_MANAGED_NODES,
  EKS_NODES,
  EKS_NODES_COMPONENTS,
  EKS_NODES_NATIVE,
  GKE,
  GKE_POOL,
  SPOT_FLEET,
} from "./types.ts";

const TOO_MANY = "it is above the site's highest";
const NO_MAXIMUM = "there is no maximum";

/** A number of machines that is not above the site's; where there is none, clouds have a small one. */
function* atMost(place: Place, key: string, { maxGroupSize }: Settings, times = 1): Generator<Finding> {
  const { value, path } = part(place, key);
  const number = numberOf(value);
  if (number !== undefined && number * times > maxGroupSize) yield { path, what: TOO_MANY };
}

/** A number that has to be there as well. */
function* maximum(place: Place, key: string, settings: Settings): Generator<Finding> {
  const { value, path } = part(place, key);
  if (isAbsent(value)) yield { path, what: NO_MAXIMUM };
  else yield* atMost(place, key, settings);
}

/** A pool of AKS grows by itself when it is told to, and then needs a maximum. */
function* aksPool(place: Place, grows: unknown, count: string, settings: Settings): Generator<Finding> {
  yield* isTrue(grows) ? maximum(place, "maxCount", settings) : atMost(place, "maxCount", settings);
  yield* atMost(place, count, settings);
}

const nativePool = (place: Place, settings: Settings) =>
  aksPool(place, get(place.value, "enableAutoScaling"), "count", settings);

const classicPool = (place: Place, settings: Settings) =>
  aksPool(
    place,
    get(place.value, said(place, "autoScalingEnabled", "enableAutoScaling")),
    "nodeCount",
    settings,
  );

/** Numbers of a pool of GKE are those of each zone, except the total. */
function* gkePool(place: Place, settings: Settings): Generator<Finding> {
  const zones = Math.max(1, listOf(get(place.value, "nodeLocations")).length);
  const { value, path } = part(place, "autoscaling");
  yield* atMost(place, "autoscaling.totalMaxNodeCount", settings);
  const [each, total] = [get(value, "maxNodeCount"), get(value, "totalMaxNodeCount")];
  if (isAbsent(total)) yield* atMost(place, "autoscaling.maxNodeCount", settings, zones);
  if (isKnown(value) && !isAbsent(value) && isAbsent(each) && isAbsent(total))
    yield { path: `${path}.maxNodeCount`, what: NO_MAXIMUM };
  yield* atMost(place, "nodeCount", settings, zones);
  yield* atMost(place, "initialNodeCount", settings, zones);
}

/** Pools that GKE makes by itself are bounded by processors and memory. */
function* gke(place: Place, settings: Settings): Generator<Finding> {
  yield* atMost(place, "initialNodeCount", settings);
  for (const pool of items(place, "nodePools")) yield* gkePool(pool, settings);
  const { value, path } = part(place, "clusterAutoscaling");
  const limits = get(value, "resourceLimits");
  if (!isTrue(get(value, "enabled")) || mayBeOn(get(place.value, "enableAutopilot")) || !isKnown(limits))
    return;
  const types = listOf(limits).map((limit) => get(limit, "resourceType"));
  if (types.every(isKnown) && !["cpu", "memory"].every((type) => types.includes(type)))
    yield { path: `${path}.resourceLimits`, what: "cpu or memory has no maximum" };
  for (const limit of items(place, "clusterAutoscaling.resourceLimits")) {
    const most = part(limit, "maximum");
    if (isAbsent(most.value)) yield { path: most.path, what: NO_MAXIMUM };
  }
}

function* profiles(place: Place, settings: Settings): Generator<Finding> {
  for (const profile of items(place, "profiles")) yield* maximum(profile, "capacity.maximum", settings);
}

export const groupMaximum: Control = cloudControl(
  {
    id: "group-maximum",
    practice: "resource-limits",
    title: "A group of machines grows to a maximum, which the site allows",
    remedy: "give the group a maximum, at most settings.maxGroupSize",
  },
  {
    ...forTypes(
      ["aws:autoscaling/group:Group", "aws-native:autoscaling:AutoScalingGroup"],
      (props, settings) => maximum(whole(props), "maxSize", settings),
    ),
    ...forTypes([EKS_NODES], (props, settings) => maximum(whole(props), "scalingConfig.maxSize", settings)),
    ...forTypes([EKS_NODES_NATIVE, EKS_MANAGED_NODES], (props, settings) =>
      atMost(whole(props), "scalingConfig.maxSize", settings),
    ),
    *[EKS_COMPONENT](props, settings) {
      for (const place of nodesOfEks(props)) yield* atMost(place, "maxSize", settings);
    },
    ...forTypes(EKS_NODES_COMPONENTS, (props, settings) => atMost(whole(props), "maxSize", settings)),
    "aws:ec2/fleet:Fleet": (props, settings) =>
      atMost(whole(props), "targetCapacitySpecification.totalTargetCapacity", settings),
    "aws-native:ec2:Ec2Fleet": (props, settings) =>
      atMost(whole(props), "targetCapacitySpecification.totalTargetCapacity", settings),
    [SPOT_FLEET]: (props, settings) => atMost(whole(props), "targetCapacity", settings),
    *[AKS](props, settings) {
      for (const pool of items(whole(props), "agentPoolProfiles")) yield* nativePool(pool, settings);
    },
    [AKS_POOL]: (props, settings) => nativePool(whole(props), settings),
    [AKS_CLASSIC]: (props, settings) => classicPool(part(whole(props), "defaultNodePool"), settings),
    [AKS_POOL_CLASSIC]: (props, settings) => classicPool(whole(props), settings),
    [AZURE_SCALE_SET]: (props, settings) => atMost(whole(props), "sku.capacity", settings),
    ...forTypes([...AZURE_SCALE_SETS_CLASSIC, AZURE_SCALE_SET_MIXED], (props, settings) =>
      atMost(whole(props), "instances", settings),
    ),
    ...forTypes(
      [
        "azure-native:monitor:AutoscaleSetting",
        "azure-native:insights:AutoscaleSetting",
        "azure:monitoring/autoscaleSetting:AutoscaleSetting",
      ],
      (props, settings) => profiles(whole(props), settings),
    ),
    [GKE]: (props, settings) => gke(whole(props), settings),
    [GKE_POOL]: (props, settings) => gkePool(whole(props), settings),
    ...forTypes(
      ["gcp:compute/autoscaler:Autoscaler", "gcp:compute/regionAutoscaler:RegionAutoscaler"],
      (props, settings) => maximum(whole(props), "autoscalingPolicy.maxReplicas", settings),
    ),
    ...forTypes(
      [
        "gcp:compute/instanceGroupManager:InstanceGroupManager",
        "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager",
      ],
      (props, settings) => atMost(whole(props), "targetSize", settings),
    ),
  },
);
