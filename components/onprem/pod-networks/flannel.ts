import { mtuInside } from "../../model/mtu.ts";
import { cniConfig, flannelConfig, flannelUnit } from "../../render/cni.ts";
import { access } from "./access.ts";
import { CNI_CONFIG, type PodNetwork, type PodNetworkArgs } from "./pod-network.ts";

const FOLDER = "/etc/spillway/flannel";

/** Mode `overlay` without policies: flanneld's tunnel leads to the pods of other nodes. */
export function flannel(args: PodNetworkArgs): PodNetwork {
  const kubeconfig = access("flannel", args);
  return {
    kubeProxy: true,
    dns: true,
    cniConfig: CNI_CONFIG,
    manifests,
    onNode: ({ host, address, podRange }) => {
      const mtu = mtuInside(args.mtu, ["vxlan"]);
      const cni = cniConfig({ podRange, mtu });
      return {
        cni,
        files: {
          [CNI_CONFIG]: { content: cni },
          [`${FOLDER}/net-conf.json`]: { content: flannelConfig(args.network.pods, args.mtu) },
          [`${FOLDER}/kubeconfig`]: kubeconfig,
        },
        units: {
          "flanneld.service": {
            content: flannelUnit(host, address, args.network.pods, mtu),
            enabled: true,
            running: true,
            restartOn: [`${FOLDER}/net-conf.json`, `${FOLDER}/kubeconfig`, "/usr/local/bin/flanneld"],
          },
        },
        programs: { "/usr/local/bin/flanneld": "flanneld" },
        modules: ["vxlan"],
      };
    },
  };
}

/** What flanneld may do: read nodes, and note its tunnel's end on its own. */
const manifests = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: spillway-flannel }
rules:
  - { apiGroups: [""], resources: [nodes], verbs: [get, list, watch] }
  - { apiGroups: [""], resources: [nodes/status], verbs: [patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: spillway-flannel }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: spillway-flannel }
subjects:
  - { apiGroup: rbac.authorization.k8s.io, kind: User, name: "spillway:flannel" }
`;
