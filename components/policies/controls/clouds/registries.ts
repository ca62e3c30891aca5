import type { Control } from "../../control.ts";
import type { Finding } from "../../resource.ts";
import { isAbsent, isFalse, isKnown, isObject, listOf, type Properties, textOf } from "../../value.ts";
import {
  cloudControl,
  forTypes,
  get,
  isEmpty,
  items,
  jsonOf,
  mustBeOff,
  mustBeOn,
  mustBeOneOf,
  mustNotBeOff,
  type Place,
  part,
  said,
  whole,
} from "./cloud.ts";
import { worldIn } from "./ranges.ts";

const ECR = "aws:ecr/repository:Repository";
const ECR_NATIVE = "aws-native:ecr:Repository";
const ECR_COMPONENT = "awsx:ecr:Repository";
const ECR_TEMPLATES = [
  "aws:ecr/repositoryCreationTemplate:RepositoryCreationTemplate",
  "aws-native:ecr:RepositoryCreationTemplate",
] as const;
const ACR = "azure-native:containerregistry:Registry";
const ACR_CLASSIC = "azure:containerservice/registry:Registry";
const GAR = "gcp:artifactregistry/repository:Repository";
const GAR_IAM = "gcp:artifactregistry/repositoryIam";

function* scanned(place: Place): Generator<Finding> {
  const { value, path } = part(place, "vulnerabilityScanningConfig.enablementConfig");
  if (value === "DISABLED") yield { path };
}

/** A plan of the subscription by which Azure scans its registries. */
function* plan(place: Place, name: string, tier: string): Generator<Finding> {
  const { value, path } = part(place, tier);
  if (
    /^container(?:s|registry)$/i.test(textOf(get(place.value, name)) ?? "") &&
    textOf(value)?.toLowerCase() === "free"
  )
    yield { path };
}

/** Azure scans by a plan of the subscription; a registry only says whether it keeps back what was not scanned yet. */
const registryScan = cloudControl(
  {
    id: "registry-scan",
    practice: "scanned-images",
    title: "Registries scan the images they are given",
    remedy:
      "set imageScanningConfiguration.scanOnPush (ECR), leave scanning on (Artifact Registry), and keep Defender's plan for containers (Azure)",
    source: "CIS benchmarks of EKS and GKE",
  },
  {
    ...forTypes([ECR, ECR_NATIVE, ECR_COMPONENT], (props) =>
      mustBeOn(whole(props), "imageScanningConfiguration.scanOnPush"),
    ),
    [GAR]: (props) => scanned(whole(props)),
    *[ACR](props) {
      const { value, path } = part(whole(props), "policies.quarantinePolicy.status");
      if (textOf(value)?.toLowerCase() === "disabled") yield { path };
    },
    [ACR_CLASSIC]: (props) => mustNotBeOff(whole(props), "quarantinePolicyEnabled"),
    "azure-native:security:Pricing": (props) => plan(whole(props), "pricingName", "pricingTier"),
    "azure:securitycenter/subscriptionPricing:SubscriptionPricing": (props) =>
      plan(whole(props), "resourceType", "tier"),
  },
);

/** Tags of what is copied from elsewhere are elsewhere's. */
function* immutable(place: Place): Generator<Finding> {
  const { format, mode } = place.value as Properties;
  if (textOf(format)?.toUpperCase() !== "DOCKER") return;
  if (!isAbsent(mode) && mode !== "STANDARD_REPOSITORY") return;
  yield* mustBeOn(place, "dockerConfig.immutableTags");
}

const COPIES = "PULL_THROUGH_CACHE";

/** A template says which repositories are made by it, such as those for copies from elsewhere. */
function* immutableTemplate(place: Place): Generator<Finding> {
  const purposes = get(place.value, said(place, "appliedFors", "appliedFor"));
  if (!isKnown(purposes)) return;
  const isForCopies =
    !isEmpty(purposes) && listed(purposes).every((each) => !isKnown(each) || each === COPIES);
  if (!isForCopies) yield* mustBeOneOf(place, "imageTagMutability", ["IMMUTABLE"]);
}

const registryImmutable = cloudControl(
  {
    id: "registry-immutable",
    practice: "trusted-images",
    title: "A tag of a registry names one image for good",
    remedy: "set imageTagMutability to IMMUTABLE (ECR), dockerConfig.immutableTags (Artifact Registry)",
  },
  {
    ...forTypes([ECR, ECR_NATIVE, ECR_COMPONENT], (props) =>
      mustBeOneOf(whole(props), "imageTagMutability", ["IMMUTABLE"]),
    ),
    ...forTypes(ECR_TEMPLATES, (props) => immutableTemplate(whole(props))),
    [GAR]: (props) => immutable(whole(props)),
  },
);

/** Conditions that name whose a request is, or where from. */
const NARROWING =
  /^aws:(?:Principal(?:Org(?:ID|Paths)|Account|Arn)|Source(?:Vpc|Vpce|Account|Arn|Org(?:ID|Paths))|userid)$/i;

/** Operators to which `*` and `?` stand for other characters; to AWS, ArnEquals is ArnLike. */
const WITH_WILDCARDS = /(?:Like|ArnEquals)$/i;

/** What of a condition's value says whose a request is. An ARN has its account, or, as buckets' do, a name for all accounts. */
function owner(value: string): string {
  const [arn, , , , account, resource] = value.split(":");
  if (arn !== "arn") return value.split(/[:/]/)[0]!;
  return account || (resource?.split("/")[0] ?? "*");
}

function isNarrow(operator: string, value: unknown): boolean {
  if (!isKnown(value)) return true;
  if (value === "*") return false;
  return !WITH_WILDCARDS.test(operator) || !/[*?]/.test(owner(String(value)));
}

function isNarrowed(condition: unknown): boolean {
  if (!isKnown(condition)) return true;
  return (
    isObject(condition) &&
    Object.entries(condition).some(
      ([operator, keys]) =>
        /^(?:ForAnyValue:)?(?:String|Arn)(?:Equals|Like)/i.test(operator) &&
        !/IfExists$/i.test(operator) &&
        (!isKnown(keys) ||
          (isObject(keys) &&
            Object.entries(keys).some(
              ([key, value]) =>
                NARROWING.test(key) && listed(value).every((each) => isNarrow(operator, each)),
            ))),
    )
  );
}

const listed = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

/** Everyone, as a policy of AWS names them. */
const isEveryone = (principal: unknown): boolean =>
  principal === "*" || (isObject(principal) && listed(principal.AWS).includes("*"));

function* policyOfEcr(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  const statements = listed(get(jsonOf(value), "Statement"));
  const isPublic = statements.some(
    (each) =>
      isObject(each) &&
      each.Effect === "Allow" &&
      (isEveryone(each.Principal) || !isAbsent(each.NotPrincipal)) &&
      !isNarrowed(each.Condition),
  );
  if (isPublic) yield { path, what: "everyone is let in" };
}

const EVERYONE = new Set(["allusers", "allauthenticatedusers"]);

const isAnyone = (member: unknown): boolean => EVERYONE.has(textOf(member)?.toLowerCase() ?? "");

function* members(place: Place, key: string): Generator<Finding> {
  for (const { value, path } of items(place, key)) if (isAnyone(value)) yield { path };
}

function* policyOfGoogle(place: Place): Generator<Finding> {
  const bindings = listOf(get(jsonOf(get(place.value, "policyData")), "bindings"));
  if (bindings.some((binding) => listOf(get(binding, "members")).some(isAnyone)))
    yield { path: "policyData", what: "everyone is let in" };
}

/** Ranges that reach a registry which denies all others. */
function* rangesOf(place: Place, key: string): Generator<Finding> {
  const sources = items(place, "networkRuleSet").flatMap((rules) => items(rules, "ipRules"));
  const list = part(place, "networkRuleSet.ipRules").path;
  for (const path of worldIn(
    sources.map((source) => part(source, key)),
    list,
  ))
    yield { path, what: "everyone is let in" };
}

function* azure(place: Place): Generator<Finding> {
  const rule = get(place.value, "networkRuleSet.defaultAction");
  if (isKnown(rule) && rule !== "Deny") yield* mustBeOneOf(place, "publicNetworkAccess", ["Disabled"]);
  const access = get(place.value, "publicNetworkAccess");
  // Ranges let in nobody where the public endpoint is closed.
  if (isKnown(access) && textOf(access)?.toLowerCase() !== "disabled")
    yield* rangesOf(place, "iPAddressOrRange");
  yield* mustBeOff(place, "adminUserEnabled");
  yield* mustBeOff(place, "anonymousPullEnabled");
}

/** The block of rules is a list of one, or one. */
function* azureClassic(place: Place): Generator<Finding> {
  const [rules] = listed(get(place.value, "networkRuleSet"));
  const action = get(rules, "defaultAction");
  const { value, path } = part(place, "publicNetworkAccessEnabled");
  if (isKnown(action) && action !== "Deny" && isKnown(value) && !isFalse(value))
    yield isAbsent(value) ? { path, what: "nothing is said" } : { path };
  if (isKnown(value) && !isFalse(value)) yield* rangesOf(place, "ipRange");
  yield* mustBeOff(place, "adminEnabled");
  yield* mustBeOff(place, "anonymousPullEnabled");
}

const published = (): Finding[] => [
  { path: "repositoryName", what: "the repository is in the public gallery" },
];

const registryPublic = cloudControl(
  {
    id: "registry-public",
    practice: "trusted-images",
    title: "A registry is for those of the site, each with a name of their own",
    remedy: "name who may pull, close the public endpoint, and switch off the administrator's account",
  },
  {
    ...forTypes(
      ["aws:ecr/repositoryPolicy:RepositoryPolicy", "aws:ecr/registryPolicy:RegistryPolicy"],
      (props) => policyOfEcr(whole(props), "policy"),
    ),
    [ECR_NATIVE]: (props) => policyOfEcr(whole(props), "repositoryPolicyText"),
    "aws-native:ecr:RegistryPolicy": (props) => policyOfEcr(whole(props), "policyText"),
    ...forTypes(ECR_TEMPLATES, (props) => policyOfEcr(whole(props), "repositoryPolicy")),
    ...forTypes(["aws:ecrpublic/repository:Repository", "aws-native:ecr:PublicRepository"], published),
    [ACR]: (props) => azure(whole(props)),
    [ACR_CLASSIC]: (props) => azureClassic(whole(props)),
    [`${GAR_IAM}Member:RepositoryIamMember`]: ({ member }) => (isAnyone(member) ? [{ path: "member" }] : []),
    [`${GAR_IAM}Binding:RepositoryIamBinding`]: (props) => members(whole(props), "members"),
    [`${GAR_IAM}Policy:RepositoryIamPolicy`]: (props) => policyOfGoogle(whole(props)),
  },
);

export const registries: readonly Control[] = [registryScan, registryImmutable, registryPublic];
