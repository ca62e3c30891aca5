import { stringify } from "yaml";
import type { UnderlayPlan } from "../model/underlay.ts";

/** Where containerd finds Multus first: files of a folder are read by name. */
export const MULTUS_CONFIG = "/etc/cni/net.d/00-multus.conf";
/** Where whereabouts looks for what its networks do not say. */
export const WHEREABOUTS_CONFIG = "/etc/cni/net.d/whereabouts.d/whereabouts.conf";
/** The network that pods ask for is `kube-system/site`. */
const NAMESPACE = "kube-system";
const NETWORK = "site";
/** Namespaces with this label, and the value `allowed`, may attach their pods to further networks. */
export const UNDERLAY_LABEL = "spillway.io/underlay";

const CNI_VERSION = "0.4.0";
const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Multus: connects every pod to the cluster's own network, and to those besides that it asks for. */
export function multusConfig(kubeconfig: string, clusterNetwork: string, clusterNetworkPath: string): string {
  return json({
    cniVersion: CNI_VERSION,
    name: "spillway-multus",
    type: "multus",
    capabilities: { portMappings: true },
    kubeconfig,
    // As a path it would lose fields of its plugins on the way to their removal of a pod (Multus 4.2.2).
    delegates: [JSON.parse(clusterNetwork)],
    // No pod fails for want of the cluster's network while its daemon starts: it waits.
    readinessindicatorfile: clusterNetworkPath,
    // A pod takes networks of its own namespace, and this one.
    namespaceIsolation: true,
    globalNamespaces: NAMESPACE,
  });
}

/** whereabouts: how it reaches the API, where the addresses in use are kept. */
export const whereaboutsConfig = (kubeconfig: string): string => json({ kubernetes: { kubeconfig } });

/** What a pod's interface on the site's network is made of. */
export interface SiteNetwork {
  addresses: UnderlayPlan;
  /** Largest packet, in bytes. */
  mtu: number;
  /** Interface of the hosts. @default the one with the default route */
  parent?: string;
}

/**
 * The second interface: macvlan on the host's, and routes by source. A packet from the pod's own address leaves by
 * that interface; all else goes by the cluster's network, which without this would lose what comes from the site:
 * the answer to a host's call of the pod's cluster address would leave by the wrong interface.
 */
function siteNetwork({ addresses, mtu, parent }: SiteNetwork): string {
  const { network, first, last, exclude, gateway } = addresses;
  const macvlan = {
    type: "macvlan",
    mode: "bridge",
    ...(parent && { master: parent }),
    mtu,
    ipam: {
      type: "whereabouts",
      range: network,
      range_start: first,
      range_end: last,
      ...(exclude.length > 0 && { exclude }),
      ...(gateway && { gateway }),
    },
  };
  return JSON.stringify({ cniVersion: CNI_VERSION, name: NETWORK, plugins: [macvlan, { type: "sbr" }] });
}

/** Kinds, the network itself, rights, and who may use it; YAML. */
export function underlayManifests(site: SiteNetwork): string {
  return [
    ...DEFINITIONS.map(definition),
    ...rights("multus", "ClusterRole", MULTUS_RULES),
    ...rights("whereabouts", "Role", WHEREABOUTS_RULES),
    ...admission(),
    {
      apiVersion: "k8s.cni.cncf.io/v1",
      kind: "NetworkAttachmentDefinition",
      metadata: { name: NETWORK, namespace: NAMESPACE },
      spec: { config: siteNetwork(site) },
    },
  ]
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join("---\n");
}

interface Definition {
  group: string;
  version: string;
  kind: string;
  plural: string;
  /** @default the kind in small letters */
  singular?: string;
  shortNames?: string[];
  spec: object;
}

const string = { type: "string" };
const fields = (properties: object, required: string[]) => ({ type: "object", properties, required });

/** Kinds as Multus and whereabouts define them, without their words of explanation. */
const DEFINITIONS: Definition[] = [
  {
    group: "k8s.cni.cncf.io",
    version: "v1",
    kind: "NetworkAttachmentDefinition",
    plural: "network-attachment-definitions",
    singular: "network-attachment-definition",
    shortNames: ["net-attach-def"],
    spec: { type: "object", properties: { config: string } },
  },
  {
    group: "whereabouts.cni.cncf.io",
    version: "v1alpha1",
    kind: "IPPool",
    plural: "ippools",
    spec: fields(
      {
        allocations: {
          type: "object",
          additionalProperties: fields({ id: string, ifname: string, podref: string }, ["id", "podref"]),
        },
        range: string,
      },
      ["allocations", "range"],
    ),
  },
  {
    group: "whereabouts.cni.cncf.io",
    version: "v1alpha1",
    kind: "OverlappingRangeIPReservation",
    plural: "overlappingrangeipreservations",
    spec: fields({ containerid: string, ifname: string, podref: string }, ["podref"]),
  },
];

function definition({ group, version, kind, plural, singular, shortNames, spec }: Definition): object {
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: singular ?? kind.toLowerCase(),
        ...(shortNames && { shortNames }),
      },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/** Reads the pod and its networks, notes on the pod what it got, and tells of it. */
const MULTUS_RULES: Rule[] = [
  { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
  { apiGroups: [""], resources: ["pods/status"], verbs: ["update"] },
  { apiGroups: ["k8s.cni.cncf.io"], resources: ["network-attachment-definitions"], verbs: ["get"] },
  { apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
];

/** Keeps the addresses in use; one node at a time, by a lease. */
const WHEREABOUTS_RULES: Rule[] = [
  {
    apiGroups: ["whereabouts.cni.cncf.io"],
    resources: ["ippools"],
    verbs: ["get", "list", "create", "patch"],
  },
  {
    apiGroups: ["whereabouts.cni.cncf.io"],
    resources: ["overlappingrangeipreservations"],
    verbs: ["get", "create", "delete"],
  },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    resourceNames: ["whereabouts"],
    verbs: ["get", "update"],
  },
];

function rights(user: string, kind: "ClusterRole" | "Role", rules: Rule[]): object[] {
  const group = "rbac.authorization.k8s.io";
  const metadata = { name: `spillway-${user}`, ...(kind === "Role" && { namespace: NAMESPACE }) };
  return [
    { apiVersion: `${group}/v1`, kind, metadata, rules },
    {
      apiVersion: `${group}/v1`,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: group, kind, name: metadata.name },
      subjects: [{ apiGroup: group, kind: "User", name: `spillway:${user}` }],
    },
  ];
}

/**
 * Network policies do not see what passes by a pod's further interfaces, so a namespace has them by name only. A
 * pod whose only interface is on the site's network would not be found by what releases addresses.
 */
const admission = (): object[] => [
  ...refusal("spillway-underlay", {
    annotation: "k8s.v1.cni.cncf.io/networks",
    namespaces: { matchExpressions: [{ key: UNDERLAY_LABEL, operator: "NotIn", values: ["allowed"] }] },
    message: `network policies do not see further networks: label the namespace ${UNDERLAY_LABEL}=allowed to have them`,
  }),
  ...refusal("spillway-default-network", {
    annotation: "v1.multus-cni.io/default-network",
    namespaces: {},
    message: "every pod is on the cluster's own network; ask for further ones by k8s.v1.cni.cncf.io/networks",
  }),
];

interface AnnotationRule {
  annotation: string;
  namespaces: object;
  message: string;
}

function refusal(name: string, { annotation, namespaces, message }: AnnotationRule): object[] {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const pods = {
    apiGroups: [""],
    apiVersions: ["v1"],
    operations: ["CREATE", "UPDATE"],
    resources: ["pods"],
  };
  const asks = (pod: string) =>
    `has(${pod}.metadata.annotations) && '${annotation}' in ${pod}.metadata.annotations`;
  // What came in before stays changeable, so that it can end.
  const expression = `!(${asks("object")}) || (oldObject != null && ${asks("oldObject")})`;
  return [
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: { namespaceSelector: namespaces, resourceRules: [pods] },
        validations: [{ expression, message }],
      },
    },
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    },
  ];
}

/** Where `releaseScript` lies on members of the control plane. */
export const RELEASE_SCRIPT = "/usr/local/lib/spillway/release-addresses";

/**
 * Gives back addresses whose pod is no longer in the cluster: its node was lost, or could not tell. A pod that may
 * still live is still in the cluster, as those of a silent node are until that leaves.
 */
export const releaseScript = `#!/bin/sh
set -eu
export KUBECONFIG=/etc/kubernetes/admin.conf
ask() { kubectl --request-timeout=30s -n ${NAMESPACE} "$@"; }
pools=ippools.whereabouts.cni.cncf.io
reservations=overlappingrangeipreservations.whereabouts.cni.cncf.io
# Addresses first and pods after them: a pod is in the cluster before it has an address.
held=$(ask get $pools -o go-template='{{range .items}}{{$pool := .metadata.name}}{{range $place, $held := .spec.allocations}}{{$pool}} {{$place}} {{$held.podref}} {{$held.id}}{{"\\n"}}{{end}}{{end}}')
reserved=$(ask get $reservations -o go-template='{{range .items}}{{.metadata.name}} {{.spec.podref}}{{"\\n"}}{{end}}')
pods=" $(ask get pods --all-namespaces -o go-template='{{range .items}}{{.metadata.namespace}}/{{.metadata.name}} {{end}}') "
lives() { case $pods in *" $1 "*) ;; *) return 1 ;; esac }
printf '%s\\n' "$held" | while read -r pool place pod container; do
  if [ -z "$pool" ] || lives "$pod"; then continue; fi
  echo "place $place of $pool was $pod's, which is gone"
  # Refused when a new pod of that name took the address over meanwhile.
  change='[{"op":"test","path":"/spec/allocations/%s/id","value":"%s"},{"op":"remove","path":"/spec/allocations/%s"}]\\n'
  ask patch $pools "$pool" --type=json -p "$(printf "$change" "$place" "$container" "$place")" || :
done
printf '%s\\n' "$reserved" | while read -r address pod; do
  if [ -z "$address" ] || lives "$pod"; then continue; fi
  ask delete $reservations "$address" --ignore-not-found
done
`;

export const releaseUnit = `[Unit]
Description=Gives back addresses of the site's network whose pods are gone
ConditionPathExists=/etc/kubernetes/admin.conf

[Service]
Type=oneshot
ExecStart=${RELEASE_SCRIPT}
`;

export const releaseTimer = `[Unit]
Description=Looks for addresses of the site's network whose pods are gone

[Timer]
OnActiveSec=1min
OnUnitInactiveSec=1min
AccuracySec=10s

[Install]
WantedBy=timers.target
`;
