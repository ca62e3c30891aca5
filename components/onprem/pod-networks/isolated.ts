import { isolatedConfig } from "../../render/cni.ts";
import { noHostNetwork } from "../../render/isolated.ts";
import { CNI_CONFIG, type PodNetwork, type PodNetworkArgs } from "./pod-network.ts";

/** Modes `none` and `host`: a pod that is not in the network of its host has none. */
export function isolated({ network: { mode } }: PodNetworkArgs): PodNetwork {
  const host = mode === "host";
  return {
    // Pods in the network of their host are the only ones that call a service.
    kubeProxy: host,
    dns: false,
    cniConfig: CNI_CONFIG,
    manifests: host ? "" : noHostNetwork,
    onNode: () => ({ cni: isolatedConfig, files: { [CNI_CONFIG]: { content: isolatedConfig } }, units: {} }),
  };
}
