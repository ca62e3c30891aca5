import { knownBuilt } from "./built.ts";
import type { Digests } from "./describe.ts";
import { knownChecksum } from "./download.ts";
import { knownInside } from "./image-files.ts";
import type { ArtifactList } from "./list.ts";
import { resolveDigest } from "./skopeo.ts";
import type { Artifacts, Source } from "./source.ts";

/** Of what was obtained. */
export function digestsOf(origin: Source["kind"], { binaries, images }: Artifacts): Digests {
  const programs = Object.entries(binaries).map(([name, { sha256 }]) => [name, `sha256:${sha256}`]);
  const pinned = Object.entries(images).map(([name, { digest }]) => [name, digest]);
  return { origin, binaries: Object.fromEntries(programs), images: Object.fromEntries(pinned) };
}

/** Of what the cache has, or the makers' hosts tell, without obtaining anything. */
export async function knownDigests(
  list: ArtifactList,
  origin: "upstream" | "built",
  signal: AbortSignal,
): Promise<Digests> {
  const built = await knownBuilt(list);
  if (origin === "built") return { origin, ...built };
  const [binaries, images] = await Promise.all([
    known(list.binaries, async (binary) => {
      const { url, inside } = binary;
      const sha256 = url
        ? await knownChecksum({ ...binary, url }, signal)
        : inside && (await knownInside({ ...binary, inside }, list, signal));
      return sha256 && `sha256:${sha256}`;
    }),
    known(list.images, async ({ name, upstream }) =>
      upstream ? resolveDigest(upstream, list.architecture, undefined, signal) : built.images[name],
    ),
  ]);
  return { origin, binaries, images };
}

/** Side by side; a host that does not tell leaves its own unknown. */
async function known<T extends { name: string }>(
  artifacts: readonly T[],
  ask: (artifact: T) => Promise<string | undefined>,
): Promise<Record<string, string>> {
  const asked = artifacts.map(async (one) => [one.name, await ask(one).catch(() => undefined)] as const);
  const answers = await Promise.all(asked);
  return Object.fromEntries(answers.filter((answer): answer is [string, string] => answer[1] !== undefined));
}
