import { type Control, containerControl, podControl } from "../control.ts";
import { type ImageReference, isWithin, parseImage } from "../image.ts";
import { type Container, join, type Pod } from "../pods.ts";
import type { Finding } from "../resource.ts";
import type { Settings } from "../settings.ts";
import { at, isAbsent, isKnown, listOf, textOf } from "../value.ts";

/** A container's image where it is known and can be read; what cannot is `require-digest`'s to say. */
function imageOf({ props }: Container): ImageReference | undefined {
  const text = textOf(props.image);
  return text === undefined ? undefined : parseImage(text.trim());
}

const place = ({ path }: Container): Finding => ({ path: join(path, "image") });

const isForeign = (image: ImageReference, { registries }: Settings): boolean =>
  !registries.some((entry) => isWithin(image, entry));

const allowedRegistries = podControl(
  {
    id: "allowed-registries",
    practice: "trusted-images",
    title: "Images come from the registries that the site allows",
    remedy: "push the image to one of the allowed registries, and name that; settings.registries lists them",
  },
  function* (pod, settings) {
    yield* imageVolumes(pod, (image) => isForeign(image, settings));
    for (const container of pod.containers) {
      const image = imageOf(container);
      if (image && isForeign(image, settings)) yield place(container);
      else if (isMalformed(container)) yield { ...place(container), what: "cannot be read as a reference" };
    }
  },
);

const requireDigest = podControl(
  {
    id: "require-digest",
    practice: "trusted-images",
    title: "Images are named by digest: what was tested is what runs",
    remedy: "write NAME@sha256:...; a tag may stand before the @",
  },
  function* (pod) {
    yield* imageVolumes(pod, ({ digest }) => digest === undefined);
    for (const container of pod.containers) {
      const { image } = container.props;
      if (!isKnown(image) || (isAbsent(image) && pod.isPatch)) continue;
      if (isAbsent(image)) yield { ...place(container), what: "no image is named" };
      else if (imageOf(container)?.digest === undefined) yield place(container);
    }
  },
);

const noLatest = podControl(
  {
    id: "no-latest",
    practice: "trusted-images",
    title: "No image is whatever is the latest",
    remedy: "name a version, better a digest",
  },
  function* (pod) {
    yield* imageVolumes(pod, isLatest);
    for (const container of pod.containers) {
      const image = imageOf(container);
      if (image && isLatest(image)) yield place(container);
    }
  },
);

/** With a digest the tag says nothing. */
const isLatest = ({ tag, digest }: ImageReference): boolean =>
  digest === undefined && (tag === undefined || tag.toLowerCase() === "latest");

const isMalformed = (container: Container): boolean =>
  textOf(container.props.image) !== undefined && imageOf(container) === undefined;

/** Images that a pod mounts. */
function* imageVolumes(pod: Pod, isBad: (image: ImageReference) => boolean): Generator<Finding> {
  for (const [i, volume] of listOf(pod.spec.volumes).entries()) {
    const reference = textOf(at(volume, "image", "reference"));
    const image = reference === undefined ? undefined : parseImage(reference);
    if (reference !== undefined && (image === undefined || isBad(image)))
      yield { path: `${pod.path}.volumes[${i}].image.reference` };
  }
}

const pullPolicy = containerControl(
  {
    id: "pull-policy",
    practice: "trusted-images",
    title: "An image that is named by a tag is asked for each time, so that its pull secret is checked",
    remedy: "name the image by digest, or set imagePullPolicy to Always",
  },
  function* (container, pod) {
    const policy = container.props.imagePullPolicy;
    const image = imageOf(container);
    if (!image || image.digest !== undefined) return;
    const place = { path: join(container.path, "imagePullPolicy") };
    if (policy === "Never" || policy === "IfNotPresent") yield place;
    // Without a word the latest is asked for each time, and what has another tag once.
    else if (isAbsent(policy) && !pod.isPatch && image.tag !== undefined && image.tag !== "latest")
      yield { ...place, what: "nothing is said, which is IfNotPresent" };
  },
);

export const images: readonly Control[] = [allowedRegistries, requireDigest, noLatest, pullPolicy];
