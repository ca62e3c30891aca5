import { fetchAhead, modulesOf } from "../components/artifacts/built.ts";
import { type ArtifactRequest, artifactList } from "../components/artifacts/list.ts";
import { chooseSource } from "../components/artifacts/source.ts";
import { fetchEngineSources } from "./engine/engine.ts";

/**
 * Does work while the network brings the sources of what has to be built here: packages and the engine take minutes
 * of a first run. What could not be fetched is told by its build.
 */
export async function whileFetching<T>(
  requests: readonly ArtifactRequest[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const fetched = fetchSources(requests, AbortSignal.any([signal, done.signal])).catch(() => {});
  try {
    return await work();
  } finally {
    done.abort();
    await fetched;
  }
}

async function fetchSources(requests: readonly ArtifactRequest[], signal: AbortSignal): Promise<void> {
  await fetchEngineSources(signal);
  const { source } = await chooseSource({}, undefined, signal);
  if (source.kind !== "built") return;
  for (const list of requests.map((request) => artifactList(request)))
    await fetchAhead(modulesOf(list), list.architecture, signal);
}
