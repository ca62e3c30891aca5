import { DEFAULT_POLICIES, isRouted, type NetworkMode, type Policies } from "../../model/network.ts";
import { cilium } from "./cilium.ts";
import { flannel } from "./flannel.ts";
import { isolated } from "./isolated.ts";
import type { PodNetwork, PodNetworkArgs, Way } from "./pod-network.ts";
import { routed } from "./routed.ts";
import { routes } from "./routes.ts";
import { underlay } from "./underlay.ts";

const byPolicies =
  (ways: Record<Policies, Way>): Way =>
  (args) =>
    ways["policies" in args.network ? args.network.policies : DEFAULT_POLICIES](args);

const onOneLink = byPolicies({ enforced: cilium, unenforced: routed });

const bySite =
  (byRoutes: Way, byAddresses: Way): Way =>
  (args) =>
    (isRouted(args.network) ? byRoutes : byAddresses)(args);

/** How pods' packets are carried in each mode. */
const WAYS: Record<NetworkMode, Way> = {
  none: isolated,
  host: isolated,
  bridge: onOneLink,
  overlay: byPolicies({ enforced: cilium, unenforced: flannel }),
  underlay: bySite(routes(onOneLink), underlay(onOneLink)),
};

export function podNetworkOf(args: PodNetworkArgs): PodNetwork {
  return WAYS[args.network.mode](args);
}
