import type { Control } from "../../control.ts";
import { holdsCredential, isSecretVariable } from "../../credentials.ts";
import type { Finding } from "../../resource.ts";
import { isObject, textOf } from "../../value.ts";
import { cloudControl, forTypes, items, jsonOf, nodesOfEks, type Place, part, whole } from "./cloud.ts";
import {
  AZURE_MACHINE,
  AZURE_MACHINES_CLASSIC,
  AZURE_SCALE_SET,
  AZURE_SCALE_SET_MIXED,
  AZURE_SCALE_SETS_CLASSIC,
  EC2_MACHINES,
  EKS_COMPONENT,
  EKS_MANAGED_NODES,
  EKS_NODES_COMPONENTS,
  GKE,
  GKE_POOL,
  GOOGLE_MACHINES,
  LAUNCH_TEMPLATE_NATIVE,
  SPOT_FLEET,
} from "./types.ts";

const WHAT = "a credential stands in it";

function* texts(place: Place, ...keys: readonly string[]): Generator<Finding> {
  for (const key of keys) {
    const { value, path } = part(place, key);
    const text = textOf(value);
    if (text !== undefined && holdsCredential(text)) yield { path, what: WHAT };
  }
}

const OF_EKS = [
  "userData",
  "nodeUserData",
  "nodeUserDataOverride",
  "bootstrapExtraArgs",
  "kubeletExtraArgs",
] as const;

const isPlain = (key: string): boolean => /^[A-Za-z_]\w*$/.test(key);

const metadata = (place: Place) => named(part(place, "metadata"));

/** What an extension is told, as an object or as JSON text; what is protected Azure seals for the machine. */
const settingsOf = (place: Place): Place => {
  const { value, path } = part(place, "settings");
  return { value: jsonOf(value), path };
};

/** Metadata and settings are named by whoever gives them, scripts among them. */
function* named({ value, path }: Place): Generator<Finding> {
  if (!isObject(value)) return;
  for (const [key, each] of Object.entries(value)) {
    const text = textOf(each);
    if (text === undefined || text === "") continue;
    const own = isPlain(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    if (isSecretVariable(key, text)) yield { path: own, what: WHAT };
  }
}

export const secretInUserData: Control = cloudControl(
  {
    id: "secret-in-user-data",
    practice: "secrets",
    title: "No credential stands in what a machine is started with, which all that runs on it can read",
    remedy: "let the machine fetch it from the cloud's secret store, by a role of its own",
  },
  {
    ...forTypes([...EC2_MACHINES, "aws:lightsail/instance:Instance"], (props) =>
      texts(whole(props), "userData", "userDataBase64"),
    ),
    *[SPOT_FLEET](props) {
      for (const each of items(whole(props), "launchSpecifications")) yield* texts(each, "userData");
    },
    [LAUNCH_TEMPLATE_NATIVE]: (props) => texts(part(whole(props), "launchTemplateData"), "userData"),
    *[EKS_COMPONENT](props) {
      for (const place of nodesOfEks(props)) yield* texts(place, ...OF_EKS);
    },
    ...forTypes([EKS_MANAGED_NODES, ...EKS_NODES_COMPONENTS], (props) => texts(whole(props), ...OF_EKS)),
    [AZURE_MACHINE]: (props) => texts(whole(props), "osProfile.customData", "userData"),
    [AZURE_SCALE_SET]: (props) =>
      texts(part(whole(props), "virtualMachineProfile"), "osProfile.customData", "userData"),
    ...forTypes([...AZURE_MACHINES_CLASSIC, ...AZURE_SCALE_SETS_CLASSIC], (props) =>
      texts(whole(props), "customData", "userData"),
    ),
    [AZURE_SCALE_SET_MIXED]: (props) => texts(whole(props), "osProfile.customData", "userDataBase64"),
    ...forTypes(
      [
        "azure-native:compute:VirtualMachineExtension",
        "azure-native:compute:VirtualMachineScaleSetExtension",
        "azure:compute/extension:Extension",
        "azure:compute/virtualMachineScaleSetExtension:VirtualMachineScaleSetExtension",
      ],
      (props) => named(settingsOf(whole(props))),
    ),
    ...forTypes(
      ["azure-native:compute:VirtualMachineRunCommand", "azure:compute/runCommand:RunCommand"],
      (props) => texts(whole(props), "source.script"),
    ),
    "azure:compute/virtualMachine:VirtualMachine": (props) => texts(whole(props), "osProfile.customData"),
    *[GKE](props) {
      yield* metadata(part(whole(props), "nodeConfig"));
      for (const pool of items(whole(props), "nodePools")) yield* metadata(part(pool, "nodeConfig"));
    },
    [GKE_POOL]: (props) => metadata(part(whole(props), "nodeConfig")),
    ...forTypes([...GOOGLE_MACHINES, "gcp:compute/projectMetadata:ProjectMetadata"], function* (props) {
      yield* texts(whole(props), "metadataStartupScript");
      yield* metadata(whole(props));
    }),
    *"gcp:compute/projectMetadataItem:ProjectMetadataItem"(props) {
      const [key, value] = [textOf(props.key) ?? "", textOf(props.value) ?? ""];
      if (isSecretVariable(key, value)) yield { path: "value", what: WHAT };
    },
  },
);
