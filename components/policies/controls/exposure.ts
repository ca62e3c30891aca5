/** What of a cluster can be reached, and by whom. */
import type { Addition, Control } from "../control.ts";
import { join, type KubernetesObject, objectsOf } from "../pods.ts";
import type { Finding } from "../resource.ts";
import { at, isAbsent, isKnown, isObject, isTrue, listOf, numberOf, objectOf, textOf } from "../value.ts";
import { worldIn } from "./clouds/ranges.ts";

type About = Omit<Control, "find" | "types">;

const CORE: ReadonlySet<string> = new Set(["core"]);

/** Groups that Ingresses and network policies are or were in. */
export const NETWORK_GROUPS: ReadonlySet<string> = new Set(["networking.k8s.io", "extensions"]);

/** A control over objects of one kind. */
const objectControl = (
  about: About,
  kind: string,
  groups: ReadonlySet<string>,
  find: (object: KubernetesObject) => Iterable<Finding>,
): Control => ({
  ...about,
  types: [kind],
  *find(resource) {
    for (const object of objectsOf(resource)) {
      if (object.type.kind === kind && groups.has(object.type.group)) yield* find(object);
    }
  },
});

/** Kubernetes' own annotation, where the field is empty. */
const RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
const AWS_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme";

/** Annotations by which the clouds make a load balancer that only their own network reaches. */
const INTERNAL: Record<string, RegExp> = {
  "service.beta.kubernetes.io/aws-load-balancer-internal": /^(true|0\.0\.0\.0\/0)$/,
  [AWS_SCHEME]: /^internal$/,
  "service.beta.kubernetes.io/azure-load-balancer-internal": /^true$/,
  "networking.gke.io/load-balancer-type": /^internal$/i,
  "cloud.google.com/load-balancer-type": /^internal$/i,
  "service.beta.kubernetes.io/oci-load-balancer-internal": /^true$/,
  "service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type": /^private$/,
  "service.beta.kubernetes.io/openstack-internal-load-balancer": /^true$/,
  "service.beta.kubernetes.io/do-loadbalancer-network": /^INTERNAL$/i,
  "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": /^intranet$/,
  "load-balancer.hetzner.cloud/disable-public-network": /^true$/,
};

const exposedService = objectControl(
  {
    id: "exposed-service",
    practice: "network-segmentation",
    title: "Services are open to the cluster alone, or to ranges that are named",
    remedy:
      "use type ClusterIP behind an Ingress or Gateway; a LoadBalancer names loadBalancerSourceRanges or is internal",
  },
  "Service",
  CORE,
  function* ({ props, path }) {
    const type = at(props, "spec", "type");
    const place = { path: join(path, "spec.type") };
    if (type === "NodePort") yield { ...place, what: "a port is open on every node" };
    if (type !== "LoadBalancer" || isInternal(props)) return;
    const ranges = at(props, "spec", "loadBalancerSourceRanges");
    const noted = at(props, "metadata", "annotations", RANGES);
    if (!isKnown(ranges) || !isKnown(noted)) return;
    const said = listOf(ranges).length > 0;
    if (!said && !textOf(noted)) return yield { ...place, what: "no loadBalancerSourceRanges are named" };
    const list = join(path, said ? "spec.loadBalancerSourceRanges" : `metadata.annotations["${RANGES}"]`);
    const places = said
      ? listOf(ranges).map((value, i) => ({ path: `${list}[${i}]`, value }))
      : [{ path: list, value: noted }];
    for (const found of worldIn(places, list)) yield { path: found, what: "it holds everybody" };
  },
);

function isInternal(props: unknown): boolean {
  const annotations = at(props, "metadata", "annotations");
  if (!isKnown(annotations)) return true;
  // It has the last word.
  if (textOf(at(annotations, AWS_SCHEME)) === "internet-facing") return false;
  return Object.entries(INTERNAL).some(([key, value]) => {
    const found = at(annotations, key);
    return !isKnown(found) || (isTrue(found) && value.test("true")) || value.test(textOf(found) ?? "");
  });
}

const externalIps = objectControl(
  {
    id: "external-ips",
    practice: "network-segmentation",
    title: "Services take no addresses by themselves, which would let them receive what is meant for others",
    remedy: "leave out externalIPs, and use a LoadBalancer",
    source: "CVE-2020-8554",
  },
  "Service",
  CORE,
  function* ({ props, path }) {
    if (listOf(at(props, "spec", "externalIPs")).length > 0) yield { path: join(path, "spec.externalIPs") };
  },
);

const ingressTls: Control = {
  id: "ingress-tls",
  practice: "network-segmentation",
  title: "What enters the cluster is encrypted",
  remedy: "give the Ingress `tls` with a secret",
  types: ["Ingress"],
  *find(resource) {
    for (const { type, props, path } of objectsOf(resource)) {
      if (type.kind !== "Ingress" || !NETWORK_GROUPS.has(type.group)) continue;
      const tls = at(props, "spec", "tls");
      const annotations = at(props, "metadata", "annotations");
      const isBare = isKnown(tls) && listOf(tls).length === 0 && !(type.isPatch && isAbsent(tls));
      if (isBare && !CERTIFIED.some((key) => !isAbsent(at(annotations, key))))
        yield { path: join(path, "spec.tls") };
      for (const i of bareHosts(at(props, "spec", "rules"), tls))
        yield { path: join(path, `spec.rules[${i}].host`), what: "no entry of tls names it" };
      for (const [key, value] of PLAIN_HTTP) {
        const found = at(annotations, key);
        if (
          value.test(typeof found === "boolean" ? String(found) : (textOf(found) ?? "")) &&
          !isRedirected(annotations, key)
        )
          yield {
            path: join(path, `metadata.annotations[${JSON.stringify(key)}]`),
            what: "plain HTTP is answered as well",
          };
      }
    }
  },
};

/** Rules whose hosts no certificate is named for; one that names no hosts is for all. */
function bareHosts(rules: unknown, tls: unknown): number[] {
  const certified = listOf(tls).map((each) => at(each, "hosts"));
  const isFor = (host: string) => (hosts: unknown) =>
    !isKnown(hosts) ||
    listOf(hosts).length === 0 ||
    listOf(hosts).some((each) => !isKnown(each) || each === host || each === host.replace(/^[^.]+/, "*"));
  return listOf(rules).flatMap((rule, i) => {
    const host = textOf(at(rule, "host")) ?? "";
    return host === "" || certified.length === 0 || certified.some(isFor(host)) ? [] : [i];
  });
}

/** Annotations by which the clouds' controllers take certificates of their own. */
const CERTIFIED = [
  "alb.ingress.kubernetes.io/certificate-arn",
  "networking.gke.io/managed-certificates",
  "ingress.gcp.kubernetes.io/pre-shared-cert",
];

const ALB_PORTS = "alb.ingress.kubernetes.io/listen-ports";

/** Annotations by which controllers answer plain HTTP beside HTTPS. */
const PLAIN_HTTP: readonly [key: string, value: RegExp][] = [
  ["kubernetes.io/ingress.allow-http", /^true$/i],
  ["nginx.ingress.kubernetes.io/ssl-redirect", /^false$/i],
  ["ingress.kubernetes.io/ssl-redirect", /^false$/i],
  ["haproxy.org/ssl-redirect", /^false$/i],
  ["haproxy-ingress.github.io/ssl-redirect", /^false$/i],
  ["appgw.ingress.kubernetes.io/ssl-redirect", /^false$/i],
  ["traefik.ingress.kubernetes.io/router.tls", /^false$/i],
  ["traefik.ingress.kubernetes.io/router.entrypoints", /(?:^|,)\s*(?:web|http)\s*(?:,|$)/i],
  [ALB_PORTS, /"HTTP"/],
];

/** Amazon's load balancer listens on a port that it redirects. */
const isRedirected = (annotations: unknown, key: string): boolean =>
  key === ALB_PORTS && !isAbsent(at(annotations, "alb.ingress.kubernetes.io/ssl-redirect"));

/** OpenShift's own kind of Ingress. */
export const routeTls: Addition = {
  control: "ingress-tls",
  types: ["Route"],
  *find(resource) {
    for (const { type, props, path } of objectsOf(resource)) {
      if (type.kind !== "Route" || type.group !== "route.openshift.io") continue;
      const tls = at(props, "spec", "tls");
      if (isAbsent(tls) && !type.isPatch) yield { path: join(path, "spec.tls") };
      else if (at(tls, "insecureEdgeTerminationPolicy") === "Allow")
        yield { path: join(path, "spec.tls.insecureEdgeTerminationPolicy") };
    }
  },
};

const openNetworkPolicy = objectControl(
  {
    id: "open-network-policy",
    practice: "network-segmentation",
    title: "No network policy lets every pod of a namespace talk with everybody",
    remedy: "name the pods, the peers or the ports",
  },
  "NetworkPolicy",
  NETWORK_GROUPS,
  function* ({ props, path }) {
    const spec = at(props, "spec");
    if (!selectsAll(at(spec, "podSelector"))) return;
    const types = listOf(at(spec, "policyTypes"));
    for (const way of ["ingress", "egress"] as const) {
      // Kubernetes reads no rules of a way that is not among them.
      if (types.length > 0 && !types.some((type) => !isKnown(type) || textOf(type)?.toLowerCase() === way))
        continue;
      for (const [i, rule] of listOf(at(spec, way)).entries()) {
        if (allowsAll(rule, way === "ingress" ? "from" : "to"))
          yield { path: join(path, `spec.${way}[${i}]`) };
      }
    }
  },
);

/** A selector that takes every pod there is. */
export function selectsAll(selector: unknown): boolean {
  if (!isKnown(selector)) return false;
  const labels = at(selector, "matchLabels");
  const expressions = at(selector, "matchExpressions");
  if (!isKnown(labels) || !isKnown(expressions)) return false;
  return Object.keys(objectOf(labels)).length === 0 && listOf(expressions).length === 0;
}

/** Whether a rule is for every port of everybody, in or out of the cluster. */
function allowsAll(rule: unknown, peers: "from" | "to"): boolean {
  if (!isObject(rule)) return rule === null;
  const [named, ports] = [rule[peers], rule.ports];
  if (!isKnown(named) || !isKnown(ports) || (listOf(ports).length > 0 && !listOf(ports).some(isEveryPort)))
    return false;
  if (listOf(named).length === 0) return true;
  if (listOf(named).some(isEveryPod)) return true;
  const blocks = listOf(named).filter((peer) => {
    const except = at(peer, "ipBlock", "except");
    return isKnown(except) && listOf(except).length === 0;
  });
  const ranges = blocks.map((peer) => ({ path: "cidr", value: at(peer, "ipBlock", "cidr") }));
  return [...worldIn(ranges, "cidr")].length > 0;
}

/** An entry that names a protocol alone, or all ports. */
function isEveryPort(entry: unknown): boolean {
  const [port, end] = [at(entry, "port"), at(entry, "endPort")];
  if (!isKnown(port) || !isKnown(end)) return false;
  return isAbsent(port) || ((numberOf(port) ?? 2) <= 1 && (numberOf(end) ?? 0) >= 65535);
}

/** Every pod of every namespace: an empty selector of these, which one that is left out is not. */
function isEveryPod(peer: unknown): boolean {
  const [space, pods] = [at(peer, "namespaceSelector"), at(peer, "podSelector")];
  return isObject(space) && isEveryNamespace(space) && (isAbsent(pods) || selectsAll(pods));
}

/** By an empty selector, or by the label that Kubernetes gives every namespace, and no pod. */
function isEveryNamespace(selector: unknown): boolean {
  if (selectsAll(selector)) return true;
  const { matchLabels, matchExpressions } = objectOf(selector);
  const isAlwaysMet = (each: unknown) =>
    at(each, "key") === "kubernetes.io/metadata.name" && at(each, "operator") === "Exists";
  return (
    isKnown(matchLabels) &&
    Object.keys(objectOf(matchLabels)).length === 0 &&
    listOf(matchExpressions).length > 0 &&
    listOf(matchExpressions).every(isAlwaysMet)
  );
}

const opaqueRelease: Control = {
  id: "opaque-release",
  practice: "least-privilege",
  title: "Charts are rendered where policies can see what they make",
  remedy:
    "use kubernetes.helm.v4.Chart; where the chart has hooks, render it and check the files, and waive this",
  types: ["kubernetes:helm.sh/v3:Release"],
  *find({ type }) {
    if (/^kubernetes:helm\.sh\/v\w+:Release$/.test(type)) yield { path: "chart" };
  },
};

export const exposure: readonly Control[] = [
  exposedService,
  externalIps,
  ingressTls,
  openNetworkPolicy,
  opaqueRelease,
];

/** A volume that is a directory of whichever host it is used on; one of kind `local` says which host that is. */
export const volumeOnHost: Addition = {
  control: "host-path",
  types: ["PersistentVolume"],
  *find(resource) {
    for (const { type, props, path } of objectsOf(resource)) {
      const value = at(props, "spec", "hostPath");
      if (type.kind === "PersistentVolume" && isKnown(value) && !isAbsent(value))
        yield { path: join(path, "spec.hostPath") };
    }
  },
};
