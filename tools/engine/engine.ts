import { dirname, join } from "node:path";
import { cached, entryAt } from "../../components/local/cache.ts";
import { cacheRoot } from "../../components/local/folders.ts";
import { backend } from "./backend.ts";
import { buildCli, buildKey, cliVersion } from "./go.ts";
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
 */
export async function engine(progress: Progress = progressOn()): Promise<Engine> {
  const only = process.env.SPILLWAY_ENGINE;
  const allowed = (source: Engine["source"]) => !only || only === source;
  const installed = allowed("installed") ? installedPulumi() : undefined;
  if (installed) return { source: "installed", pulumi: installed.bin };

  const official = join(cacheRoot(), "engine", `official-${cliVersion}`);
  const built = join(cacheRoot(), "engine", `built-${cliVersion}-${buildKey()}`);
  if (allowed("official") && (await entryAt(official))) return officialIn(official);
  if (allowed("built") && (await entryAt(built))) return builtIn(built);

  const say = {
    onDamage: (reason: string) => progress.line(`the cached engine is damaged (${reason}): making it anew`),
    onWait: () => progress.line("another process is making the engine: waiting for it"),
  };
  if (allowed("official") && (await isReachable())) {
    const make = (folder: string) => downloadOfficial(cliVersion, folder, progress);
    try {
      return officialIn((await cached({ folder: official, make, ...say })).folder);
    } catch (error) {
      progress.line(`the official engine could not be fetched (${(error as Error).message})`);
    }
  }
  if (!allowed("built"))
    throw new Error(`SPILLWAY_ENGINE=${only}: no such engine to be had here; unset it, or set it to built`);
  if (!only) progress.line("no recent pulumi on PATH, and Pulumi's download host is out of reach");
  const make = (folder: string) => buildCli(join(folder, "bin", "pulumi"), progress);
  return builtIn((await cached({ folder: built, make, ...say })).folder);
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
