import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isFalse, isKnown } from "../../value.ts";
import { cloudControl, mustBeOff, mustBeOn, NOTHING_SAID, type Place, part, whole } from "./cloud.ts";
import { AKS, AKS_CLASSIC, GKE } from "./types.ts";

function* directory(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (isAbsent(value)) yield { path, what: NOTHING_SAID };
  // Without it, the cluster asks an application whose secret it holds.
  const managed = part(place, `${key}.managed`);
  if (isFalse(managed.value)) yield { path: managed.path };
}

function* google(place: Place): Generator<Finding> {
  yield* mustBeOff(place, "enableLegacyAbac");
  for (const key of ["username", "password"]) {
    const { value, path } = part(place, `masterAuth.${key}`);
    if (isKnown(value) && !isAbsent(value) && value !== "") yield { path };
  }
  yield* mustBeOff(place, "masterAuth.clientCertificateConfig.issueClientCertificate");
}

function* azure(place: Place): Generator<Finding> {
  yield* mustBeOn(place, "disableLocalAccounts");
  yield* mustBeOn(place, "enableRBAC");
  yield* directory(place, "aadProfile");
}

/** Terraform's provider has role-based access control on where nothing is said. */
function* azureClassic(place: Place): Generator<Finding> {
  yield* mustBeOn(place, "localAccountDisabled");
  const roles = part(place, "roleBasedAccessControlEnabled");
  if (isFalse(roles.value)) yield { path: roles.path };
  yield* directory(place, "azureActiveDirectoryRoleBasedAccessControl");
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
    [AKS]: (props) => azure(whole(props)),
    [AKS_CLASSIC]: (props) => azureClassic(whole(props)),
    [GKE]: (props) => google(whole(props)),
  },
);
