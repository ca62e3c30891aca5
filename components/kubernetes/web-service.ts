import { Deployment } from "@pulumi/kubernetes/apps/v1/index.js";
import { Namespace, Service, ServiceAccount } from "@pulumi/kubernetes/core/v1/index.js";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1/index.js";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1/index.js";
import * as pulumi from "@pulumi/pulumi";
import { refuse } from "../model/problem.ts";
import { pinned, webServiceProblems } from "./web-service-problems.ts";

/** Arguments of a web service. */
export interface WebServiceArgs {
  /** Image with its digest, such as `registry.example.com/shop@sha256:0f3a...`; a tag alone is refused. */
  image: pulumi.Input<string>;
  /** Pods, spread over the nodes. @default 2 */
  replicas?: number;
  /** TCP port that the container listens on, 1024 or higher: it runs without root. @default 8080 */
  port?: number;
  /** Port on every node, 30000 to 32767. @default chosen by the cluster */
  nodePort?: number;
  /** Namespace made for this service, and for it alone. @default the service's name */
  namespace?: string;
  /** What each pod is promised and held to. @default { cpu: "250m", memory: "128Mi" } */
  resources?: { cpu?: string; memory?: string };
  /** HTTP path that answers 200 when the service is well. @default "/" */
  healthPath?: string;
  /** Environment of the container. Plain in the pod's description: not the place for secrets. @default none */
  env?: Record<string, pulumi.Input<string>>;
}

/** Distroless images call this user `nonroot`. */
const NON_ROOT = 65532;

const podSecurity = Object.fromEntries(
  ["enforce", "audit", "warn"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"]),
);

/**
 * A stateless HTTP service in a namespace of its own, reached on a port of every node.
 *
 * Closed by default: Pod Security `restricted`, no root, nothing to write but `/tmp`, no API token,
 * and no traffic but to its port. What it must reach itself, DNS included, takes a `NetworkPolicy`
 * of your own in its namespace. **Limit:** the cluster's network enforces policies; one whose program
 * says `policies: "unenforced"` accepts them, and they have no effect.
 *
 * @throws Refusal with every problem of the arguments, before any resource exists.
 * @example
 * const shop = new WebService("shop", { image: "registry.example.com/shop@sha256:0f3a..." }, { provider });
 * export const port = shop.nodePort;
 */
export class WebService extends pulumi.ComponentResource {
  /** Namespace that the service runs in. */
  readonly namespace: pulumi.Output<string>;
  /** Port on every node. */
  readonly nodePort: pulumi.Output<number>;

  constructor(name: string, args: WebServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`WebService "${name}"`, webServiceProblems(name, args));
    super("spillway:kubernetes:WebService", name, {}, opts);
    const { replicas = 2, port = 8080, nodePort, healthPath = "/", env = {} } = args;
    const labels = { "app.kubernetes.io/name": name };
    const child = { parent: this };

    const space = new Namespace(
      `${name}-namespace`,
      { metadata: { name: args.namespace ?? name, labels: { ...labels, ...podSecurity } } },
      child,
    );
    const namespace = space.metadata.name;
    const inNamespace = (suffix = "") => ({ name: `${name}${suffix}`, namespace, labels });

    const deny = new NetworkPolicy(
      `${name}-deny`,
      {
        metadata: inNamespace("-deny"),
        spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
      },
      child,
    );
    const allow = new NetworkPolicy(
      `${name}-allow`,
      {
        metadata: inNamespace("-allow"),
        spec: {
          podSelector: { matchLabels: labels },
          policyTypes: ["Ingress"],
          ingress: [{ ports: [{ protocol: "TCP", port }] }],
        },
      },
      child,
    );
    const account = new ServiceAccount(
      `${name}-account`,
      { metadata: inNamespace(), automountServiceAccountToken: false },
      child,
    );
    const limits = { cpu: args.resources?.cpu ?? "250m", memory: args.resources?.memory ?? "128Mi" };
    const probe = { httpGet: { path: healthPath, port: "http" }, timeoutSeconds: 2 };

    new Deployment(
      `${name}-deployment`,
      {
        metadata: inNamespace(),
        spec: {
          replicas,
          selector: { matchLabels: labels },
          strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
          template: {
            metadata: { labels },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: {
                runAsNonRoot: true,
                runAsUser: NON_ROOT,
                runAsGroup: NON_ROOT,
                seccompProfile: { type: "RuntimeDefault" },
              },
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: "kubernetes.io/hostname",
                  whenUnsatisfiable: "DoNotSchedule",
                  labelSelector: { matchLabels: labels },
                  // Each rollout is spread by itself, whatever the pods it replaces.
                  matchLabelKeys: ["pod-template-hash"],
                  // Else a control plane's or a drained node counts as an empty one that must be filled first.
                  nodeTaintsPolicy: "Honor",
                },
              ],
              containers: [
                {
                  name: "web",
                  image: pulumi.output(args.image).apply(pinned),
                  imagePullPolicy: "IfNotPresent",
                  env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
                  ports: [{ name: "http", containerPort: port, protocol: "TCP" }],
                  resources: { limits, requests: limits },
                  readinessProbe: { ...probe, periodSeconds: 2 },
                  livenessProbe: { ...probe, periodSeconds: 10, initialDelaySeconds: 10 },
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ["ALL"] },
                  },
                  volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
                },
              ],
              volumes: [{ name: "tmp", emptyDir: { sizeLimit: "64Mi" } }],
            },
          },
        },
      },
      // No pod runs before its policies are there.
      { ...child, dependsOn: [deny, allow] },
    );
    new PodDisruptionBudget(
      `${name}-budget`,
      { metadata: inNamespace(), spec: { maxUnavailable: 1, selector: { matchLabels: labels } } },
      child,
    );
    const service = new Service(
      `${name}-service`,
      {
        metadata: inNamespace(),
        spec: {
          type: "NodePort",
          selector: labels,
          ports: [{ name: "http", protocol: "TCP", port, targetPort: "http", nodePort }],
        },
      },
      child,
    );

    this.namespace = namespace;
    this.nodePort = service.spec.ports[0]!.nodePort;
    this.registerOutputs({ namespace: this.namespace, nodePort: this.nodePort });
  }
}
