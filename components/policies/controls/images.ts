import { type Control, containerControl } from "../control.ts";
import { type ImageReference, isWithin, parseImage } from "../image.ts";
import { type Container, join, type Pod } from "../pods.ts";
import type { Finding } from "../resource.ts";
import { isAbsent, isKnown, listOf, textOf } from "../value.ts";

/** A container's image where it is known and can be read; what cannot is `require-digest`'s to say. */
function imageOf({ props }: Container): ImageReference | undefined {
  const text = textOf(props.image);
  return text === undefined ? undefined : parseImage(text.trim());
}

const place = ({ path }: Container): Finding => ({ path: join(path, "image") });

const allowedRegistries = containerControl(
  {
    id: "allowed-registries",
    practice: "trusted-images",
    title: "Images come from the registries that the site allows",
    remedy: "push the image to one of the allowed registries, and name that; settings.registries lists them",
  },
  function* (container, pod, { registries }) {
    yield* imageVolumes(pod, container, (image) => !registries.some((entry) => isWithin(image, entry)));
    const image = imageOf(container);
    if (image && !registries.some((entry) => isWithin(image, entry))) yield place(container);
    else if (isMalformed(container)) yield { ...place(container), what: "cannot be read as a reference" };
  },
);

const requireDigest = containerControl(
  {
    id: "require-digest",
    practice: "trusted-images",
    title: "Images are named by digest: what was tested is what runs",
    remedy: "write NAME@sha256:...; a tag may stand before the @",
  },
  function* (container, pod) {
    yield* imageVolumes(pod, container, ({ digest }) => digest === undefined);
    if (!isKnown(container.props.image)) return;
    if (isAbsent(container.props.image) && pod.isPatch) return;
    if (isAbsent(container.props.image)) yield { ...place(container), what: "no image is named" };
    else if (imageOf(container)?.digest === undefined) yield place(container);
  },
);

const noLatest = containerControl(
  {
    id: "no-latest",
    practice: "trusted-images",
    title: "No image is whatever is the latest",
    remedy: "name a version, better a digest",
  },
  function* (container, pod) {
    yield* imageVolumes(pod, container, isLatest);
    const image = imageOf(container);
    if (image && isLatest(image)) yield place(container);
  },
);

/** With a digest the tag says nothing. */
const isLatest = ({ tag, digest }: ImageReference): boolean =>
  digest === undefined && (tag === undefined || tag.toLowerCase() === "latest");

const isMalformed = (container: Container): boolean =>
  textOf(container.props.image) !== undefined && imageOf(container) === undefined;

/** Images that a pod mounts; said once, with its first container. */
function* imageVolumes(
  pod: Pod,
  container: Container,
  isBad: (image: ImageReference) => boolean,
): Generator<Finding> {
  if (container !== pod.containers[0]) return;
  for (const [i, volume] of listOf(pod.spec.volumes).entries()) {
    const reference = textOf((volume as { image?: { reference?: unknown } } | null)?.image?.reference);
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
  function* (container) {
    const policy = container.props.imagePullPolicy;
    const image = imageOf(container);
    if (image && image.digest === undefined && (policy === "Never" || policy === "IfNotPresent"))
      yield { path: join(container.path, "imagePullPolicy") };
  },
);

export const images: readonly Control[] = [allowedRegistries, requireDigest, noLatest, pullPolicy];
