import type { Finding } from "../../resource.ts";
import { textOf } from "../../value.ts";
import { cloudControl, forTypes, items, nodesOfEks, type Place, part, whole } from "./cloud.ts";
import {
  AKS,
  AKS_CLASSIC,
  AKS_POOL,
  AKS_POOL_CLASSIC,
  EKS_COMPONENT,
  EKS_MANAGED_NODES,
  EKS_NODES,
  EKS_NODES_COMPONENTS,
  EKS_NODES_NATIVE,
  GKE,
  GKE_POOL,
} from "./types.ts";

/** Windows has one image; the others are general distributions, or have Docker in them. */
const OF_GKE = /^(?:cos_containerd|windows_\w+)$/i;

function* gke(place: Place): Generator<Finding> {
  const { value, path } = part(place, "nodeConfig.imageType");
  const image = textOf(value);
  if (image !== undefined && image !== "" && !OF_GKE.test(image)) yield { path };
}

/**
 * General distributions, and what Azure gives no patches any more: Azure Linux 2 since November 2025, Windows Server
 * 2019 since March 2026.
 */
const REFUSED_OF_AKS = /^(?:ubuntu\w*|cblmariner|mariner|windows2019)$/i;

function* aks(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (REFUSED_OF_AKS.test(textOf(value) ?? "")) yield { path };
}

/** Amazon Linux 2 gets no new images since November 2025. */
function* eks(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (/^AL2(?:_|$)/.test(textOf(value) ?? "")) yield { path };
}

/** Nodes' images; where nothing is said, clouds take one that they maintain, minimal but for AKS, whose own is Ubuntu. */
export const minimalHost = cloudControl(
  {
    id: "minimal-host",
    practice: "minimal-host",
    title: "Nodes run an operating system that is made for containers and still maintained",
    remedy:
      "use Bottlerocket or Amazon Linux 2023 (EKS), AzureLinux (AKS), COS_CONTAINERD (GKE), or leave it out",
    source: "CIS benchmark of GKE",
  },
  {
    ...forTypes([EKS_NODES, EKS_NODES_NATIVE], (props) => eks(whole(props), "amiType")),
    ...forTypes([EKS_MANAGED_NODES, ...EKS_NODES_COMPONENTS], function* (props) {
      yield* eks(whole(props), "amiType");
      yield* eks(whole(props), "operatingSystem");
    }),
    *[EKS_COMPONENT](props) {
      for (const place of nodesOfEks(props)) {
        yield* eks(place, "amiType");
        yield* eks(place, "operatingSystem");
      }
    },
    *[AKS](props) {
      for (const each of items(whole(props), "agentPoolProfiles")) yield* aks(each, "osSKU");
    },
    [AKS_POOL]: (props) => aks(whole(props), "osSKU"),
    [AKS_CLASSIC]: (props) => aks(whole(props), "defaultNodePool.osSku"),
    [AKS_POOL_CLASSIC]: (props) => aks(whole(props), "osSku"),
    *[GKE](props) {
      yield* gke(whole(props));
      for (const each of items(whole(props), "nodePools")) yield* gke(each);
    },
    [GKE_POOL]: (props) => gke(whole(props)),
  },
);
