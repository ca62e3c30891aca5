import type { ArtifactRequest } from "../components/artifacts/list.ts";
import { obtain } from "../components/artifacts/obtain.ts";
import { chooseSource } from "../components/artifacts/source.ts";

/**
 * Does work while the parts of platforms that have to be built here are begun: packages and the engine take minutes
 * of a first run, in which processors wait for the network. It ends with the work. Whoever needs the parts then goes
 * on with what Go has compiled, and tells what went wrong.
 */
export async function whileBuilding<T>(
  requests: readonly ArtifactRequest[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const begun = build(requests, AbortSignal.any([signal, done.signal])).catch(() => {});
  try {
    return await work();
  } finally {
    done.abort();
    await begun;
  }
}

async function build(requests: readonly ArtifactRequest[], signal: AbortSignal): Promise<void> {
  const { source } = await chooseSource({}, undefined, signal);
  if (source.kind !== "built") return;
  const quietly = { progress: () => {}, info: () => {}, warn: () => {}, signal };
  for (const request of requests) await obtain(request, source, quietly);
}
