/** Reference of an image, taken apart. */
export interface ImageReference {
  /** `host[:port]`, in lower case; Docker's own where none is named, as container engines read it. */
  registry: string;
  /** Path in the registry, such as `library/nginx`. */
  repository: string;
  tag?: string;
  digest?: string;
}

const DIGEST = /^sha256:[0-9a-f]{64}$|^sha384:[0-9a-f]{96}$|^sha512:[0-9a-f]{128}$/;
const TAG = /^\w[\w.-]{0,127}$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])(?::\d+)?$/i;

/**
 * Reads a reference by the grammar of container engines; `undefined` for what they refuse.
 *
 * Source: https://github.com/distribution/reference
 */
export function parseImage(text: string): ImageReference | undefined {
  const [rest, digest, ...more] = text.split("@");
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const colon = rest!.lastIndexOf(":");
  const hasTag = colon > rest!.lastIndexOf("/");
  const tag = hasTag ? rest!.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const name = hasTag ? rest!.slice(0, colon) : rest!;
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const registry = isHost ? first.toLowerCase() : "docker.io";
  if (isHost && !HOST.test(first)) return undefined;
  const path = isHost ? name.slice(slash + 1) : name;
  if (!path.split("/").every((part) => COMPONENT.test(part))) return undefined;
  const isOfficial = isDocker(registry) && !path.includes("/");
  return {
    registry: isDocker(registry) ? "docker.io" : registry,
    repository: isOfficial ? `library/${path}` : path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

const isDocker = (registry: string) =>
  ["docker.io", "index.docker.io", "registry-1.docker.io"].includes(registry);

/**
 * Whether an image lies in what an entry names: a registry, or a path in one. Paths end at a slash:
 * `r.example/team` holds `r.example/team/app` and not `r.example/team-b/app`. A `*` stands for one part of
 * the host's name or address, as in `*.dkr.ecr.eu-west-1.amazonaws.com` and `10.0.0.*:5000`. A path without
 * a host, such as `team/`, lies in Docker's own registry, as images without one do.
 */
export function isWithin(image: ImageReference, entry: string): boolean {
  const named = entry.replace(/^[a-z]+:\/\//i, "");
  const [host = "", ...parts] = (
    /^[a-z0-9_-]+\//.test(named) && !named.startsWith("localhost/") ? `docker.io/${named}` : named
  )
    .replace(/\/+(\*+)?$/, "")
    .split("/");
  const pattern = (isDocker(host.toLowerCase()) ? "docker.io" : host.toLowerCase())
    .split(".")
    .map((part) => escaped(part).replace(/^\\\*(?=$|:)/, "[^.:]+"))
    .join("\\.");
  if (!new RegExp(`^${pattern}$`).test(image.registry)) return false;
  const path = parts.join("/");
  return path === "" || image.repository === path || image.repository.startsWith(`${path}/`);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
