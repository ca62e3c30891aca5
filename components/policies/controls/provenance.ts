/** What is known of images before they run: scans, signatures, bases; by the records that the site gives. */
import { type Control, containerControl, type SetControl } from "../control.ts";
import { parseImage } from "../image.ts";
import { type Container, join, podsOf } from "../pods.ts";
import { kubernetesOf, type Resource } from "../resource.ts";
import type { ImageRecord, Settings } from "../settings.ts";
import { textOf } from "../value.ts";

type Ask = (record: ImageRecord | undefined, settings: Settings) => string | undefined;

/** A control over what is recorded of each container's image; silent where the site gives no records. */
const recorded = (about: Omit<Control, "find" | "types">, ask: Ask): Control =>
  containerControl({ ...about, production: true }, function* (container, _, settings) {
    const digest = digestOf(container);
    if (settings.images === undefined || digest === undefined) return;
    const what = ask(settings.images[digest], settings);
    if (what !== undefined) yield { path: join(container.path, "image"), what };
  });

/** One without is `require-digest`'s to say. */
function digestOf({ props }: Container): string | undefined {
  const text = textOf(props.image);
  return text === undefined ? undefined : parseImage(text)?.digest;
}

const scannedImage = recorded(
  {
    id: "scanned-image",
    practice: "scanned-images",
    title: "Images were scanned of late, and nothing critical was found",
    remedy: "scan the image, mend what is critical, and record day and findings under settings.images",
  },
  (record, { scanDays, today }) => {
    if (record?.scanned === undefined) return "no scan is recorded";
    const age = (Date.parse(today) - Date.parse(record.scanned)) / 86_400_000;
    if (age > scanDays) return "its scan is too old";
    return (record.critical ?? 0) > 0 ? "its scan found what is critical" : undefined;
  },
);

const signedImage = recorded(
  {
    id: "signed-image",
    practice: "signed-images",
    title: "Images are signed",
    remedy: "sign the image, and record by whom under settings.images",
  },
  (record) => (record?.signedBy === undefined ? "no signature is recorded" : undefined),
);

const knownBase = recorded(
  {
    id: "known-base",
    practice: "trusted-images",
    title: "Images stand on bases that the site knows",
    remedy: "build the image on one of settings.bases, and record which under settings.images",
  },
  (record, { bases }) => {
    if (bases.length === 0) return undefined;
    if (record?.base === undefined) return "no base is recorded";
    return bases.includes(record.base) ? undefined : "its base is another";
  },
);

const CLUSTER =
  /^(?:spillway:\w+:KubernetesCluster|aws:eks\/cluster:Cluster|eks:index:Cluster|gcp:container\/cluster:Cluster|azure:containerservice\/kubernetesCluster:KubernetesCluster|azure-native:containerservice(?:\/v\d+\w*)?:ManagedCluster)$/;

/** Groups of custom resources by which an admission controller is told whose signatures to ask for. */
const VERIFIERS = new Set([
  "kyverno.io",
  "policies.kyverno.io",
  "policy.sigstore.dev",
  "config.ratify.deislabs.io",
]);

const isVerifier = ({ type }: Resource): boolean =>
  VERIFIERS.has(kubernetesOf(type)?.group ?? "") || type === "gcp:binaryauthorization/policy:Policy";

const admissionVerifier: SetControl = {
  id: "admission-verifier",
  practice: "signed-images",
  title: "Clusters verify signatures when a pod is admitted",
  remedy:
    "install a verifier (Kyverno, Sigstore's policy controller, Ratify, Binary Authorization) with its policies; where another stack does, say so under settings.admissionVerifier",
  types: ["spillway:*:KubernetesCluster", "EKS", "AKS", "GKE"],
  production: true,
  wholeStack: true,
  *find(resources, { admissionVerifier }) {
    if (admissionVerifier !== undefined || resources.some(isVerifier)) return;
    for (const resource of resources) if (CLUSTER.test(resource.type)) yield { resource, path: "" };
  },
};

const imageRecords: SetControl = {
  id: "image-records",
  practice: "scanned-images",
  title: "The site records what is known of its images",
  remedy: "let the build record scans, signatures and bases, and give them as settings.images",
  types: ["whatever makes pods"],
  production: true,
  level: "advisory",
  *find(resources, { images }) {
    const [first] = images === undefined ? resources.filter((resource) => podsOf(resource).length > 0) : [];
    if (first) yield { resource: first, path: "" };
  },
};

export const provenance: readonly Control[] = [scannedImage, signedImage, knownBase];
export const provenanceSets: readonly SetControl[] = [admissionVerifier, imageRecords];
