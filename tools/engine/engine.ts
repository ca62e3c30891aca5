import { dirname, join } from "node:path";
import { cached, entryAt } from "../../components/local/cache.ts";
import { cacheRoot } from "../../components/local/folders.ts";
import { messageOf } from "../../components/model/problem.ts";
import { backend } from "./backend.ts";
import { buildCli, buildKey, cliVersion, requireCliTools } from "./go.ts";
import { layOutHome } from "./home.ts";
import { installedPulumi } from "./installed.ts";
import { downloadOfficial, isReachable } from "./official.ts";
import { type Progress, progressOn } from "./progress.ts";

/** A Pulumi engine ready to run. */
export interface Engine {
  /** Where it comes from: the user's PATH, Pulumi's download host, or built from its Go module. */
  source: "installed" | "official" | "built";
  /** Path of the `pulumi` executable. */
  pulumi: string;
  /** Pulumi home laid out for a built engine; the others use the user's own. */
  home?: string;
}

/**
 * Finds an engine or makes one: a `pulumi` on PATH, else the official download, else a build.
 * What was fetched or built before is used at once. `SPILLWAY_ENGINE` set to one of the sources
 * allows only that one.
 *
 * @throws the signal's reason after an abort; nothing that was started is left running then.
 */
export async function engine(progress: Progress = progressOn(), signal?: AbortSignal): Promise<Engine> {
  const there = await engineHere();
  if (there) return there;
  const say = {
    signal,
    onDamage: (reason: string) => progress.line(`the cached engine is damaged (${reason}): making it anew`),
    onWait: () => progress.line("another process is making the engine: waiting for it"),
  };
  if (allowed("official") && (await isReachable())) {
    const make = (folder: string) => downloadOfficial(cliVersion, folder, progress, signal);
    try {
      return officialIn((await cached({ folder: officialFolder(), make, ...say })).folder);
    } catch (error) {
      signal?.throwIfAborted();
      progress.line(`the official engine could not be fetched (${(error as Error).message})`);
    }
  }
  if (!allowed("built")) {
    const only = process.env.SPILLWAY_ENGINE;
    throw new Error(`SPILLWAY_ENGINE=${only}: no such engine to be had here; unset it, or set it to built`);
  }
  if (allowed("official"))
    progress.line("no recent pulumi on PATH, and Pulumi's download host is out of reach");
  const make = (folder: string) => buildCli(join(folder, "bin", "pulumi"), progress, signal);
  return builtIn((await cached({ folder: builtFolder(), make, ...say })).folder);
}

/** Why none can be made, where one has to be built. Makes nothing. */
export async function engineProblem(signal?: AbortSignal): Promise<string | undefined> {
  if (!allowed("built") || (await engineHere())) return undefined;
  try {
    await requireCliTools();
    return undefined;
  } catch (error) {
    if (allowed("official") && (await isReachable())) return undefined;
    signal?.throwIfAborted();
    return messageOf(error);
  }
}

function allowed(source: Engine["source"]): boolean {
  return [undefined, "", source].includes(process.env.SPILLWAY_ENGINE);
}

const officialFolder = () => join(cacheRoot(), "engine", `official-${cliVersion}`);
const builtFolder = () => join(cacheRoot(), "engine", `built-${cliVersion}-${buildKey()}`);

async function engineHere(): Promise<Engine | undefined> {
  const installed = allowed("installed") ? installedPulumi() : undefined;
  if (installed) return { source: "installed", pulumi: installed.bin };
  if (allowed("official") && (await entryAt(officialFolder()))) return officialIn(officialFolder());
  if (allowed("built") && (await entryAt(builtFolder()))) return builtIn(builtFolder());
  return undefined;
}

/** The environment in which `pulumi` of this engine runs as it does from a terminal. */
export function environment(found: Engine, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return {
    PATH: withFirst(dirname(found.pulumi), env.PATH ?? ""),
    ...(found.home && {
      PULUMI_HOME: found.home,
      // Each attempt to download would be tried five times before its error is shown.
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    }),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // Language host, program and plugins start anew with every command: a third of its time.
    NODE_COMPILE_CACHE: env.NODE_COMPILE_CACHE || join(cacheRoot(env), "node"),
    ...backend(env, found.home).env,
  };
}

function withFirst(folder: string, path: string): string {
  return [folder, ...path.split(":").filter((other) => other !== folder && other !== "")].join(":");
}

function officialIn(directory: string): Engine {
  return { source: "official", pulumi: join(directory, "bin", "pulumi") };
}

function builtIn(directory: string): Engine {
  const home = layOutHome(join(directory, "bin", "pulumi"));
  return { source: "built", pulumi: join(home, "bin", "pulumi"), home };
}
