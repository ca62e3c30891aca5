import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isKnown } from "../../value.ts";
import {
  cloudControl,
  component,
  forTypes,
  get,
  isEmpty,
  items,
  mustBeOn,
  type Place,
  part,
  said,
  whole,
} from "./cloud.ts";
import { mayTakeFrom, mustHaveTemplate } from "./machines.ts";
import {
  AKS,
  AKS_CLASSIC,
  AKS_POOL,
  AKS_POOL_CLASSIC,
  AZURE_MACHINE,
  AZURE_MACHINES_CLASSIC,
  AZURE_SCALE_SET,
  AZURE_SCALE_SETS_CLASSIC,
  EKS_NODES,
  EKS_NODES_COMPONENTS,
  EKS_NODES_NATIVE,
  INSTANCE,
  INSTANCE_NATIVE,
  LAUNCH_CONFIGURATION,
  LAUNCH_TEMPLATE,
  LAUNCH_TEMPLATE_NATIVE,
  SPOT_INSTANCE,
} from "./types.ts";

/** The disk that a machine starts from is encrypted where its image is, which nobody says, or where it is said. */
function* machine(place: Place): Generator<Finding> {
  if (!mayTakeFrom(place, "rootBlockDevice")) yield* mustBeOn(place, "rootBlockDevice.encrypted");
  for (const each of items(place, "ebsBlockDevices")) yield* mustBeOn(each, "encrypted");
}

/** A mapping may be to no disk, or to one of the host's own, which has a key of its own. */
function* mappings(place: Place): Generator<Finding> {
  const { value, path } = part(place, "blockDeviceMappings");
  if (!isKnown(value) || mayTakeFrom(place, "blockDeviceMappings")) return;
  if (isEmpty(value)) return yield { path, what: "nothing is said, not even of the first disk" };
  for (const each of items(place, "blockDeviceMappings")) {
    const isDisk = ["noDevice", "virtualName"].every((key) => isAbsent(get(each.value, key)));
    if (isDisk) yield* mustBeOn(each, "ebs.encrypted");
  }
}

const classicPool = (place: Place) =>
  mustBeOn(place, said(place, "hostEncryptionEnabled", "enableHostEncryption"));

/**
 * Azure and Google encrypt every disk. Azure leaves out the temporary ones and caches, unless the host
 * encrypts; AWS leaves out all, unless told to, for each or for the account.
 */
export const diskEncryption: Control = cloudControl(
  {
    id: "disk-encryption",
    practice: "secrets",
    title: "Disks are encrypted",
    remedy: "set `encrypted` for each disk (AWS), and encryption at the host (Azure)",
  },
  {
    "aws:ebs/volume:Volume": (props) => mustBeOn(whole(props), "encrypted"),
    "aws-native:ec2:Volume": (props) => mustBeOn(whole(props), "encrypted"),
    "aws:efs/fileSystem:FileSystem": (props) => mustBeOn(whole(props), "encrypted"),
    "aws-native:efs:FileSystem": (props) => mustBeOn(whole(props), "encrypted"),
    ...forTypes([INSTANCE, SPOT_INSTANCE, LAUNCH_CONFIGURATION], (props) => machine(whole(props))),
    ...forTypes([INSTANCE_NATIVE, LAUNCH_TEMPLATE], (props) => mappings(whole(props))),
    [LAUNCH_TEMPLATE_NATIVE]: (props) => mappings(part(whole(props), "launchTemplateData")),
    ...forTypes([EKS_NODES, EKS_NODES_NATIVE], (props) =>
      mustHaveTemplate(whole(props), "none is named, and the one that EKS makes does not encrypt"),
    ),
    ...forTypes(
      EKS_NODES_COMPONENTS,
      component((props) => mustBeOn(whole(props), "nodeRootVolumeEncrypted")),
    ),
    [AZURE_MACHINE]: (props) => mustBeOn(whole(props), "securityProfile.encryptionAtHost"),
    [AZURE_SCALE_SET]: (props) =>
      mustBeOn(whole(props), "virtualMachineProfile.securityProfile.encryptionAtHost"),
    ...forTypes([...AZURE_MACHINES_CLASSIC, ...AZURE_SCALE_SETS_CLASSIC], (props) =>
      mustBeOn(whole(props), "encryptionAtHostEnabled"),
    ),
    *[AKS](props) {
      for (const each of items(whole(props), "agentPoolProfiles"))
        yield* mustBeOn(each, "enableEncryptionAtHost");
    },
    [AKS_POOL]: (props) => mustBeOn(whole(props), "enableEncryptionAtHost"),
    [AKS_CLASSIC]: (props) => classicPool(part(whole(props), "defaultNodePool")),
    [AKS_POOL_CLASSIC]: (props) => classicPool(whole(props)),
  },
);
