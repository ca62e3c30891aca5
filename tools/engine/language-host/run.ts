import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_pb.js";

/** A process to start. */
export interface Command {
  file: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** Exit code of the SDK's runner when the user was told already what went wrong. */
const bailCode = 32;

/** How the SDK's runner is started for one preview or update. */
export function programCommand(request: language.RunRequest, engineAddress: string): Command {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() || request.getPwd();
  const options = info?.getOptions()?.toJavaScript() ?? {};
  const flags: Record<string, string> = {
    monitor: request.getMonitorAddress(),
    engine: engineAddress,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info?.getRootDirectory() ?? "",
    stack: request.getStack(),
    pwd: request.getPwd(),
    parallel: String(request.getParallel()),
  };
  const args = Object.entries(flags).flatMap(([name, value]) => (value === "" ? [] : [`--${name}=${value}`]));
  if (request.getDryrun()) args.push("--dry-run");
  return {
    file: process.execPath,
    args: [
      ...nodeArguments(options),
      moduleOf(directory, "@pulumi/pulumi/cmd/run"),
      ...args,
      info?.getEntryPoint() || request.getProgram() || ".",
      ...request.getArgsList(),
    ],
    cwd: request.getPwd(),
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(configOf(request)),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList().map(programKey)),
      PULUMI_NODEJS_TYPESCRIPT: String(options.typescript !== false),
      ...(typeof options.tsconfig === "string" && { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig }),
    },
  };
}

/** How a policy pack, or a plugin written for Node, is started. */
export function pluginCommand(request: language.RunPluginRequest): Command {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() || request.getProgram();
  const options = info?.getOptions()?.toJavaScript() ?? {};
  const isPolicyPack = request.getKind() === "analyzer";
  const runner = isPolicyPack
    ? fileURLToPath(new URL("policy-pack.ts", import.meta.url))
    : moduleOf(directory, "@pulumi/pulumi/cmd/run-plugin");
  const env = Object.fromEntries(request.getEnvList().map((line) => line.split(/=(.*)/s).slice(0, 2)));
  return {
    file: process.execPath,
    args: [...nodeArguments(options), runner, directory, ...request.getArgsList()],
    // A policy pack reads its version from the package.json of the folder it runs in.
    cwd: isPolicyPack ? directory : request.getPwd() || directory,
    env: { ...process.env, ...env },
  };
}

/** How a program's packages are installed. */
export function installCommand(request: language.InstallDependenciesRequest): Command {
  const options = request.getInfo()?.getOptions()?.toJavaScript() ?? {};
  const manager = typeof options.packagemanager === "string" ? options.packagemanager : "npm";
  const cwd = request.getInfo()?.getProgramDirectory() || request.getDirectory();
  return { file: manager, args: ["install", "--loglevel=error"], cwd, env: process.env };
}

/** Runs a program to its end; its output goes where the host's goes. */
export async function run(
  command: Command,
  call: ServerUnaryCall<language.RunRequest, language.RunResponse>,
): Promise<language.RunResponse> {
  const child = start(command, { stdio: ["ignore", "inherit", "inherit"] });
  call.on("cancelled", () => child.kill("SIGINT"));
  const code = await exitOf(child);
  if (code === bailCode) return new language.RunResponse().setBail(true);
  const error = code === 0 ? "" : `program ended with exit code ${code}`;
  return new language.RunResponse().setError(error);
}

interface Messages<Response> {
  stdout(data: Uint8Array): Response;
  stderr(data: Uint8Array): Response;
  /** @default an exit code other than 0 fails the call */
  exit?(code: number): Response;
}

/** Runs a process and passes on what it prints. */
export function stream<Request, Response>(
  command: Command,
  call: ServerWritableStream<Request, Response>,
  messages: Messages<Response>,
): void {
  const child = start(command, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout?.on("data", (data: Uint8Array) => call.write(messages.stdout(data)));
  child.stderr?.on("data", (data: Uint8Array) => call.write(messages.stderr(data)));
  call.on("cancelled", () => child.kill("SIGINT"));
  exitOf(child).then(
    (code) => {
      if (messages.exit) call.write(messages.exit(code));
      else if (code !== 0) return call.destroy(new Error(`${command.file} ended with exit code ${code}`));
      return call.end();
    },
    (error: Error) => call.destroy(error),
  );
}

function start({ file, args, cwd, env }: Command, options: SpawnOptions): ChildProcess {
  return spawn(file, args, { ...options, cwd, env });
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
}

function configOf(request: language.RunRequest): Record<string, string> {
  const config: Record<string, string> = {};
  request.getConfigMap().forEach((value, key) => {
    config[programKey(key)] = value;
  });
  return config;
}

/** The engine says `spillway:stack`, programs read `spillway:config:stack`. */
function programKey(key: string): string {
  const [, namespace, name] = /^([^:]+):(?:config:)?(.+)$/.exec(key) ?? [];
  return name === undefined ? key : `${namespace}:config:${name}`;
}

function nodeArguments(options: Record<string, unknown>): string[] {
  const given = typeof options.nodeargs === "string" ? options.nodeargs.split(/\s+/).filter(Boolean) : [];
  return ["--disable-warning=ExperimentalWarning", ...given];
}

/** The program's own SDK, so that its version is the one in the program's lock file. */
function moduleOf(directory: string, name: string): string {
  try {
    return createRequire(join(directory, "package.json")).resolve(name);
  } catch {
    throw new Error(`${name} is not installed at or above ${directory}; run npm install there`);
  }
}
