import { engine, environment } from "./engine/engine.ts";
import { ensureStack } from "./engine/stack.ts";
import { exitCodeOf, interruptible } from "./interruption.ts";

const args = process.argv.slice(2);
try {
  const found = await interruptible((signal) => engine(undefined, signal));
  const added = environment(found);
  if (args[0] === "--print-env") printEnvironment(added);
  else {
    const env = { ...process.env, ...added };
    ensureStack(found.pulumi, args, env);
    become(found.pulumi, ["pulumi", ...args], env);
  }
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  process.exitCode = exitCodeOf(error);
}

/** Replaces this process, so that a signal reaches Pulumi once and its exit code is the command's. */
function become(file: string, argv: string[], env: NodeJS.ProcessEnv): void {
  if (process.execve === undefined)
    throw new Error("this needs Linux or macOS: Node cannot replace a process here");
  process.execve(file, argv, env);
}

/** For a terminal: `eval "$(tools/pulumi --print-env)"`, then plain `pulumi`. */
function printEnvironment(variables: Record<string, string>): void {
  for (const [name, value] of Object.entries(variables))
    console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
}
