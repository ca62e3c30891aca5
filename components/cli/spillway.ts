import { readFileSync } from "node:fs";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { Refusal } from "../model/problem.ts";
import { showArtifacts } from "./artifacts.ts";
import { labs } from "./lab.ts";
import { plugin } from "./plugin.ts";
import { policyCheck } from "./policy-check.ts";
import { type Answer, type Command, UsageError } from "./usage.ts";

const commands: Readonly<Record<string, Command>> = {
  artifacts: showArtifacts,
  lab: labs,
  "policy-check": policyCheck,
  plugin,
};

const help = `Usage: spillway COMMAND

Spillway's platforms are run by Pulumi: pulumi up, preview, refresh, destroy.
This program shows and clears what Pulumi does not.

${Object.values(commands)
  .map(({ usage }) => usage)
  .join("\n")}

  --help       this text
  --version    the version of this package

Exit codes: 0 done, 1 it did not work, 2 it was not understood.`;

type Print = (text: string) => void;

/** Runs one command line and returns its exit code: 0 done, 1 it did not work, 2 it was not understood. */
export async function spillway(argv: readonly string[], print: Print, complain: Print): Promise<number> {
  try {
    const said = await answer(argv);
    const { text, code } = typeof said === "string" ? { text: said, code: 0 } : said;
    print(text);
    return code;
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof UsageError)) {
      complain(`error: ${message}`);
      return 1;
    }
    complain(`error: ${message}\nspillway --help says what there is.`);
    return 2;
  }
}

async function answer(argv: readonly string[]): Promise<Answer> {
  const [name = "", ...rest] = argv;
  if (argv.length === 0) throw new UsageError("no command was given");
  if (rest.includes("--help") || name === "--help" || name === "-h") return help;
  if (name === "--version") return version();
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    throw new UsageError(
      `${JSON.stringify(name)} is no command; give one of ${Object.keys(commands).join(", ")}`,
    );
  }
  const { values, positionals } = parsed(rest, command.options);
  try {
    return await command.run(values, positionals);
  } catch (error) {
    throw error instanceof Refusal ? new UsageError(error.message) : error;
  }
}

function parsed(args: string[], options: Command["options"]) {
  const config = { args, options, allowPositionals: true, strict: true } satisfies ParseArgsConfig;
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function version(): string {
  const manifest = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
