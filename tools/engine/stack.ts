import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Commands that make sense on a stack which does not exist yet. */
const creating = new Set(["up", "update", "preview", "pre", "config set", "config set-all"]);

/** Options whose value is the next word. */
const valued = new Set(
  "-s --stack -C --cwd --color --config-file -v --verbose --tracing --profiling".split(" "),
);

/** Makes the stack that `up`, `preview` or `config set` names, when it does not exist yet. */
export function ensureStack(pulumi: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const stack = stackToCreate(args);
  const cwd = resolve(directoryOf(args));
  if (stack === undefined || isInFolder(stack, cwd, env)) return;
  const quietly: SpawnSyncOptionsWithStringEncoding = {
    cwd,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  };
  if (spawnSync(pulumi, ["stack", "--show-name", "--stack", stack], quietly).status === 0) return;
  const made = spawnSync(pulumi, ["stack", "init", "--no-select", stack], quietly);
  if (made.status !== 0) throw new Error(`stack ${stack} could not be made: ${made.stderr.trim()}`);
  console.error(`stack ${stack} did not exist: made it`);
}

/** The stack that a command names and would create, if any. */
export function stackToCreate(args: readonly string[]): string | undefined {
  const ends = args.indexOf("--");
  const own = ends === -1 ? args : args.slice(0, ends);
  if (own.includes("--help") || own.includes("-h")) return undefined;
  const words = own.filter((arg, i) => !arg.startsWith("-") && !valued.has(own[i - 1] ?? ""));
  if (!creating.has(words[0] ?? "") && !creating.has(words.slice(0, 2).join(" "))) return undefined;
  return optionOf(own, "-s", "--stack");
}

/** Where a command works: Pulumi's `-C`. */
function directoryOf(args: readonly string[]): string {
  return optionOf(args, "-C", "--cwd") ?? ".";
}

/** Value of an option in any of its forms: `-s NAME`, `-sNAME`, `--stack NAME`, `--stack=NAME`. */
function optionOf(args: readonly string[], short: string, long: string): string | undefined {
  for (const [index, arg] of args.entries()) {
    if (arg === short || arg === long) return args[index + 1];
    if (arg.startsWith(`${long}=`)) return arg.slice(long.length + 1);
    if (arg.startsWith(short) && !arg.startsWith("--")) return arg.slice(short.length).replace(/^=/, "");
  }
  return undefined;
}

/** Spares a second of asking where a file backend shows its stacks as files. */
function isInFolder(stack: string, cwd: string, env: NodeJS.ProcessEnv): boolean {
  const url = env.PULUMI_BACKEND_URL;
  const project = projectName(cwd);
  if (!url?.startsWith("file:///") || project === undefined) return false;
  const file = join(fileURLToPath(url), ".pulumi", "stacks", project, `${stack}.json`);
  return existsSync(file) || existsSync(`${file}.gz`);
}

function projectName(directory: string): string | undefined {
  const path = join(directory, "Pulumi.yaml");
  if (existsSync(path)) return /^name:\s*["']?([^"'\s#]+)/m.exec(readFileSync(path, "utf8"))?.[1];
  return directory === dirname(directory) ? undefined : projectName(dirname(directory));
}
