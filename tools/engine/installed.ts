import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { cacheRoot } from "../../components/local/folders.ts";

/**
 * Oldest engine taken from PATH. The SDK in package.json is 3.259, released in August 2026, and was
 * run with an engine of its own release. Half a year of older engines is trusted to keep the same
 * protocol; with still older ones a failure would be hard to tell from one of this library.
 */
export const minimumVersion: readonly [number, number] = [3, 230];

/** A `pulumi` that the user installed. */
export interface Installed {
  bin: string;
  version: string;
}

/** Finds a `pulumi` on PATH which is new enough and has its Node language host beside it or on PATH. */
export function installedPulumi(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Installed | undefined {
  const bin = which("pulumi", env);
  if (bin === undefined) return undefined;
  const host =
    which("pulumi-language-nodejs", env) ??
    executable(join(dirname(realpathSync(bin)), "pulumi-language-nodejs"));
  if (host === undefined) return undefined;
  const version = versionOf(bin, env);
  return version !== undefined && isRecent(version) ? { bin, version } : undefined;
}

/** True when `version`, such as `v3.259.0`, is at least the minimum. */
export function isRecent(version: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)\./.exec(version)?.map(Number) ?? [];
  if (major === undefined || minor === undefined) return false;
  return major > minimumVersion[0] || (major === minimumVersion[0] && minor >= minimumVersion[1]);
}

/** What this project made itself does not count as installed, also when its folder is on PATH. */
function which(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const own = join(cacheRoot(env), "/");
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "" && !join(folder, "/").startsWith(own))
    .map((folder) => executable(join(folder, name)))
    .find((found) => found !== undefined);
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? path : undefined;
  } catch {
    return undefined;
  }
}

/** `pulumi version` takes a good part of a second: its answer is kept until the file changes. */
function versionOf(bin: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { size, mtimeMs } = statSync(bin);
  const key = `${realpathSync(bin)} ${size} ${mtimeMs}`;
  const memo = join(cacheRoot(env), "installed.json");
  try {
    const known = JSON.parse(readFileSync(memo, "utf8")) as { key: string; version: string };
    if (known.key === key) return known.version;
  } catch {
    // Not asked before.
  }
  try {
    const version = execFileSync(bin, ["version"], {
      encoding: "utf8",
      timeout: 20_000,
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    }).trim();
    mkdirSync(dirname(memo), { recursive: true });
    writeFileSync(memo, JSON.stringify({ key, version }));
    return version;
  } catch {
    return undefined;
  }
}
