import { quote } from "../../model/names.ts";
import type { Network, NetworkMode } from "../../model/network.ts";
import type { Problem } from "../../model/problem.ts";
import { flannel } from "./flannel.ts";
import type { PodNetwork, PodNetworkArgs } from "./pod-network.ts";
import { routed } from "./routed.ts";

type Way = (args: PodNetworkArgs) => PodNetwork;

/** How pods' packets are carried in each mode. @default a mode is not in this version */
const WAYS: Partial<Record<NetworkMode, Way>> = {
  bridge: routed,
  overlay: flannel,
};

/** The way of a network that `podNetworkProblems` has nothing against. */
export function podNetworkOf(args: PodNetworkArgs): PodNetwork {
  return WAYS[args.network.mode]!(args);
}

/** What of a valid network nothing here can carry out. */
export function podNetworkProblems(network: Network): Problem[] {
  const modes = Object.keys(WAYS);
  if (!(network.mode in WAYS)) {
    const found = `mode ${quote(network.mode)} is not in this version`;
    return [{ path: "network.mode", found, remedy: `give one of ${modes.join(", ")}` }];
  }
  if (!("policies" in network)) return [];
  const { policies, loadBalancers } = network;
  const found = "nothing in this version enforces policies";
  return [
    ...(policies === "enforced" ? [{ path: "network.policies", found, remedy: 'give "unenforced"' }] : []),
    ...(loadBalancers ? [{ path: "network.loadBalancers", found, remedy: "take it out" }] : []),
  ];
}
