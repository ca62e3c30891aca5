import { dirname } from "node:path";
import { entryAt } from "../local/cache.ts";
import { build } from "./built.ts";
import { type ArtifactRequest, artifactList } from "./list.ts";
import { fetchMirror } from "./mirror.ts";
import type { Artifacts, Source } from "./source.ts";
import { fetchUpstream } from "./upstream.ts";
import type { Work } from "./work.ts";

/** Everything a platform needs from a source, in the cache or pinned by digest. */
export async function obtain(request: ArtifactRequest, source: Source, work: Work): Promise<Artifacts> {
  switch (source.kind) {
    case "built":
      return build(artifactList(request), work);
    case "upstream":
      return fetchUpstream(artifactList(request, source.hosts), work);
    case "mirror":
      return fetchMirror(artifactList(request), source, work);
  }
}

/** Whether every file that was obtained is still on this computer, unchanged. */
export async function atHand({ binaries, images }: Artifacts): Promise<boolean> {
  const programs = Object.values(binaries).map(({ path }) => dirname(path));
  const layouts = Object.values(images).flatMap(({ source }) =>
    "layout" in source ? [dirname(source.layout)] : [],
  );
  const entries = await Promise.all([...new Set([...programs, ...layouts])].map(entryAt));
  return !entries.includes(undefined);
}
