import type { Finding } from "../../resource.ts";
import { textOf } from "../../value.ts";
import { cloudControl, forTypes, items, type Place, part, whole } from "./cloud.ts";
import { EKS_NODES, EKS_NODES_NATIVE, GKE, GKE_POOL } from "./types.ts";

/** Windows has one image; the others are general distributions, or have Docker in them. */
const OF_GKE = /^(?:cos_containerd|windows_\w+)$/i;

function* gke(place: Place): Generator<Finding> {
  const { value, path } = part(place, "nodeConfig.imageType");
  const image = textOf(value);
  if (image !== undefined && image !== "" && !OF_GKE.test(image)) yield { path };
}

/** Nodes' images; where nothing is said, both clouds take a minimal one. AKS has no default that is. */
export const minimalHost = cloudControl(
  {
    id: "minimal-host",
    practice: "minimal-host",
    title: "Nodes run an operating system that is made for containers and still maintained",
    remedy: "use Bottlerocket or Amazon Linux 2023 (EKS), COS_CONTAINERD (GKE), or leave it out",
    source: "CIS benchmark of GKE",
  },
  {
    ...forTypes([EKS_NODES, EKS_NODES_NATIVE], function* (props) {
      // Amazon Linux 2 gets no new images since November 2025.
      if (/^AL2_/.test(textOf(props.amiType) ?? "")) yield { path: "amiType" };
    }),
    *[GKE](props) {
      yield* gke(whole(props));
      for (const each of items(whole(props), "nodePools")) yield* gke(each);
    },
    [GKE_POOL]: (props) => gke(whole(props)),
  },
);
