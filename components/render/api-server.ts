import { stringify } from "yaml";

/** Folder of what the API server reads besides its certificates; mounted into its pod. */
export const API_SERVER_FOLDER = "/etc/spillway/api-server";
/** Folder of the audit log on a control plane host. */
export const AUDIT_FOLDER = "/var/log/kubernetes";

/** Audit policy: who did what to which object; bodies only where they hold no secret. */
export const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages:
  - RequestReceived
rules:
  - level: None
    nonResourceURLs:
      - /healthz*
      - /livez*
      - /readyz*
      - /version
  - level: None
    users:
      - system:kube-proxy
    verbs:
      - watch
  - level: None
    userGroups:
      - system:nodes
    verbs:
      - get
      - watch
    resources:
      - group: ""
        resources:
          - nodes
          - nodes/status
  - level: None
    verbs:
      - get
      - update
    resources:
      - group: coordination.k8s.io
        resources:
          - leases
  - level: Metadata
    resources:
      - group: ""
        resources:
          - secrets
          - configmaps
          - serviceaccounts/token
      - group: authentication.k8s.io
  - level: Request
    verbs:
      - create
      - update
      - patch
      - delete
      - deletecollection
  - level: Metadata
`;

/** Secrets encrypted in etcd with the key given (base64, 32 bytes); older plain ones stay readable. */
export function encryptionConfig(key: string): string {
  return stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [
      {
        resources: ["secrets"],
        providers: [{ secretbox: { keys: [{ name: "key1", secret: key }] } }, { identity: {} }],
      },
    ],
  });
}

/**
 * Anonymous requests reach the health endpoints, which kubelet's probes need, and the signed
 * `cluster-info`, by which a joining node learns whom to trust; nothing else.
 */
export const authenticationConfig = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
    - path: /livez
    - path: /readyz
    - path: /healthz
    - path: /api/v1/namespaces/kube-public/configmaps/cluster-info
`;

/** Pod Security Standard `baseline` for every namespace that does not say otherwise. */
export const admissionConfig = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
  - name: PodSecurity
    configuration:
      apiVersion: pod-security.admission.config.k8s.io/v1
      kind: PodSecurityConfiguration
      defaults:
        enforce: baseline
        enforce-version: latest
        warn: restricted
        warn-version: latest
      exemptions:
        namespaces:
          - kube-system
`;
