import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isKnown } from "../../value.ts";
import { cloudControl, mustBeOff, mustNotBeOff, type Place, part, whole } from "./cloud.ts";
import { AKS, AKS_CLASSIC, GKE } from "./types.ts";

function* google(place: Place): Generator<Finding> {
  yield* mustBeOff(place, "enableLegacyAbac");
  for (const key of ["username", "password"]) {
    const { value, path } = part(place, `masterAuth.${key}`);
    if (isKnown(value) && !isAbsent(value) && value !== "") yield { path };
  }
  yield* mustBeOff(place, "masterAuth.clientCertificateConfig.issueClientCertificate");
}

/**
 * Roles are on by default. Local accounts are as well, and a directory is not asked by default, which many sites
 * mend in another way, such as by Azure's own policies: what is left out is left alone. A directory that is not
 * managed means that the cluster asks an application whose secret it holds.
 */
const AZURE = ["disableLocalAccounts", "enableRBAC", "aadProfile.managed"];
const AZURE_CLASSIC = [
  "localAccountDisabled",
  "roleBasedAccessControlEnabled",
  "azureActiveDirectoryRoleBasedAccessControl.managed",
];

function* azure(place: Place, keys: readonly string[]): Generator<Finding> {
  for (const key of keys) yield* mustNotBeOff(place, key);
}

export const legacyAccess: Control = cloudControl(
  {
    id: "cluster-legacy-auth",
    practice: "least-privilege",
    title: "Who reaches a cluster is somebody of the cloud's directory, with a role",
    remedy:
      "switch off passwords, client certificates, local accounts and attribute-based access; switch on roles and the directory",
    source: "CIS benchmarks of AKS and GKE",
  },
  {
    [AKS]: (props) => azure(whole(props), AZURE),
    [AKS_CLASSIC]: (props) => azure(whole(props), AZURE_CLASSIC),
    [GKE]: (props) => google(whole(props)),
  },
);
