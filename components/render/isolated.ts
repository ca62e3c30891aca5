import { stringify } from "yaml";

/** Mode `none`: what the cluster itself runs aside, no pod is in the network of its host; YAML. */
export const noHostNetwork = [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "spillway-no-network" },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        namespaceSelector: {
          matchExpressions: [
            { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] },
          ],
        },
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
        ],
      },
      validations: [
        {
          expression: "!has(object.spec.hostNetwork) || !object.spec.hostNetwork",
          message: "pods of this cluster have no network; one whose network has mode host takes hostNetwork",
        },
      ],
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "spillway-no-network" },
    spec: { policyName: "spillway-no-network", validationActions: ["Deny"] },
  },
]
  .map((object) => stringify(object, { lineWidth: 0 }))
  .join("---\n");
