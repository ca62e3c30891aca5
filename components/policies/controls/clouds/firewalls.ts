import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isKnown, isTrue, numberOf, textOf } from "../../value.ts";
import { cloudControl, forTypes, get, isEmpty, items, type Place, part, said, whole } from "./cloud.ts";
import { EVERY, namesOf, type Ports, portsOf, protocolOf } from "./ports.ts";
import { worldIn } from "./ranges.ts";
import { EKS_MANAGED_NODES, EKS_NODES, EKS_NODES_NATIVE } from "./types.ts";

/** Where a rule lets the world in to what it must not reach. */
function* open(sources: readonly Place[], list: string, names: readonly string[]): Generator<Finding> {
  if (names.length === 0) return;
  for (const path of worldIn(sources, list)) yield { path, what: `the world reaches ${names.join(", ")}` };
}

interface AwsKeys {
  protocol: string;
  lists?: readonly string[];
  texts?: readonly string[];
}

const BLOCK: AwsKeys = { protocol: "protocol", lists: ["cidrBlocks", "ipv6CidrBlocks"] };
const RULE: AwsKeys = { protocol: "ipProtocol", texts: ["cidrIpv4", "cidrIpv6"] };
const NATIVE: AwsKeys = { protocol: "ipProtocol", texts: ["cidrIp", "cidrIpv6"] };
const LIGHTSAIL: AwsKeys = { protocol: "protocol", lists: ["cidrs", "ipv6Cidrs"] };

function* aws(place: Place, { protocol, lists = [], texts = [] }: AwsKeys): Generator<Finding> {
  const names = awsNames(place, protocol);
  for (const key of lists) yield* open(items(place, key), part(place, key).path, names);
  for (const key of texts) yield* open([part(place, key)], part(place, key).path, names);
}

/** With all protocols, AWS does not look at ports. */
function awsNames(place: Place, key: string): string[] {
  const protocol = protocolOf(get(place.value, key));
  return namesOf(protocol, [protocol === "all" ? EVERY : awsPorts(place.value, AWS_PORTS)]);
}

/** Where a rule says its first and its last port. */
type PortKeys = readonly [first: string, last: string];

const AWS_PORTS: PortKeys = ["fromPort", "toPort"];

/** Where a port is left out, or is -1, AWS means every one. */
function awsPorts(rule: unknown, keys: PortKeys): Ports | undefined {
  const [from, to] = keys.map((key) => get(rule, key));
  if (!isKnown(from) || !isKnown(to)) return undefined;
  const [first, last] = [numberOf(from) ?? 0, numberOf(to) ?? 65535];
  return { from: first, to: first < 0 || last < 0 ? 65535 : last };
}

/** Rules of a type that may also be for what goes out. */
function* securityGroupRule(place: Place): Generator<Finding> {
  const type = get(place.value, "type");
  if (isKnown(type) && type !== "egress") yield* aws(place, BLOCK);
}

/**
 * A list of a subnet lets answers in by their ports, for it does not know which packets are such: a wide rule of
 * ports from 1024 is one for answers.
 */
function* networkAcl(
  place: Place,
  action: string,
  isOut: unknown,
  keys: PortKeys = AWS_PORTS,
): Generator<Finding> {
  if (!isKnown(isOut) || isTrue(isOut) || !isWord(get(place.value, action), "allow")) return;
  const protocol = protocolOf(get(place.value, "protocol"));
  const ports = protocol === "all" ? EVERY : awsPorts(place.value, keys);
  if (ports !== undefined && ports.from >= 1024 && ports.to - ports.from > 1000) return;
  const names = namesOf(protocol, [ports]);
  for (const key of ["cidrBlock", "ipv6CidrBlock"])
    yield* open([part(place, key)], part(place, key).path, names);
}

/** Where a rule names no sources, Lightsail lets everyone in. */
function* lightsail(place: Place): Generator<Finding> {
  yield* aws(place, LIGHTSAIL);
  const names = awsNames(place, LIGHTSAIL.protocol);
  const sources = ["cidrs", "ipv6Cidrs", "cidrListAliases"].map((key) => get(place.value, key));
  if (names.length > 0 && sources.every((source) => isKnown(source) && isEmpty(source)))
    yield {
      path: part(place, "cidrs").path,
      what: `nothing is said, so the world reaches ${names.join(", ")}`,
    };
}

/** A list has no ports: those who use it in their rules do not see that it is the world. */
function* prefixes(sources: readonly Place[], list: string): Generator<Finding> {
  for (const path of worldIn(sources, list)) yield { path, what: "the world is in it" };
}

const prefixList = (props: unknown) =>
  prefixes(
    items(whole(props), "entries").map((entry) => part(entry, "cidr")),
    "entries",
  );

/** With a key and no group that may use it, EKS opens SSH to the Internet. */
function* remoteAccess(place: Place, key: string, groups: string): Generator<Finding> {
  const { value, path } = part(place, `remoteAccess.${groups}`);
  const login = get(place.value, `remoteAccess.${key}`);
  if (isKnown(login) && !isEmpty(login) && isKnown(value) && isEmpty(value))
    yield { path, what: "nothing is said, so the world reaches 22 (SSH)" };
}

const isWord = (value: unknown, word: string): boolean =>
  isAbsent(value) || textOf(value)?.toLowerCase() === word;

function* azure(place: Place): Generator<Finding> {
  const { value } = place;
  if (!isWord(get(value, "access"), "allow") || !isWord(get(value, "direction"), "inbound")) return;
  const said = ["destinationPortRange", "destinationPortRanges"].map((key) => get(value, key));
  const isEvery = said.every((each) => isKnown(each) && isEmpty(each));
  const ports = isEvery ? ["*"] : said.flat().flatMap((each) => textOf(each)?.split(",") ?? [each]);
  const names = namesOf(protocolOf(get(value, "protocol")), ports.map(portsOf));
  yield* open([part(place, "sourceAddressPrefix")], part(place, "sourceAddressPrefix").path, names);
  const prefixes = part(place, "sourceAddressPrefixes");
  yield* open(items(place, "sourceAddressPrefixes"), prefixes.path, names);
}

function* azureGroup(props: unknown): Generator<Finding> {
  for (const rule of items(whole(props), "securityRules")) yield* azure(rule);
}

/** What a rule of Google's allows: protocols, each with ports or with all of them. */
const googleNames = (allowed: readonly Place[], protocol: string): string[] => [
  ...new Set(
    allowed.flatMap(({ value: each }) => {
      const ports = get(each, "ports");
      const known = isKnown(ports) && isEmpty(ports) ? ["*"] : [ports].flat();
      return namesOf(protocolOf(get(each, protocol)), known.map(portsOf));
    }),
  ),
];

function* google(place: Place): Generator<Finding> {
  const { value } = place;
  const disabled = get(value, "disabled");
  if (!isWord(get(value, "direction"), "ingress") || !isKnown(disabled) || isTrue(disabled)) return;
  const names = googleNames(items(place, "allows"), "protocol");
  yield* open(items(place, "sourceRanges"), "sourceRanges", names);
  const sources = ["sourceRanges", "sourceTags", "sourceServiceAccounts"].map((key) => get(value, key));
  if (names.length > 0 && sources.every((source) => isKnown(source) && isEmpty(source)))
    yield { path: "sourceRanges", what: `nothing is said, so the world reaches ${names.join(", ")}` };
}

/** What Google calls the networks that a rule is for; providers have had several names for it. */
const scopeOf = (place: Place): Place =>
  part(place, said(place, "match.srcNetworkContext", "match.srcNetworkType", "match.srcNetworkScope"));

/** The other scopes are networks that are not the Internet. */
const OF_INTERNET = ["", "unspecified", "internet"];

const SOURCES = [
  "srcIpRanges",
  "srcRegionCodes",
  "srcAddressGroups",
  "srcFqdns",
  "srcSecureTags",
  "srcThreatIntelligences",
  "srcNetworks",
];

/** A country is as good as the world; sources beside it let in more, not less. */
function* googlePolicy(place: Place): Generator<Finding> {
  const { value } = place;
  const disabled = get(value, "disabled");
  const isIn = isWord(get(value, "direction"), "ingress") && isWord(get(value, "action"), "allow");
  if (!isIn || !isKnown(disabled) || isTrue(disabled)) return;
  const scope = scopeOf(place);
  const word = isAbsent(scope.value) ? "" : textOf(scope.value)?.toLowerCase();
  if (word === undefined || !OF_INTERNET.includes(word)) return;
  const names = googleNames(items(place, "match.layer4Configs"), "ipProtocol");
  yield* open(items(place, "match.srcIpRanges"), part(place, "match.srcIpRanges").path, names);
  if (names.length === 0) return;
  const what = `the world reaches ${names.join(", ")}`;
  const countries = part(place, "match.srcRegionCodes");
  if (isKnown(countries.value) && !isEmpty(countries.value)) yield { path: countries.path, what };
  const sources = SOURCES.map((key) => get(value, `match.${key}`));
  const isAlone = sources.every((source) => isKnown(source) && isEmpty(source));
  if (word === "internet" && isAlone) yield { path: scope.path, what };
}

function* eachOf(props: unknown, key: string, keys: AwsKeys): Generator<Finding> {
  for (const rule of items(whole(props), key)) yield* aws(rule, keys);
}

export const openToWorld: Control = cloudControl(
  {
    id: "open-to-world",
    practice: "network-segmentation",
    title: "The world reaches no port that hosts and clusters are run by",
    remedy:
      "name the ranges or groups that need the port; a range wider than /8 (IPv4) or /16 (IPv6) counts as the world",
    source: "CIS foundations benchmarks of AWS, Azure and Google Cloud",
  },
  {
    ...forTypes(
      ["aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"],
      (props) => eachOf(props, "ingress", BLOCK),
    ),
    ...forTypes(
      ["aws:ec2/networkAcl:NetworkAcl", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"],
      function* (props) {
        for (const rule of items(whole(props), "ingress")) yield* networkAcl(rule, "action", false);
      },
    ),
    "aws:ec2/networkAclRule:NetworkAclRule": (props) =>
      networkAcl(whole(props), "ruleAction", props.egress ?? false),
    "aws-native:ec2:NetworkAclEntry": (props) =>
      networkAcl(whole(props), "ruleAction", props.egress ?? false, ["portRange.from", "portRange.to"]),
    *"aws:lightsail/instancePublicPorts:InstancePublicPorts"(props) {
      for (const ports of items(whole(props), "portInfos")) yield* lightsail(ports);
    },
    ...forTypes(["aws:ec2/managedPrefixList:ManagedPrefixList", "aws-native:ec2:PrefixList"], prefixList),
    "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry": (props) =>
      prefixes([part(whole(props), "cidr")], "cidr"),
    "aws:ec2/securityGroupRule:SecurityGroupRule": (props) => securityGroupRule(whole(props)),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (props) => aws(whole(props), RULE),
    "aws-native:ec2:SecurityGroup": (props) => eachOf(props, "securityGroupIngress", NATIVE),
    "aws-native:ec2:SecurityGroupIngress": (props) => aws(whole(props), NATIVE),
    ...forTypes([EKS_NODES, EKS_MANAGED_NODES], (props) =>
      remoteAccess(whole(props), "ec2SshKey", "sourceSecurityGroupIds"),
    ),
    [EKS_NODES_NATIVE]: (props) => remoteAccess(whole(props), "ec2SshKey", "sourceSecurityGroups"),
    ...forTypes(
      [
        "azure-native:network:NetworkSecurityGroup",
        "azure:network/networkSecurityGroup:NetworkSecurityGroup",
      ],
      azureGroup,
    ),
    ...forTypes(
      ["azure-native:network:SecurityRule", "azure:network/networkSecurityRule:NetworkSecurityRule"],
      (props) => azure(whole(props)),
    ),
    "gcp:compute/firewall:Firewall": (props) => google(whole(props)),
    ...forTypes(
      [
        "gcp:compute/firewallPolicyRule:FirewallPolicyRule",
        "gcp:compute/networkFirewallPolicyRule:NetworkFirewallPolicyRule",
        "gcp:compute/regionNetworkFirewallPolicyRule:RegionNetworkFirewallPolicyRule",
      ],
      (props) => googlePolicy(whole(props)),
    ),
    ...forTypes(
      [
        "gcp:compute/firewallPolicyWithRules:FirewallPolicyWithRules",
        "gcp:compute/networkFirewallPolicyWithRules:NetworkFirewallPolicyWithRules",
        "gcp:compute/regionNetworkFirewallPolicyWithRules:RegionNetworkFirewallPolicyWithRules",
      ],
      function* (props) {
        for (const rule of items(whole(props), "rules")) yield* googlePolicy(rule);
      },
    ),
  },
);
