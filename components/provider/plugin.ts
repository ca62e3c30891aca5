import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { pulumiHome } from "../local/folders.ts";
import { PLUGIN_LINES } from "./plugin-lines.ts";

/** A value, or any part of it, that may be an output of another resource. */
export type DeepInput<T> = pulumi.Input<
  T extends string | number | boolean | undefined
    ? T
    : T extends readonly (infer E)[]
      ? DeepInput<E>[]
      : { [K in keyof T]: DeepInput<T[K]> }
>;

/** Arguments of a resource type of the plugin. */
export type Args<T> = { [K in keyof T]: DeepInput<T[K]> };

/** A resource that the plugin `spillway` carries out. */
export abstract class PluginResource extends pulumi.CustomResource {
  /** @param computed names of the outputs that are no inputs */
  protected constructor(
    token: string,
    name: string,
    inputs: object,
    computed: readonly string[],
    opts?: pulumi.CustomResourceOptions,
  ) {
    requirePlugin();
    const outputs = Object.fromEntries(computed.map((output) => [output, undefined]));
    // What is on a host is there once: its successor, made beside it, would be taken back with it.
    // Pulumi takes a stack trace, mapped to sources, with each of the four promises of every property, to
    // name those that leak: a sixth of a run that changes nothing. It sets the limit itself where it needs one.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      super(token, name, { ...outputs, ...inputs }, { deleteBeforeReplace: true, ...opts });
    } finally {
      Error.stackTraceLimit = limit;
    }
  }
}

const EXECUTABLE = "pulumi-resource-spillway";

let found = false;

/** Without it the engine would look for the plugin on the Internet and fail in words that help nobody. */
function requirePlugin(): void {
  found ||= inTests() || inProjectFile() || onPath() || installed();
  if (found) return;
  throw new pulumi.RunError(
    `Pulumi does not know where Spillway's plugin is. Add these lines to ${projectFile()}:\n\n${PLUGIN_LINES}\n`,
  );
}

const inTests = (): boolean => !process.env.PULUMI_NODEJS_ENGINE && !process.argv.includes("--engine");

const projectFile = (): string => {
  const names = ["Pulumi.yaml", "Pulumi.yml", "Pulumi.json"];
  const folders = [pulumi.runtime.getRootDirectory?.() ?? process.cwd(), process.cwd()];
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return paths.find((path) => existsSync(path)) ?? "Pulumi.yaml";
};

function inProjectFile(): boolean {
  const path = projectFile();
  return (
    existsSync(path) &&
    /^\s*(-\s*)?\{?\s*name:\s*['"]?spillway['"]?\s*[,}\n]/m.test(pluginsOf(readFileSync(path, "utf8")))
  );
}

/** What stands below the key `plugins`: the project itself may be called spillway as well. */
const pluginsOf = (text: string): string => /^"?plugins"?\s*:([\s\S]*)/m.exec(text)?.[1] ?? "";

function onPath(): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, EXECUTABLE)));
}

function installed(): boolean {
  const folder = join(pulumiHome(), "plugins");
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("resource-spillway-v"));
}
