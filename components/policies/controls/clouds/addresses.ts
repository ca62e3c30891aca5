import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isKnown } from "../../value.ts";
import {
  cloudControl,
  forTypes,
  items,
  mustBeOff,
  mustBeOn,
  mustNotBeOff,
  NOTHING_SAID,
  nodesOfEks,
  type Place,
  part,
  said,
  whole,
} from "./cloud.ts";
import {
  AKS,
  AKS_CLASSIC,
  AKS_POOL,
  AKS_POOL_CLASSIC,
  AZURE_MACHINE,
  AZURE_SCALE_SET,
  AZURE_SCALE_SET_MIXED,
  AZURE_SCALE_SETS_CLASSIC,
  EKS_COMPONENT,
  EKS_NODES_COMPONENTS,
  GKE,
  GKE_POOL,
  GOOGLE_MACHINES,
  INSTANCE,
  INSTANCE_NATIVE,
  LAUNCH_CONFIGURATION,
  LAUNCH_CONFIGURATION_NATIVE,
  LAUNCH_TEMPLATE,
  LAUNCH_TEMPLATE_NATIVE,
  SPOT_FLEET,
  SPOT_INSTANCE,
} from "./types.ts";

function* ec2(place: Place): Generator<Finding> {
  yield* mustBeOff(place, "associatePublicIpAddress");
  yield* template(place);
}

function* template(place: Place): Generator<Finding> {
  for (const each of items(place, "networkInterfaces")) yield* mustBeOff(each, "associatePublicIpAddress");
}

/** A default subnet gives public addresses unless it is told not to. */
function* defaultSubnet(place: Place): Generator<Finding> {
  const { value, path } = part(place, "mapPublicIpOnLaunch");
  if (isAbsent(value)) yield { path, what: NOTHING_SAID };
  else yield* mustBeOff(place, "mapPublicIpOnLaunch");
}

/** An access configuration is a public address, even one that says nothing. */
function* google(place: Place): Generator<Finding> {
  for (const each of items(place, "networkInterfaces")) {
    for (const key of ["accessConfigs", "ipv6AccessConfigs"]) {
      const { value, path } = part(each, key);
      if (Array.isArray(value) && value.length > 0) yield { path };
    }
  }
}

/** Addresses of an interface of Azure's, or of the interfaces of a group. */
function* azure(place: Place, interfaces: string | undefined, key: string): Generator<Finding> {
  for (const each of interfaces === undefined ? [place] : items(place, interfaces)) {
    for (const configuration of items(each, "ipConfigurations")) {
      const { value, path } = part(configuration, key);
      if (isKnown(value) && (Array.isArray(value) ? value.length > 0 : !isAbsent(value) && value !== ""))
        yield { path };
    }
  }
}

const classicPool = (place: Place) =>
  mustBeOff(place, said(place, "nodePublicIpEnabled", "enableNodePublicIp"));

function* gke(place: Place): Generator<Finding> {
  yield* mustBeOn(place, "privateClusterConfig.enablePrivateNodes");
  for (const pool of items(place, "nodePools")) yield* gkePool(pool);
}

/** A pool takes what its cluster says where it says nothing. */
const gkePool = (place: Place) => mustNotBeOff(place, "networkConfig.enablePrivateNodes");

export const privateNodes: Control = cloudControl(
  {
    id: "private-nodes",
    practice: "network-segmentation",
    title: "Machines have no public address",
    remedy:
      "put machines into private subnets, without public addresses; what they serve goes through a load balancer",
    source: "CIS benchmarks of EKS, AKS and GKE",
  },
  {
    ...forTypes([INSTANCE, INSTANCE_NATIVE, SPOT_INSTANCE], (props) => ec2(whole(props))),
    [LAUNCH_TEMPLATE]: (props) => template(whole(props)),
    [LAUNCH_TEMPLATE_NATIVE]: (props) => template(part(whole(props), "launchTemplateData")),
    ...forTypes([LAUNCH_CONFIGURATION, LAUNCH_CONFIGURATION_NATIVE], (props) =>
      mustBeOff(whole(props), "associatePublicIpAddress"),
    ),
    *[SPOT_FLEET](props) {
      for (const each of items(whole(props), "launchSpecifications"))
        yield* mustBeOff(each, "associatePublicIpAddress");
    },
    ...forTypes(["aws:ec2/subnet:Subnet", "aws-native:ec2:Subnet"], (props) =>
      mustBeOff(whole(props), "mapPublicIpOnLaunch"),
    ),
    "aws:ec2/defaultSubnet:DefaultSubnet": (props) => defaultSubnet(whole(props)),
    *[EKS_COMPONENT](props) {
      for (const place of nodesOfEks(props)) yield* mustBeOff(place, "nodeAssociatePublicIpAddress");
    },
    ...forTypes(EKS_NODES_COMPONENTS, (props) => mustBeOff(whole(props), "nodeAssociatePublicIpAddress")),
    *[AKS](props) {
      for (const each of items(whole(props), "agentPoolProfiles"))
        yield* mustBeOff(each, "enableNodePublicIP");
    },
    [AKS_POOL]: (props) => mustBeOff(whole(props), "enableNodePublicIP"),
    [AKS_CLASSIC]: (props) => classicPool(part(whole(props), "defaultNodePool")),
    [AKS_POOL_CLASSIC]: (props) => classicPool(whole(props)),
    "azure-native:network:NetworkInterface": (props) => azure(whole(props), undefined, "publicIPAddress"),
    "azure:network/networkInterface:NetworkInterface": (props) =>
      azure(whole(props), undefined, "publicIpAddressId"),
    [AZURE_MACHINE]: (props) =>
      azure(whole(props), "networkProfile.networkInterfaceConfigurations", "publicIPAddressConfiguration"),
    [AZURE_SCALE_SET]: (props) =>
      azure(
        whole(props),
        "virtualMachineProfile.networkProfile.networkInterfaceConfigurations",
        "publicIPAddressConfiguration",
      ),
    ...forTypes([...AZURE_SCALE_SETS_CLASSIC, AZURE_SCALE_SET_MIXED], (props) =>
      azure(whole(props), "networkInterfaces", "publicIpAddresses"),
    ),
    [GKE]: (props) => gke(whole(props)),
    [GKE_POOL]: (props) => gkePool(whole(props)),
    ...forTypes(GOOGLE_MACHINES, (props) => google(whole(props))),
  },
);
