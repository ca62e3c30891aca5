import type { Control } from "../../control.ts";
import { legacyAccess } from "./access.ts";
import { privateNodes } from "./addresses.ts";
import { clusters } from "./clusters.ts";
import { diskEncryption } from "./disks.ts";
import { publicEndpoint } from "./endpoints.ts";
import { openToWorld } from "./firewalls.ts";
import { secretInFunction } from "./functions.ts";
import { groupMaximum } from "./groups.ts";
import { minimalHost } from "./hosts.ts";
import { nodeMetadata } from "./machines.ts";
import { registries } from "./registries.ts";
import { secretInUserData } from "./user-data.ts";
import { versionControls } from "./versions.ts";

/** Controls of what clouds sell: clusters, machines, networks, registries. */
export const clouds: readonly Control[] = [
  publicEndpoint,
  privateNodes,
  openToWorld,
  legacyAccess,
  ...clusters,
  ...versionControls,
  minimalHost,
  nodeMetadata,
  diskEncryption,
  ...registries,
  groupMaximum,
  secretInUserData,
  secretInFunction,
];
