import { modulesOf } from "../components/artifacts/built.ts";
import { findBuild, requireGo } from "../components/artifacts/go.ts";
import { type ArtifactRequest, artifactList } from "../components/artifacts/list.ts";
import { chooseSource } from "../components/artifacts/source.ts";
import { hasProgram } from "../components/lab/requirements.ts";
import { messageOf } from "../components/model/problem.ts";
import { engineProblem } from "./engine/engine.ts";

/**
 * What is missing here to build the engine and a platform's parts, all at once, and only as far as
 * they are neither here already nor to be fetched. Empty when all is well.
 */
export async function buildProblems(
  requests: readonly ArtifactRequest[],
  signal: AbortSignal,
): Promise<string[]> {
  const problems = [await engineProblem(signal), ...(await partProblems(requests, signal))];
  return [...new Set(problems.filter((problem) => problem !== undefined))];
}

/** @throws Error with all that `buildProblems` finds. */
export async function requireBuilds(
  requests: readonly ArtifactRequest[],
  signal: AbortSignal,
): Promise<void> {
  const problems = await buildProblems(requests, signal);
  if (problems.length > 0)
    throw new Error(
      `what cannot be fetched here has to be built, and cannot be:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
}

async function partProblems(requests: readonly ArtifactRequest[], signal: AbortSignal): Promise<string[]> {
  const unfit: string[] = [];
  const uncompiled: string[] = [];
  for (const list of requests.map((request) => artifactList(request))) {
    for (const module of modulesOf(list)) {
      if (await findBuild(module, list.architecture)) continue;
      await requireGo(module).catch((error) => unfit.push(messageOf(error)));
      // Without Go it was not asked for.
      if (module.cgo && !hasProgram("gcc"))
        uncompiled.push(
          `gcc is not installed; ${module.name} needs a C compiler: apt-get install gcc libc6-dev`,
        );
    }
  }
  // Kubernetes comes first and needs the newest Go: what it asks for is enough for all.
  const problems = [...unfit.slice(0, 1), ...uncompiled];
  // Asked last: a host that does not answer takes seconds.
  const needed = problems.length > 0 && (await chooseSource({}, undefined, signal)).source.kind === "built";
  return needed ? problems : [];
}
