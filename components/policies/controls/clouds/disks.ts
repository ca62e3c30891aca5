import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isFalse, isKnown } from "../../value.ts";
import {
  cloudControl,
  component,
  forTypes,
  get,
  isEmpty,
  items,
  mustBeOn,
  mustBeThere,
  mustNotBeOff,
  nodesOfEks,
  type Place,
  part,
  said,
  whole,
} from "./cloud.ts";
import { mayTakeFrom } from "./machines.ts";
import {
  AKS,
  AKS_CLASSIC,
  AKS_POOL,
  AKS_POOL_CLASSIC,
  AZURE_MACHINE,
  AZURE_MACHINES_CLASSIC,
  AZURE_SCALE_SET,
  AZURE_SCALE_SET_MIXED,
  AZURE_SCALE_SETS_CLASSIC,
  EKS_COMPONENT,
  EKS_NODES_COMPONENTS,
  INSTANCE,
  INSTANCE_NATIVE,
  LAUNCH_CONFIGURATION,
  LAUNCH_CONFIGURATION_NATIVE,
  LAUNCH_TEMPLATE,
  LAUNCH_TEMPLATE_NATIVE,
  SPOT_FLEET,
  SPOT_INSTANCE,
} from "./types.ts";

/** The disk that a machine starts from is encrypted where its image is, which nobody says, or where it is said. */
function* machine(place: Place): Generator<Finding> {
  if (!mayTakeFrom(place, "rootBlockDevice")) yield* mustBeOn(place, "rootBlockDevice.encrypted");
  for (const each of items(place, "ebsBlockDevices")) yield* mustBeOn(each, "encrypted");
}

/** A fleet gives the disk that its machines start from as a list of one. */
function* fleetMachine(place: Place): Generator<Finding> {
  yield* mustBeThere(place, "rootBlockDevices");
  for (const key of ["rootBlockDevices", "ebsBlockDevices"])
    for (const each of items(place, key)) yield* mustBeOn(each, "encrypted");
}

/** A mapping may be to no disk, or to one of the host's own, which has a key of its own. */
function* mappings(place: Place): Generator<Finding> {
  for (const each of items(place, "blockDeviceMappings")) {
    const others = ["noDevice", "virtualName"].map((key) => get(each.value, key));
    if (others.every((other) => isAbsent(other) || isFalse(other))) yield* mustBeOn(each, "ebs.encrypted");
  }
}

/** A machine that says nothing of its disks has its image's; a template may say a part of a machine alone. */
function* nativeMachine(place: Place): Generator<Finding> {
  if (!mayTakeFrom(place, "blockDeviceMappings")) yield* mustBeThere(place, "blockDeviceMappings");
  yield* mappings(place);
}

/** The host encrypts all, or the disks have a key of the site's own; a switch that is off says neither. */
function* azure(place: Place, key: string, ...keysOfDisks: readonly unknown[]): Generator<Finding> {
  const hasKey = keysOfDisks.some((each) => !isKnown(each) || !isEmpty(each));
  if (!hasKey || isFalse(get(place.value, key))) yield* mustBeOn(place, key);
}

const nativeDisk = "storageProfile.osDisk.managedDisk.diskEncryptionSet";
const nativeConfidential = "storageProfile.osDisk.managedDisk.securityProfile.securityEncryptionType";

const nativeVirtual = (place: Place) =>
  azure(
    place,
    "securityProfile.encryptionAtHost",
    get(place.value, nativeDisk),
    get(place.value, nativeConfidential),
  );

const classicVirtual = (place: Place) =>
  azure(
    place,
    "encryptionAtHostEnabled",
    get(place.value, "osDisk.diskEncryptionSetId"),
    get(place.value, "osDisk.securityEncryptionType"),
  );

const classicPoolKey = (place: Place) => said(place, "hostEncryptionEnabled", "enableHostEncryption");

/**
 * Azure and Google encrypt every disk. Azure leaves out the temporary ones and caches, unless the host
 * encrypts; AWS leaves out all, unless told to, for each or for the account.
 */
export const diskEncryption: Control = cloudControl(
  {
    id: "disk-encryption",
    practice: "secrets",
    title: "Disks are encrypted",
    remedy:
      "set `encrypted` for each disk (AWS), and encryption at the host or a disk encryption set (Azure)",
  },
  {
    "aws:ebs/volume:Volume": (props) => mustBeOn(whole(props), "encrypted"),
    "aws-native:ec2:Volume": (props) => mustBeOn(whole(props), "encrypted"),
    "aws:efs/fileSystem:FileSystem": (props) => mustBeOn(whole(props), "encrypted"),
    "aws-native:efs:FileSystem": (props) => mustBeOn(whole(props), "encrypted"),
    ...forTypes([INSTANCE, SPOT_INSTANCE, LAUNCH_CONFIGURATION], (props) => machine(whole(props))),
    ...forTypes([INSTANCE_NATIVE, LAUNCH_CONFIGURATION_NATIVE], (props) => nativeMachine(whole(props))),
    *[SPOT_FLEET](props) {
      for (const each of items(whole(props), "launchSpecifications")) yield* fleetMachine(each);
    },
    [LAUNCH_TEMPLATE]: (props) => mappings(whole(props)),
    [LAUNCH_TEMPLATE_NATIVE]: (props) => mappings(part(whole(props), "launchTemplateData")),
    *[EKS_COMPONENT](props) {
      for (const place of nodesOfEks(props)) yield* mustNotBeOff(place, "nodeRootVolumeEncrypted");
    },
    ...forTypes(
      EKS_NODES_COMPONENTS,
      component((props) => mustBeOn(whole(props), "nodeRootVolumeEncrypted")),
    ),
    "aws:ebs/encryptionByDefault:EncryptionByDefault": (props) => mustNotBeOff(whole(props), "enabled"),
    [AZURE_MACHINE]: (props) => nativeVirtual(whole(props)),
    [AZURE_SCALE_SET]: (props) => nativeVirtual(part(whole(props), "virtualMachineProfile")),
    ...forTypes([...AZURE_MACHINES_CLASSIC, ...AZURE_SCALE_SETS_CLASSIC, AZURE_SCALE_SET_MIXED], (props) =>
      classicVirtual(whole(props)),
    ),
    "azure-native:compute:Disk": (props) =>
      mustNotBeOff(whole(props), "encryptionSettingsCollection.enabled"),
    "azure:compute/managedDisk:ManagedDisk": (props) =>
      mustNotBeOff(whole(props), "encryptionSettings.enabled"),
    *[AKS](props) {
      for (const each of items(whole(props), "agentPoolProfiles"))
        yield* azure(each, "enableEncryptionAtHost", props.diskEncryptionSetID);
    },
    *[AKS_CLASSIC](props) {
      const place = part(whole(props), "defaultNodePool");
      yield* azure(place, classicPoolKey(place), props.diskEncryptionSetId);
    },
    // The disk encryption set of a pool is its cluster's, and the pool cannot name it.
    [AKS_POOL]: (props) => mustNotBeOff(whole(props), "enableEncryptionAtHost"),
    [AKS_POOL_CLASSIC]: (props) => mustNotBeOff(whole(props), classicPoolKey(whole(props))),
  },
);
