import { isRouted } from "../../model/network.ts";
import { cniConfig, routesUnit } from "../../render/cni.ts";
import { CNI_CONFIG, type PodNetwork, type PodNetworkArgs } from "./pod-network.ts";

/** Mode `bridge` without policies: routes of the host lead to the pods of other nodes. */
export function routed({ network, mtu }: PodNetworkArgs): PodNetwork {
  const { pods } = network;
  const translate = !isRouted(network);
  return {
    kubeProxy: true,
    dns: true,
    cniConfig: CNI_CONFIG,
    manifests: "",
    onNode: ({ podRange, peerRoutes }) => {
      const cni = cniConfig({ podRange, mtu });
      return {
        cni,
        files: { [CNI_CONFIG]: { content: cni } },
        units: {
          "spillway-routes.service": {
            content: routesUnit({ podRange, pods, peers: peerRoutes, translate }),
            enabled: true,
            running: true,
            restartOn: [],
            reloads: true,
          },
        },
      };
    },
  };
}
