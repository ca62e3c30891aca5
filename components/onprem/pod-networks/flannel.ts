import * as pulumi from "@pulumi/pulumi";
import { mtuInside } from "../../model/mtu.ts";
import { cniConfig, flannelConfig, flannelUnit } from "../../render/cni.ts";
import { kubeconfig } from "../../render/kubeconfig.ts";
import { CNI_CONFIG, type PodNetwork, type PodNetworkArgs } from "./pod-network.ts";

const FOLDER = "/etc/spillway/flannel";

/** Mode `overlay` without policies: flanneld's tunnel leads to the pods of other nodes. */
export function flannel({ cluster, network, identity, api, mtu }: PodNetworkArgs): PodNetwork {
  const client = identity.client("flannel", "spillway:flannel");
  const access = pulumi
    .all([identity.caCertificate, client.certificate, pulumi.secret(client.privateKey)])
    .apply(([caCertificate, certificate, privateKey]) =>
      kubeconfig({ cluster, server: api, caCertificate, user: "flannel", certificate, privateKey }),
    );
  return {
    manifests,
    onNode: ({ host, address, podRange }) => ({
      files: {
        [CNI_CONFIG]: { content: cniConfig({ podRange, mtu: mtuInside(mtu, ["vxlan"]) }) },
        [`${FOLDER}/net-conf.json`]: { content: flannelConfig(network.pods, mtu) },
        [`${FOLDER}/kubeconfig`]: { content: access, mode: "0600" },
      },
      units: {
        "flanneld.service": {
          content: flannelUnit(host, address),
          enabled: true,
          running: true,
          restartOn: [`${FOLDER}/net-conf.json`, `${FOLDER}/kubeconfig`, "/usr/local/bin/flanneld"],
        },
      },
      programs: ["flanneld"],
      modules: ["vxlan"],
    }),
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
