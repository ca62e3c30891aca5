import { type UnderlayArgs, underlayPlan } from "../../model/underlay.ts";
import {
  MULTUS_CONFIG,
  multusConfig,
  RELEASE_SCRIPT,
  releaseScript,
  releaseTimer,
  releaseUnit,
  underlayManifests,
  WHEREABOUTS_CONFIG,
  whereaboutsConfig,
} from "../../render/underlay.ts";
import { access } from "./access.ts";
import type { NodeNetwork, Way } from "./pod-network.ts";

const MULTUS_ACCESS = "/etc/spillway/multus/kubeconfig";
const WHEREABOUTS_ACCESS = "/etc/spillway/whereabouts/kubeconfig";

/** Mode `underlay`: the cluster's own network, and one more on the site's own for pods that ask for it. */
export const underlay =
  (clusterNetwork: Way): Way =>
  (args) => {
    const { underlay } = args.network as { underlay: UnderlayArgs };
    const own = clusterNetwork(args);
    const site = { addresses: underlayPlan(underlay, args.site), mtu: args.mtu, parent: underlay.parent };
    const files = {
      [MULTUS_ACCESS]: access("multus", args),
      [WHEREABOUTS_CONFIG]: { content: whereaboutsConfig(WHEREABOUTS_ACCESS) },
      [WHEREABOUTS_ACCESS]: access("whereabouts", args),
    };
    return {
      ...own,
      cniConfig: MULTUS_CONFIG,
      manifests: [own.manifests, underlayManifests(site)].filter((text) => text !== "").join("---\n"),
      onNode: (node) => {
        const network = own.onNode(node);
        const also = node.controlPlane ? RELEASE : { files: {}, units: {} };
        const multus = multusConfig(MULTUS_ACCESS, network.cni, own.cniConfig);
        return {
          ...network,
          cni: multus,
          files: { ...network.files, ...files, ...also.files, [MULTUS_CONFIG]: { content: multus } },
          units: { ...network.units, ...also.units },
          programs: {
            ...network.programs,
            "/usr/lib/cni/multus": "multus",
            "/usr/lib/cni/whereabouts": "whereabouts",
          },
          modules: [...(network.modules ?? []), "macvlan"],
        };
      },
    };
  };

/** On members of the control plane, which may ask for all pods. */
const RELEASE: Pick<NodeNetwork, "files" | "units"> = {
  files: { [RELEASE_SCRIPT]: { content: releaseScript, mode: "0755" } },
  units: {
    "spillway-addresses.service": { content: releaseUnit },
    "spillway-addresses.timer": { content: releaseTimer, enabled: true, running: true, restartOn: [] },
  },
};
