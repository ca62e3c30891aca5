import { expect, test } from "vitest";
import { checkFiles, type FileViolation } from "../../../components/policies/check.ts";
import { type Properties, UNKNOWN } from "../../../components/policies/value.ts";
import { found } from "./world.ts";

const SERVICE = "kubernetes:core/v1:Service";
const POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy";

const RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";

const service = (spec: Properties, annotations?: Properties) => ({
  metadata: { name: "s", annotations },
  spec,
});

test.each<[string, Properties, string[]]>([
  ["inside", service({ type: "ClusterIP" }), []],
  ["nothing said", service({}), []],
  ["a port of each node", service({ type: "NodePort" }), ["spec.type"]],
  ["everybody", service({ type: "LoadBalancer" }), ["spec.type"]],
  ["named ranges", service({ type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0/8"] }), []],
  [
    "everybody by range",
    service({ type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0/8", "0.0.0.0/0"] }),
    ["spec.loadBalancerSourceRanges[1]"],
  ],
  [
    "everybody by IPv6",
    service({ type: "LoadBalancer", loadBalancerSourceRanges: ["::/0"] }),
    ["spec.loadBalancerSourceRanges[0]"],
  ],
  [
    "everybody by halves",
    service({ type: "LoadBalancer", loadBalancerSourceRanges: ["0.0.0.0/1", "128.0.0.0/1"] }),
    ["spec.loadBalancerSourceRanges[0]", "spec.loadBalancerSourceRanges[1]"],
  ],
  [
    "everybody by an address with no bits",
    service({ type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0/0"] }),
    ["spec.loadBalancerSourceRanges[0]"],
  ],
  ["not known yet", service({ type: "LoadBalancer", loadBalancerSourceRanges: UNKNOWN }), []],
  ["internal", service({ type: "LoadBalancer" }, { "networking.gke.io/load-balancer-type": "Internal" }), []],
  [
    "said not to be internal",
    service({ type: "LoadBalancer" }, { "service.beta.kubernetes.io/azure-load-balancer-internal": "false" }),
    ["spec.type"],
  ],
  [
    "named ranges in an annotation",
    service({ type: "LoadBalancer" }, { [RANGES]: "10.0.0.0/8,192.168.0.0/16" }),
    [],
  ],
  [
    "everybody by an annotation",
    service({ type: "LoadBalancer" }, { [RANGES]: "10.0.0.0/8,0.0.0.0/0" }),
    [`metadata.annotations["${RANGES}"]`],
  ],
  [
    "the Internet, whatever another annotation says",
    service(
      { type: "LoadBalancer" },
      {
        "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing",
      },
    ),
    ["spec.type"],
  ],
  ...[
    ["service.beta.kubernetes.io/openstack-internal-load-balancer", "true"],
    ["service.beta.kubernetes.io/do-loadbalancer-network", "INTERNAL"],
    ["service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"],
    ["load-balancer.hetzner.cloud/disable-public-network", "true"],
  ].map(([key, value]): [string, Properties, string[]] => [
    `inside by ${key}`,
    service({ type: "LoadBalancer" }, { [key!]: value }),
    [],
  ]),
])("a service for %s", (_, props, paths) => expect(found("exposed-service", SERVICE, props)).toEqual(paths));

test("addresses that a service takes by itself", () => {
  expect(found("external-ips", SERVICE, service({ externalIPs: ["192.0.2.1"] }))).toEqual([
    "spec.externalIPs",
  ]);
  expect(found("external-ips", SERVICE, service({ externalIPs: [] }))).toEqual([]);
});

test("an Ingress is encrypted", () => {
  const type = "kubernetes:networking.k8s.io/v1:Ingress";
  expect(found("ingress-tls", type, { spec: { rules: [] } })).toEqual(["spec.tls"]);
  expect(found("ingress-tls", type, { spec: { tls: [{ secretName: "t" }] } })).toEqual([]);
  expect(found("ingress-tls", `${type}Patch`, { spec: {} })).toEqual([]);
});

test.each<[string, unknown, boolean]>([
  ["kubernetes.io/ingress.allow-http", "true", false],
  ["kubernetes.io/ingress.allow-http", "false", true],
  ["kubernetes.io/ingress.allow-http", UNKNOWN, true],
  ["nginx.ingress.kubernetes.io/ssl-redirect", "false", false],
  ["nginx.ingress.kubernetes.io/ssl-redirect", "true", true],
  ["haproxy.org/ssl-redirect", "false", false],
  ["haproxy-ingress.github.io/ssl-redirect", false, false],
  ["appgw.ingress.kubernetes.io/ssl-redirect", "true", true],
  ["traefik.ingress.kubernetes.io/router.tls", "false", false],
  ["traefik.ingress.kubernetes.io/router.entrypoints", "web", false],
  ["traefik.ingress.kubernetes.io/router.entrypoints", "websecure", true],
  ["alb.ingress.kubernetes.io/listen-ports", '[{"HTTP":80},{"HTTPS":443}]', false],
  ["alb.ingress.kubernetes.io/listen-ports", '[{"HTTPS":443}]', true],
])("an Ingress with a certificate and %s: %s", (key, value, isFine) => {
  const props = { metadata: { annotations: { [key]: value } }, spec: { tls: [{ secretName: "t" }] } };
  expect(found("ingress-tls", "kubernetes:networking.k8s.io/v1:Ingress", props)).toEqual(
    isFine ? [] : [`metadata.annotations["${key}"]`],
  );
});

test("an Ingress may have its certificate from the cloud, and a port of plain HTTP that is redirected", () => {
  const paths = (annotations: Properties) =>
    found("ingress-tls", "kubernetes:networking.k8s.io/v1:Ingress", { metadata: { annotations }, spec: {} });
  const alb = "alb.ingress.kubernetes.io";
  const ports = { [`${alb}/listen-ports`]: '[{"HTTP":80},{"HTTPS":443}]' };
  expect(paths({ [`${alb}/certificate-arn`]: "arn:x", ...ports, [`${alb}/ssl-redirect`]: "443" })).toEqual(
    [],
  );
  expect(paths({ "networking.gke.io/managed-certificates": "c" })).toEqual([]);
  expect(paths({ "ingress.gcp.kubernetes.io/pre-shared-cert": "c" })).toEqual([]);
  expect(paths({ "cert-manager.io/issuer": "c" })).toEqual(["spec.tls"]);
});

test.each<[string, unknown, boolean]>([
  ["app.example.com", [{ hosts: ["app.example.com"] }], true],
  ["app.example.com", [{ hosts: ["*.example.com"] }], true],
  ["a.app.example.com", [{ hosts: ["*.example.com"] }], false],
  ["app.example.com", [{ hosts: ["b.example.com"] }, { hosts: ["c.example.com"] }], false],
  ["app.example.com", [{ hosts: ["b.example.com"] }, {}], true],
  ["app.example.com", [{ hosts: [UNKNOWN] }], true],
  ["app.example.com", [UNKNOWN], true],
  ["", [{ hosts: ["b.example.com"] }], true],
])("an Ingress for %j with certificates %j", (host, tls, isFine) => {
  const props = { spec: { rules: [{ host }], tls } };
  expect(found("ingress-tls", "kubernetes:networking.k8s.io/v1:Ingress", props)).toEqual(
    isFine ? [] : ["spec.rules[0].host"],
  );
});

test("a Route of OpenShift is encrypted", () => {
  const paths = (tls: unknown) =>
    found("ingress-tls", "kubernetes:route.openshift.io/v1:Route", { spec: { tls } });
  expect(paths(undefined)).toEqual(["spec.tls"]);
  expect(paths({ termination: "edge", insecureEdgeTerminationPolicy: "Allow" })).toEqual([
    "spec.tls.insecureEdgeTerminationPolicy",
  ]);
  for (const policy of [undefined, "None", "Redirect", UNKNOWN])
    expect(paths({ termination: "edge", insecureEdgeTerminationPolicy: policy })).toEqual([]);
});

test.each<[string, Properties, string[]]>([
  ["denies", { podSelector: {}, policyTypes: ["Ingress"] }, []],
  ["lets all in", { podSelector: {}, ingress: [{}] }, ["spec.ingress[0]"]],
  [
    "lets all in from everywhere",
    { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }] },
    ["spec.ingress[0]"],
  ],
  ["lets all out", { podSelector: {}, egress: [{}] }, ["spec.egress[0]"]],
  ["names a port", { podSelector: {}, ingress: [{ ports: [{ port: 443 }] }] }, []],
  ["names a range of ports", { podSelector: {}, ingress: [{ ports: [{ port: 8000, endPort: 9000 }] }] }, []],
  [
    "names a protocol alone",
    { podSelector: {}, ingress: [{ ports: [{ protocol: "TCP" }] }] },
    ["spec.ingress[0]"],
  ],
  [
    "names all ports",
    { podSelector: {}, ingress: [{ ports: [{ port: 1, endPort: 65535 }] }] },
    ["spec.ingress[0]"],
  ],
  [
    "has rules of a way that it is not about",
    { podSelector: {}, policyTypes: ["Egress"], ingress: [{}] },
    [],
  ],
  ["may be about that way", { podSelector: {}, policyTypes: [UNKNOWN], ingress: [{}] }, ["spec.ingress[0]"]],
  [
    "selects every namespace by the label that each has",
    {
      podSelector: {},
      ingress: [
        {
          from: [
            {
              namespaceSelector: {
                matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "Exists" }],
              },
            },
          ],
        },
      ],
    },
    ["spec.ingress[0]"],
  ],
  ["names pods", { podSelector: { matchLabels: { a: "b" } }, ingress: [{}] }, []],
  [
    "lets all namespaces in",
    { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {} }] }] },
    ["spec.ingress[0]"],
  ],
  [
    "lets all pods of all namespaces in",
    { podSelector: {}, ingress: [{ from: [{ namespaceSelector: {}, podSelector: {} }] }] },
    ["spec.ingress[0]"],
  ],
  [
    "names pods of all namespaces",
    {
      podSelector: {},
      egress: [{ to: [{ namespaceSelector: {}, podSelector: { matchLabels: { a: "b" } } }] }],
    },
    [],
  ],
  [
    "lets all in by halves",
    {
      podSelector: {},
      ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/1" } }, { ipBlock: { cidr: "128.0.0.0/1" } }] }],
    },
    ["spec.ingress[0]"],
  ],
  [
    "lets all out but for some",
    { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] } }] }] },
    [],
  ],
  ["names peers", { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }, []],
])("a network policy that %s", (_, spec, paths) =>
  expect(found("open-network-policy", POLICY, { spec })).toEqual(paths),
);

test.each([
  ["argoproj.io/v1alpha1:Rollout", ["spec", "template"]],
  ["serving.knative.dev/v1:Service", ["spec", "template"]],
  ["example.com/v1:Nightly", ["spec", "jobTemplate", "spec", "template"]],
])("a custom resource with a pod's template is judged: %s", (type, keys) => {
  const spec = { containers: [{ name: "c", image: "nginx" }] };
  const props = keys.reduceRight<Properties>((inner, key) => ({ [key]: inner }), { spec });
  expect(found("no-latest", `kubernetes:${type}`, props)).toEqual([
    `${keys.join(".")}.spec.containers[0].image`,
  ]);
});

test("a policy that names no namespace is of the one called default", () => {
  const own = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
  const policy = { ...deny({ policyTypes: ["Ingress", "Egress"] }), metadata: { name: "deny" } };
  expect(found("default-deny", LIST, list(own, policy))).toEqual([]);
});

test("a policy of the group that they came from is judged as well", () => {
  const type = "kubernetes:extensions/v1beta1:NetworkPolicy";
  expect(found("open-network-policy", type, { spec: { podSelector: {}, ingress: [{}] } })).toEqual([
    "spec.ingress[0]",
  ]);
});

test("a template in a list of a custom resource is named by its place there", () => {
  const job = { template: { spec: { template: { spec: { containers: [{ name: "c", image: "nginx" }] } } } } };
  expect(
    found("no-latest", "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet", { spec: { replicatedJobs: [{}, job] } }),
  ).toEqual(["spec.replicatedJobs[1].template.spec.template.spec.containers[0].image"]);
});

test("a volume is no directory of whichever host", () => {
  const type = "kubernetes:core/v1:PersistentVolume";
  expect(found("host-path", type, { spec: { hostPath: { path: "/srv" } } })).toEqual(["spec.hostPath"]);
  expect(found("host-path", type, { spec: { local: { path: "/srv" } } })).toEqual([]);
});

test("a release is opaque, a chart is not", () => {
  expect(found("opaque-release", "kubernetes:helm.sh/v3:Release", { chart: "x" })).toEqual(["chart"]);
  expect(found("opaque-release", "kubernetes:helm.sh/v4:Chart", { chart: "x" })).toEqual([]);
});

const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "web" } };
const deny = (spec: Properties, space: unknown = "web") => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "deny", namespace: space },
  spec: { podSelector: {}, ...spec },
});
const list = (...items: Properties[]) => ({ items });
const LIST = "kubernetes:core/v1:List";

test.each<[string, Properties[], boolean]>([
  ["both ways", [deny({ policyTypes: ["Ingress", "Egress"] })], true],
  ["each way by itself", [deny({ policyTypes: ["Ingress"] }), deny({ policyTypes: ["Egress"] })], true],
  ["one way", [deny({ policyTypes: ["Ingress"] })], false],
  ["nothing", [], false],
  ["another namespace", [deny({ policyTypes: ["Ingress", "Egress"] }, "api")], false],
  [
    "some pods",
    [deny({ podSelector: { matchLabels: { a: "b" } }, policyTypes: ["Ingress", "Egress"] })],
    false,
  ],
  [
    "pods with a label that none has",
    [
      deny({
        podSelector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "Exists" }] },
        policyTypes: ["Ingress", "Egress"],
      }),
    ],
    false,
  ],
  ["all but what it allows", [deny({ policyTypes: ["Ingress", "Egress"], ingress: [{}] })], false],
  ["what is not known yet", [deny({ policyTypes: UNKNOWN })], true],
  ["a namespace that is not known yet", [deny({ policyTypes: ["Ingress", "Egress"] }, UNKNOWN)], true],
  [
    "one way, and Calico's kind of the same name another",
    [
      deny({ policyTypes: ["Egress"] }),
      {
        apiVersion: "crd.projectcalico.org/v1",
        kind: "NetworkPolicy",
        metadata: { name: "c", namespace: "web" },
        spec: { selector: "app == 'x'", types: ["Ingress"] },
      },
    ],
    false,
  ],
])("a namespace whose policies deny %s", (_, policies, isFine) => {
  const paths = found("default-deny", LIST, list(namespace, ...policies));
  expect(paths).toEqual(isFine ? [] : ["items[0].metadata.name"]);
});

const labelled = (labels: unknown, space: unknown = "web") => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "app", namespace: space },
  spec: { template: { metadata: { labels }, spec: { containers: [{ name: "app" }] } } },
});

const expression = (operator: string, values?: string[]) => ({
  podSelector: { matchExpressions: [{ key: "app", operator, values }] },
});

test.each<[string, Properties[], boolean]>([
  ["no policies", [labelled({ app: "a" })], true],
  ["policies of another namespace", [labelled({ app: "a" }), deny({}, "api")], true],
  ["a policy for all", [labelled({ app: "a" }), deny({})], true],
  [
    "a policy for it",
    [labelled({ app: "a", b: "c" }), deny({ podSelector: { matchLabels: { app: "a" } } })],
    true,
  ],
  [
    "a policy for another",
    [labelled({ app: "a" }), deny({ podSelector: { matchLabels: { app: "b" } } })],
    false,
  ],
  ["no labels", [labelled(undefined), deny({ podSelector: { matchLabels: { app: "b" } } })], false],
  ["labels not known yet", [labelled(UNKNOWN), deny({ podSelector: { matchLabels: { app: "b" } } })], true],
  [
    "one not known yet",
    [labelled({ app: UNKNOWN }), deny({ podSelector: { matchLabels: { app: "b" } } })],
    true,
  ],
  ["a selector not known yet", [labelled({ app: "a" }), deny({ podSelector: UNKNOWN })], true],
  ["an expression for it", [labelled({ app: "a" }), deny(expression("In", ["a", "b"]))], true],
  ["an expression for others", [labelled({ app: "a" }), deny(expression("NotIn", ["a"]))], false],
  ["a key that is there", [labelled({ app: "a" }), deny(expression("Exists"))], true],
  ["a key that is not", [labelled({ app: "a" }), deny(expression("DoesNotExist"))], false],
  [
    "policies of another kind",
    [
      labelled({ app: "a" }),
      deny({ podSelector: { matchLabels: { app: "b" } } }),
      { apiVersion: "cilium.io/v2", kind: "CiliumNetworkPolicy", metadata: { name: "x", namespace: "web" } },
    ],
    true,
  ],
  [
    "policies of another kind for all namespaces",
    [
      labelled({ app: "a" }),
      deny({ podSelector: { matchLabels: { app: "b" } } }),
      { apiVersion: "cilium.io/v2", kind: "CiliumClusterwideNetworkPolicy", metadata: { name: "x" } },
    ],
    true,
  ],
  [
    "policies of another kind in another namespace",
    [
      labelled({ app: "a" }),
      deny({ podSelector: { matchLabels: { app: "b" } } }),
      {
        apiVersion: "cilium.io/v2",
        kind: "CiliumNetworkPolicy",
        metadata: { name: "x", namespace: "other" },
      },
    ],
    false,
  ],
])("pods among %s are isolated: %s", (_, objects, isFine) => {
  const paths = found("default-deny", LIST, list(...objects));
  expect(paths).toEqual(isFine ? [] : ["items[0].spec.template.metadata.labels"]);
});

test("Kubernetes' own namespaces are not asked", () => {
  expect(found("default-deny", LIST, list({ ...namespace, metadata: { name: "kube-system" } }))).toEqual([]);
});

test("a file that cannot be read is a violation, and the others are judged", async () => {
  const violations: FileViolation[] = [];
  const fixture = new URL("../../fixtures/pod-security-baseline-pass.yaml", import.meta.url).pathname;
  const { resources } = await checkFiles(["/nowhere", fixture], {}, (each) => violations.push(each));
  expect(resources).toBeGreaterThan(5);
  expect(violations[0]).toMatchObject({ file: "/nowhere", control: "readable" });
});
