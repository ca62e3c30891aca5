/**
 * Public suites of policies, and which control answers which policy of theirs. Their cases are not kept here: a
 * folder with checkouts, each at OWNER/REPOSITORY, is named by SPILLWAY_SUITES.
 */

export interface Suite {
  repository: string;
  licence: "Apache-2.0" | "MIT";
  /** What a case is: a resource, told good from bad by its name, or a file by its path. */
  by: "name" | "path";
  bad: RegExp;
  good: RegExp;
  policies: readonly Policy[];
}

export interface Policy {
  /** File or folder in the repository. */
  path: string;
  control: string;
  /** What the policy of the suite takes for granted. */
  settings?: object;
  /** Where it is told in another way than elsewhere in its suite. */
  bad?: RegExp;
  good?: RegExp;
}

const policies = (folder: string, controls: Record<string, string>): Policy[] =>
  Object.entries(controls).map(([path, control]) => ({ path: `${folder}/${path}`, control }));

const kyverno: Suite = {
  repository: "kyverno/policies",
  licence: "Apache-2.0",
  by: "name",
  bad: /(^|-)bad/,
  good: /(^|-)good/,
  policies: [
    ...policies("pod-security/baseline", {
      "disallow-capabilities": "added-capabilities",
      "disallow-host-namespaces": "host-namespaces",
      "disallow-host-path": "host-path",
      "disallow-host-ports": "host-port",
      "disallow-host-process": "windows-host-process",
      "disallow-privileged-containers": "privileged",
      "disallow-proc-mount": "proc-mount",
      "disallow-selinux": "selinux",
      "restrict-apparmor-profiles": "app-armor",
      "restrict-seccomp": "unconfined-seccomp",
      "restrict-sysctls": "sysctls",
    }),
    ...policies("pod-security/restricted", {
      "disallow-capabilities-strict": "capabilities",
      "disallow-privilege-escalation": "privilege-escalation",
      "require-run-as-non-root-user": "run-as-user",
      "require-run-as-nonroot": "run-as-non-root",
      "restrict-seccomp-strict": "seccomp",
      "restrict-volume-types": "volume-types",
    }),
    ...policies("best-practices", {
      "disallow-latest-tag": "no-latest",
      "require-drop-all": "capabilities",
      "require-drop-cap-net-raw": "capabilities",
      "require-pod-requests-limits": "memory-limit",
      "require-probes": "liveness-probe",
      "require-ro-rootfs": "read-only-root",
      "restrict-service-external-ips": "external-ips",
    }),
    {
      path: "best-practices/disallow-cri-sock-mount",
      control: "runtime-socket",
      bad: /^pod-with-.*sock-mount$/,
    },
    {
      path: "best-practices/restrict-image-registries",
      control: "allowed-registries",
      settings: { registries: ["eu.foo.io", "bar.io"] },
    },
    ...policies("other", {
      "disallow-secrets-from-env-vars": "secret-as-variable",
      "imagepullpolicy-always": "pull-policy",
      "ingress-host-match-tls": "ingress-tls",
      "require-ingress-https": "ingress-tls",
      "require-netpol": "default-deny",
      "restrict-automount-sa-token": "service-account-token",
      "restrict-sa-automount-sa-token": "service-account-token",
    }),
    {
      path: "other/require-image-checksum",
      control: "require-digest",
      bad: /^(myapp-pod-1|mydeploy|hello)$/,
      good: /^myapp-pod-2$/,
    },
    {
      path: "other/restrict-loadbalancer",
      control: "exposed-service",
      bad: /^my-service-1$/,
      good: /^my-service-2$/,
    },
  ],
};

const CHECKS = "tests/kubernetes/checks/example_";
const checkov: Suite = {
  repository: "bridgecrewio/checkov",
  licence: "Apache-2.0",
  by: "path",
  bad: /FAILED[^/]*$/,
  good: /PASSED[^/]*$/,
  policies: Object.entries({
    AllowPrivilegeEscalation: "privilege-escalation",
    AllowedCapabilities: "added-capabilities",
    AllowedCapabilitiesSysAdmin: "added-capabilities",
    DefaultServiceAccount: "service-account-token",
    DropCapabilities: "capabilities",
    HostPort: "host-port",
    ImageDigest: "require-digest",
    ImageTagFixed: "no-latest",
    PrivilegedContainers: "privileged",
    ReadOnlyFilesystem: "read-only-root",
    RootContainers: "run-as-non-root",
    Seccomp: "seccomp",
    Secrets: "secret-as-variable",
    ServiceAccountTokens: "service-account-token",
  }).map(([name, control]) => ({ path: `${CHECKS}${name}`, control })),
};

const polaris: Suite = {
  repository: "FairwindsOps/polaris",
  licence: "Apache-2.0",
  by: "path",
  bad: /\/failure[^/]*$/,
  good: /\/success[^/]*$/,
  policies: policies("test/checks", {
    automountServiceAccountToken: "service-account-token",
    cpuLimitsMissing: "cpu-limit",
    dangerousCapabilities: "added-capabilities",
    hostIPCSet: "host-namespaces",
    hostNetworkSet: "host-namespaces",
    hostPIDSet: "host-namespaces",
    hostPathSet: "host-path",
    hostPortSet: "host-port",
    hostProcess: "windows-host-process",
    insecureCapabilities: "added-capabilities",
    livenessProbeMissing: "liveness-probe",
    memoryLimitsMissing: "memory-limit",
    missingNetworkPolicy: "default-deny",
    notReadOnlyRootFilesystem: "read-only-root",
    privilegeEscalationAllowed: "privilege-escalation",
    procMount: "proc-mount",
    pullPolicyNotAlways: "pull-policy",
    readinessProbeMissing: "readiness-probe",
    runAsPrivileged: "privileged",
    runAsRootAllowed: "run-as-non-root",
    sensitiveConfigmapContent: "secret-in-environment",
    sensitiveContainerEnvVar: "secret-in-environment",
    tagNotSpecified: "no-latest",
    tlsSettingsMissing: "ingress-tls",
  }),
};

const kubeLinter: Suite = {
  repository: "stackrox/kube-linter",
  licence: "Apache-2.0",
  by: "name",
  bad: /^(?!dont-fire)/,
  good: /^dont-fire/,
  policies: policies("tests/checks", {
    "automount-service-account-token.yml": "service-account-token",
    "configmap-with-credentials.yml": "secret-in-environment",
    "container-runtime-sock.yml": "runtime-socket",
    "docker-sock.yml": "runtime-socket",
    "drop-net-raw-capability.yml": "capabilities",
    "env-var-secret.yml": "secret-in-environment",
    "exposed-services.yml": "exposed-service",
    "host-ipc.yml": "host-namespaces",
    "host-network.yml": "host-namespaces",
    "host-pid.yml": "host-namespaces",
    "image-not-pinned-by-digest.yml": "require-digest",
    "insecure-route-termination.yml": "ingress-tls",
    "latest-tag.yml": "no-latest",
    "no-liveness-probe.yml": "liveness-probe",
    "no-read-only-root-fs.yml": "read-only-root",
    "no-readiness-probe.yml": "readiness-probe",
    "non-isolated-pod.yml": "default-deny",
    "privilege-escalation-container.yml": "privilege-escalation",
    "privileged-container.yml": "privileged",
    "read-secret-from-env-var.yml": "secret-as-variable",
    "run-as-non-root.yml": "run-as-non-root",
    "sensitive-host-mounts.yml": "host-path",
    "unsafe-proc-mount.yml": "proc-mount",
    "unsafe-sysctls.yml": "sysctls",
    "unset-cpu-requirements.yml": "cpu-limit",
    "unset-memory-requirements.yml": "memory-limit",
    "writable-host-mount.yml": "host-path",
  }),
};

const gatekeeper: Suite = {
  repository: "open-policy-agent/gatekeeper-library",
  licence: "Apache-2.0",
  by: "path",
  bad: /disallowed[^/]*$|no_tag[^/]*$/,
  // What is exempt there is waived here.
  good: /\/(?!.*(?:disallowed|exempt|exception))[^/]*allowed[^/]*$/,
  policies: [
    ...policies("library/pod-security-policy", {
      "allow-privilege-escalation": "privilege-escalation",
      apparmor: "app-armor",
      capabilities: "capabilities",
      "host-namespaces": "host-namespaces",
      "host-probes-lifecycle": "host-probe",
      "host-process": "windows-host-process",
      "privileged-containers": "privileged",
      "proc-mount": "proc-mount",
      "read-only-root-filesystem": "read-only-root",
      seccompv2: "seccomp",
    }),
    ...policies("library/general", {
      "automount-serviceaccount-token": "service-account-token",
      "block-loadbalancer-services": "exposed-service",
      "block-nodeport-services": "exposed-service",
      disallowedtags: "no-latest",
      externalip: "external-ips",
      "httpsonly/samples/ingress-https-only": "ingress-tls",
      imagedigests: "require-digest",
      requiredprobes: "liveness-probe",
    }),
    {
      path: "library/general/allowedrepos",
      control: "allowed-registries",
      settings: { registries: ["openpolicyagent/"] },
    },
    {
      path: "library/general/allowedreposv2",
      control: "allowed-registries",
      settings: {
        registries: [
          "openpolicyagent/*",
          "myregistry.azurecr.io/*",
          "mydockerhub/*",
          "docker.io/library/ubuntu",
          "123456789123.dkr.ecr.eu-west-1.amazonaws.com/postgres",
        ],
      },
    },
    {
      path: "library/general/containerlimits",
      control: "memory-limit",
      settings: { maxCpu: "200m", maxMemory: "1Gi" },
    },
  ],
};

export const suites: readonly Suite[] = [kyverno, checkov, polaris, kubeLinter, gatekeeper];

/** Cases that a suite and this pack see differently, and why it stays so. */
export const disagreements: readonly { path: RegExp; name?: RegExp; reason: string }[] = [
  {
    path: /kyverno\/policies\/.*\/(require-drop-all|require-drop-cap-net-raw)\//,
    name: /good/,
    reason: "capabilities may be added there; the restricted level allows one",
  },
  {
    path: /kyverno\/policies\/.*\/require-drop-(all|cap-net-raw)\/.*corner/,
    name: /good/,
    reason: "named good, and applied as a bad case",
  },
  {
    path: /kyverno\/policies\/.*\/require-probes\//,
    name: /good/,
    reason: "there any one probe is enough for a container",
  },
  {
    path: /kyverno\/policies\/.*\/imagepullpolicy-always\//,
    name: /good/,
    reason: "there the latest alone has to be asked for each time",
  },
  {
    path: /kyverno\/policies\/.*\/require-ingress-https\//,
    name: /bad/,
    reason:
      "with a certificate, plain HTTP has to be forbidden by an annotation that Google's controller alone reads",
  },
  {
    path: /kyverno\/policies\/.*\/ingress-host-match-tls\//,
    name: /^goodingress07$/,
    reason: "it has no certificate at all, for no host",
  },
  {
    path: /kyverno\/policies\/.*\/require-netpol\/.*deploy-bad/,
    name: /bad/,
    reason: "the policies that select no pod of it are in another file",
  },
  {
    path: /kyverno\/policies\/.*\/restrict-automount-sa-token\//,
    name: /^good(pod|cronjob)/,
    reason: "one product is let off by its label there",
  },
  {
    path: /kyverno\/policies\/.*\/restrict-loadbalancer\//,
    name: /2$/,
    reason: "a port of each node is no load balancer, and as open",
  },
  {
    path: /checkov\/.*_(AllowedCapabilities|DropCapabilities)\/.*PASSED/,
    reason:
      "baseline, some capability dropped, or ALL in lower case, which the restricted level does not take",
  },
  { path: /checkov\/.*_ImageDigest\/.*PASSED/, reason: "digests too short for any registry" },
  {
    path: /checkov\/.*_RootContainers\/rootContainersPASSED/,
    reason: "a user above 0 is enough there; the restricted level wants runAsNonRoot",
  },
  {
    path: /checkov\/.*_Seccomp\/(pod|cronjob)-seccomp-PASSED/,
    reason: "annotations that no Kubernetes reads since 1.27",
  },
  {
    path: /polaris\/.*\/automountServiceAccountToken\/success/,
    reason: "the account of the same file says it there; pods are asked themselves, and accounts too",
  },
  {
    path: /polaris\/.*\/(dangerousCapabilities|insecureCapabilities)\/success/,
    reason: "the restricted level wants ALL dropped",
  },
  {
    path: /polaris\/.*\/missingNetworkPolicy\/failure.netpol_missing/,
    reason: "a policy without rules of a direction that it names denies that direction",
  },
  {
    path: /polaris\/.*\/privilegeEscalationAllowed\/success.pod_no_cont/,
    reason: "pods have no such field: Kubernetes ignores it",
  },
  {
    path: /polaris\/.*\/pullPolicyNotAlways\/failure/,
    reason: "the latest is asked for each time where nothing is said",
  },
  {
    path: /kube-linter\/tests\/checks\/drop-net-raw-capability/,
    name: /^dont-fire/,
    reason: "the restricted level wants ALL dropped",
  },
  {
    path: /kube-linter\/tests\/checks\/image-not-pinned-by-digest/,
    name: /^dont-fire/,
    reason: "a digest too short for any registry",
  },
  {
    path: /gatekeeper-library\/library\/pod-security-policy\/capabilities\//,
    reason: "capabilities of that site's choice",
  },
  {
    path: /gatekeeper-library\/library\/general\/externalip\/.*\/example_allowed/,
    reason: "one address is allowed there by a setting",
  },
  {
    path: /gatekeeper-library\/library\/general\/requiredprobes\/.*without_service/,
    reason: "only what a Service selects is probed there",
  },
];
