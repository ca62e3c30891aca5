import { cniConfig, routesUnit } from "../../render/cni.ts";
import { CNI_CONFIG, type PodNetwork, type PodNetworkArgs } from "./pod-network.ts";

/** Mode `bridge` without policies: routes of the host lead to the pods of other nodes. */
export function routed({ network: { pods }, mtu }: PodNetworkArgs): PodNetwork {
  return {
    kubeProxy: true,
    manifests: "",
    onNode: ({ podRange, peerRoutes }) => ({
      files: { [CNI_CONFIG]: { content: cniConfig({ podRange, mtu }) } },
      units: {
        "spillway-routes.service": {
          content: routesUnit({ podRange, pods, peers: peerRoutes }),
          enabled: true,
          running: true,
          restartOn: [],
          reloads: true,
        },
      },
    }),
  };
}
