import { quote } from "../../model/names.ts";
import { DEFAULT_POLICIES, type Network, type NetworkMode, type Policies } from "../../model/network.ts";
import type { Problem } from "../../model/problem.ts";
import { cilium } from "./cilium.ts";
import { flannel } from "./flannel.ts";
import type { PodNetwork, PodNetworkArgs } from "./pod-network.ts";
import { routed } from "./routed.ts";

type Way = (args: PodNetworkArgs) => PodNetwork;

const byPolicies =
  (ways: Record<Policies, Way>): Way =>
  (args) =>
    ways["policies" in args.network ? args.network.policies : DEFAULT_POLICIES](args);

/** How pods' packets are carried in each mode. @default a mode is not in this version */
const WAYS: Partial<Record<NetworkMode, Way>> = {
  bridge: byPolicies({ enforced: cilium, unenforced: routed }),
  overlay: byPolicies({ enforced: cilium, unenforced: flannel }),
};

/** The way of a network that `podNetworkProblems` has nothing against. */
export function podNetworkOf(args: PodNetworkArgs): PodNetwork {
  return WAYS[args.network.mode]!(args);
}

/** What of a valid network nothing here can carry out. */
export function podNetworkProblems(network: Network): Problem[] {
  if (network.mode in WAYS) return [];
  const found = `mode ${quote(network.mode)} is not in this version`;
  return [{ path: "network.mode", found, remedy: `give one of ${Object.keys(WAYS).join(", ")}` }];
}
