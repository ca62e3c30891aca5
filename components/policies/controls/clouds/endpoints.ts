import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isFalse, isKnown, isTrue } from "../../value.ts";
import {
  cloudControl,
  component,
  get,
  isEmpty,
  items,
  mayBeOn,
  NOTHING_SAID,
  type Place,
  part,
  said,
  whole,
} from "./cloud.ts";
import { worldIn } from "./ranges.ts";
import { AKS, AKS_CLASSIC, EKS, EKS_COMPONENT, EKS_NATIVE, GKE } from "./types.ts";

const EVERYONE = "the API server answers everyone";

/** An endpoint that is public lets in a list of ranges, and nothing is as good as everyone. */
function* mustBeNarrow(place: Place, key: string, path: string): Generator<Finding> {
  const { value, path: list } = part(place, key);
  if (!isKnown(value)) return;
  if (isEmpty(value)) return yield { path, what: EVERYONE };
  for (const each of worldIn(items(place, key), list)) yield { path: each, what: EVERYONE };
}

/** EKS: public is the default. */
function* eks(place: Place): Generator<Finding> {
  const { value, path } = part(place, "endpointPublicAccess");
  if (!isKnown(value) || isFalse(value)) return;
  yield* mustBeNarrow(place, "publicAccessCidrs", path);
}

function* aks(place: Place, isPrivate: unknown, ranges: string): Generator<Finding> {
  if (mayBeOn(isPrivate)) return;
  yield* mustBeNarrow(place, ranges, part(place, ranges).path);
}

function* gke(place: Place): Generator<Finding> {
  yield* googleEndpoints(place);
  const isClosed = mayBeOn(get(place.value, "privateClusterConfig.enablePrivateEndpoint"));
  const hasAddress = get(place.value, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled");
  if (isClosed || !isKnown(hasAddress) || isFalse(hasAddress)) return;
  const { value, path } = part(place, "masterAuthorizedNetworksConfig");
  if (!isKnown(value)) return;
  if (value === undefined || value === null) return yield { path, what: `${NOTHING_SAID}; ${EVERYONE}` };
  const blocks = items(place, `${path}.cidrBlocks`).map((block) => part(block, "cidrBlock"));
  for (const each of worldIn(blocks, `${path}.cidrBlocks`)) yield { path: each, what: EVERYONE };
  const google = part(place, `${path}.gcpPublicCidrsAccessEnabled`);
  if (isTrue(google.value)) yield { path: google.path, what: "whoever rents a machine there is let in" };
}

function* googleEndpoints(place: Place): Generator<Finding> {
  const name = part(place, "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic");
  if (isTrue(name.value)) yield { path: name.path, what: EVERYONE };
}

export const publicEndpoint: Control = cloudControl(
  {
    id: "public-endpoint",
    practice: "network-segmentation",
    title: "The API server of a cluster answers the site's own networks alone",
    remedy: "make the endpoint private, or list the ranges that may reach it",
    source: "CIS benchmarks of EKS, AKS and GKE",
  },
  {
    [EKS]: (props) => eks(part(whole(props), "vpcConfig")),
    [EKS_NATIVE]: (props) => eks(part(whole(props), "resourcesVpcConfig")),
    [EKS_COMPONENT]: component((props) => eks(whole(props))),
    [AKS]: (props) =>
      aks(
        whole(props),
        get(props, "apiServerAccessProfile.enablePrivateCluster"),
        "apiServerAccessProfile.authorizedIPRanges",
      ),
    [AKS_CLASSIC]: (props) =>
      aks(
        whole(props),
        props.privateClusterEnabled,
        said(whole(props), "apiServerAccessProfile.authorizedIpRanges", "apiServerAuthorizedIpRanges"),
      ),
    [GKE]: (props) => gke(whole(props)),
  },
);
