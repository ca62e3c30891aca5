import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { at, isAbsent, isKnown, isObject, isTrue, numberOf } from "../../value.ts";
import {
  cloudControl,
  forTypes,
  get,
  items,
  mayBeOn,
  mustBeOneOf,
  mustNotBeOff,
  type Place,
  part,
  whole,
} from "./cloud.ts";
import {
  EC2_MACHINES,
  EKS_MANAGED_NODES,
  EKS_NODES_COMPONENTS,
  GKE,
  GKE_POOL,
  LAUNCH_TEMPLATE_NATIVE,
} from "./types.ts";

/** The answer of a machine with a template, of which the template may hold the part that is not said here. */
export const mayTakeFrom = (place: Place, key: string): boolean =>
  !isAbsent(get(place.value, "launchTemplate")) && isAbsent(get(place.value, key));

/** A token proves that who asks can send more than one request of a fixed kind; a second hop is a container. */
function* metadataOfEc2(place: Place): Generator<Finding> {
  const endpoint = get(place.value, "metadataOptions.httpEndpoint");
  if (!isKnown(endpoint) || endpoint === "disabled") return;
  if (!mayTakeFrom(place, "metadataOptions.httpTokens"))
    yield* mustBeOneOf(place, "metadataOptions.httpTokens", ["required"]);
  yield* hops(place, "metadataOptions.httpPutResponseHopLimit");
}

/** What an account's machines have where they say nothing; a limit of -1 says nothing itself. */
function* defaultsOfEc2(place: Place): Generator<Finding> {
  const tokens = part(place, "httpTokens");
  if (tokens.value === "optional") yield { path: tokens.path };
  yield* hops(place, "httpPutResponseHopLimit");
}

function* hops(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if ((numberOf(value) ?? 1) > 1) yield { path, what: "containers reach it" };
}

/** What each machine of GKE is made of, of a cluster or of a pool. Autopilot's are Google's to make. */
function nodesOfGke(place: Place): Place[] {
  const cluster = place.value;
  if (mayBeOn(get(cluster, "enableAutopilot"))) return [];
  const pools = get(cluster, "nodePools");
  if (!isKnown(pools)) return [];
  if (!isAbsent(pools)) return items(place, "nodePools").map((pool) => part(pool, "nodeConfig"));
  return mayBeOn(get(cluster, "removeDefaultNodePool")) ? [] : [part(place, "nodeConfig")];
}

function* metadataOfGke(node: Place): Generator<Finding> {
  const old = get(node.value, "workloadMetadataConfig.nodeMetadata");
  if (isKnown(old) && old !== "GKE_METADATA_SERVER")
    yield* mustBeOneOf(node, "workloadMetadataConfig.mode", ["GKE_METADATA"]);
  // GKE switches the old endpoints off unless metadata are given that do not.
  const metadata = part(node, "metadata");
  if (!isObject(metadata.value)) return;
  const legacy = at(metadata.value, "disable-legacy-endpoints");
  if (isKnown(legacy) && !isTrue(legacy)) yield { path: `${metadata.path}["disable-legacy-endpoints"]` };
}

/** The metadata of Azure and of Google's own machines are for whoever sends a header, and know no tokens. */
export const nodeMetadata: Control = cloudControl(
  {
    id: "node-metadata",
    practice: "isolation",
    title: "A machine's metadata, and so its role, are for the machine, not for what runs in containers",
    remedy:
      "set metadataOptions.httpTokens to required and httpPutResponseHopLimit to 1; in GKE set workloadMetadataConfig.mode to GKE_METADATA and leave the old endpoints off",
    source: "CIS benchmark of GKE",
  },
  {
    ...forTypes(EC2_MACHINES, (props) => metadataOfEc2(whole(props))),
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": (props) => defaultsOfEc2(whole(props)),
    [LAUNCH_TEMPLATE_NATIVE]: (props) => metadataOfEc2(part(whole(props), "launchTemplateData")),
    // What these leave out, the resources that they make say.
    ...forTypes(EKS_NODES_COMPONENTS, (props) =>
      isAbsent(props.metadataOptions) ? [] : metadataOfEc2(whole(props)),
    ),
    [EKS_MANAGED_NODES]: (props) => mustNotBeOff(whole(props), "enableIMDSv2"),
    *[GKE](props) {
      for (const node of nodesOfGke(whole(props))) yield* metadataOfGke(node);
    },
    [GKE_POOL]: (props) => metadataOfGke(part(whole(props), "nodeConfig")),
  },
);
