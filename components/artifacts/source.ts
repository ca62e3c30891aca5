import { request } from "./http.ts";
import type { UpstreamHosts } from "./list.ts";
import { upstreamHosts } from "./list.ts";

/**
 * Where artifacts come from.
 *
 * - `upstream`: the makers' own hosts and registries.
 * - `mirror`: an HTTP folder and a registry of one's own, laid out by `describeMirror`.
 * - `built`: Go modules and Debian packages, for a closed network that mirrors those.
 */
export type Source = UpstreamSource | MirrorSource | BuiltSource;

/** The makers' own hosts and registries. */
export interface UpstreamSource {
  kind: "upstream";
  /** Other hosts than the makers'. @default the makers' */
  hosts?: Partial<UpstreamHosts>;
}

/** A folder and a registry of one's own. */
export interface MirrorSource {
  kind: "mirror";
  /** URL of the folder with binaries, such as `https://mirror.example/files`. */
  files: string;
  /** Registry and path of the images, such as `mirror.example:5000/platform`. */
  images: string;
  /** PEM of the authority that signed both. @default the system's */
  caCertificate?: string;
}

/** Go modules and Debian packages, on this computer. */
export interface BuiltSource {
  kind: "built";
}

/** A program on this computer, ready to be sent to hosts. */
export interface Binary {
  /** Absolute path here. */
  path: string;
  /** In hexadecimal. */
  sha256: string;
  version: string;
}

/** Where an image is copied from. */
export type ImageSource =
  | {
      /** Folder of an OCI layout on this computer. */
      layout: string;
    }
  | {
      /** `registry/repository@sha256:...`. */
      reference: string;
      /** PEM of the authority of that registry. @default the system's */
      caCertificate?: string;
    };

/** An image, ready to be copied into a platform's registry. */
export interface Image {
  repository: string;
  tag: string;
  /** `sha256:...` of the manifest. */
  digest: string;
  source: ImageSource;
}

/** Everything on a list, at hand. */
export interface Artifacts {
  binaries: Record<string, Binary>;
  images: Record<string, Image>;
}

/** A choice and its reason, for a person to read. */
export interface SourceChoice {
  source: Source;
  reason: string;
}

/**
 * `upstream` when its release host and its registry answer, else `built`.
 *
 * @param hosts other hosts than the makers'
 * @param timeout milliseconds each may take to answer
 */
export async function chooseSource(
  hosts: Partial<UpstreamHosts> = {},
  timeout = 4000,
  signal?: AbortSignal,
): Promise<SourceChoice> {
  const { kubernetes, images } = { ...upstreamHosts, ...hosts };
  const registry = images.includes("://") ? images : `https://${images}`;
  const problems = await Promise.all([
    unreachable(`${kubernetes}/release/stable.txt`, timeout, signal),
    unreachable(`${registry}/v2/`, timeout, signal),
  ]);
  const problem = problems.find((found) => found !== undefined);
  if (problem) return { source: { kind: "built" }, reason: `built from source packages: ${problem}` };
  const named = Object.keys(hosts).length > 0;
  return {
    source: { kind: "upstream", ...(named && { hosts }) },
    reason: `upstream: ${new URL(kubernetes).host} and ${new URL(registry).host} answer`,
  };
}

async function unreachable(url: string, timeout: number, signal?: AbortSignal): Promise<string | undefined> {
  try {
    // A time limit on the whole, name look-up and redirects included.
    const limit = AbortSignal.timeout(timeout);
    const answer = await request(url, {
      method: "HEAD",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    answer.resume();
    // A registry may ask who is there, and still be there.
    const alive = answer.statusCode === 401 || (answer.statusCode ?? 500) < 400;
    return alive ? undefined : `${new URL(url).host} answers ${answer.statusCode}`;
  } catch {
    signal?.throwIfAborted();
    return `${new URL(url).host} does not answer`;
  }
}
