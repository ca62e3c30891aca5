import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import type { Settings } from "../../settings.ts";
import { textOf } from "../../value.ts";
import {
  cloudControl,
  component,
  forTypes,
  items,
  mayBeAutomatic,
  mayBeOn,
  mustBeOneOf,
  mustBeThere,
  mustNotBeOff,
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
  EKS,
  EKS_COMPONENT,
  EKS_MANAGED_NODES,
  EKS_NATIVE,
  EKS_NODES,
  EKS_NODES_COMPONENTS,
  EKS_NODES_NATIVE,
  GKE,
  GKE_POOL,
} from "./types.ts";

/** Words for a channel that upgrades nothing, or only what the machine itself does. */
const NO_CHANNEL = ["none", "unmanaged", "unspecified"];

/** A channel that is on where nothing is said. */
function* mustHaveChannel(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  const text = textOf(value);
  if (text !== undefined && NO_CHANNEL.includes(text.toLowerCase())) yield { path };
}

const CHANNELS = ["patch", "stable", "rapid", "node-image"];

/** The machines' own channel is on where nothing is said, as of the API of 2023-06-01. */
function* aks(place: Place, channel: string, machines: string, otherwise?: string): Generator<Finding> {
  yield* mustBeOneOf(place, channel, CHANNELS, otherwise);
  yield* mustHaveChannel(place, machines);
}

const pool = (place: Place) => mustNotBeOff(place, "management.autoUpgrade");

/**
 * EKS has no channel. It upgrades a cluster by itself when its version's support ends, which is the extended one
 * unless the standard one is asked for: so saying nothing leaves no cluster behind, and who asks for the extended
 * one means to stay.
 */
const clusterUpgrades = cloudControl(
  {
    id: "cluster-upgrades",
    practice: "minimal-host",
    title: "Clusters are upgraded before their version runs out",
    remedy:
      "name a release channel (GKE, AKS), let nodes upgrade themselves, and leave upgradePolicy.supportType at STANDARD (EKS)",
    source: "CIS benchmark of GKE",
  },
  {
    ...forTypes([EKS, EKS_NATIVE, EKS_COMPONENT], (props) =>
      mustBeOneOf(whole(props), "upgradePolicy.supportType", ["STANDARD"], "STANDARD"),
    ),
    [AKS]: (props) =>
      aks(
        whole(props),
        "autoUpgradeProfile.upgradeChannel",
        "autoUpgradeProfile.nodeOSUpgradeChannel",
        mayBeAutomatic(props) ? "stable" : undefined,
      ),
    [AKS_CLASSIC]: (props) => {
      const place = whole(props);
      const channel = said(place, "automaticUpgradeChannel", "automaticChannelUpgrade");
      return aks(place, channel, said(place, "nodeOsUpgradeChannel", "nodeOsChannelUpgrade"));
    },
    *[GKE](props) {
      // Autopilot is in a channel always.
      if (!mayBeOn(props.enableAutopilot)) yield* mustBeThere(whole(props), "releaseChannel.channel");
      yield* mustHaveChannel(whole(props), "releaseChannel.channel");
      for (const each of items(whole(props), "nodePools")) yield* pool(each);
    },
    [GKE_POOL]: (props) => pool(whole(props)),
  },
);

/** A version that names a minor one which the site does not list. Where nothing is said, clouds take a new one. */
function* versions(
  place: Place,
  keys: readonly string[],
  { kubernetesVersions }: Settings,
): Generator<Finding> {
  for (const key of keys) {
    const { value, path } = part(place, key);
    const match = /^v?(\d+\.\d+)(?![\d])/.exec(
      typeof value === "number" ? String(value) : (textOf(value) ?? ""),
    );
    if (match && !kubernetesVersions.includes(match[1]!)) yield { path };
  }
}

const clusterVersion = cloudControl(
  {
    id: "supported-version",
    practice: "minimal-host",
    title: "Clusters have a version of Kubernetes that the site supports",
    remedy: "name one of settings.kubernetesVersions",
  },
  {
    ...forTypes([EKS, EKS_NATIVE, EKS_NODES, EKS_NODES_NATIVE], (props, settings) =>
      versions(whole(props), ["version"], settings),
    ),
    ...forTypes(
      [EKS_COMPONENT, EKS_MANAGED_NODES, ...EKS_NODES_COMPONENTS],
      component((props, settings) =>
        versions(whole(props), ["version", "nodeGroupOptions.version"], settings),
      ),
    ),
    *[AKS](props, settings) {
      yield* versions(whole(props), ["kubernetesVersion"], settings);
      for (const each of items(whole(props), "agentPoolProfiles"))
        yield* versions(each, ["orchestratorVersion"], settings);
    },
    [AKS_CLASSIC]: (props, settings) =>
      versions(whole(props), ["kubernetesVersion", "defaultNodePool.orchestratorVersion"], settings),
    ...forTypes([AKS_POOL, AKS_POOL_CLASSIC], (props, settings) =>
      versions(whole(props), ["orchestratorVersion"], settings),
    ),
    *[GKE](props, settings) {
      yield* versions(whole(props), ["minMasterVersion", "nodeVersion"], settings);
      for (const each of items(whole(props), "nodePools")) yield* versions(each, ["version"], settings);
    },
    [GKE_POOL]: (props, settings) => versions(whole(props), ["version"], settings),
  },
);

export const versionControls: readonly Control[] = [clusterUpgrades, clusterVersion];
