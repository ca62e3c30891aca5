import { spawn } from "node:child_process";
import { later } from "./tidy.ts";

export interface ChildOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Text for its stdin. @default empty */
  input?: string;
}

/** Runs a program that has to succeed and gives what it said; it ends with the bench at the latest. */
export function child(argv: readonly string[], { cwd, env, input = "" }: ChildOptions = {}): Promise<string> {
  const [command = "", ...args] = argv;
  // A group of its own, so that what it started can be ended with it.
  const process_ = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  let said = "";
  let ended = false;
  for (const stream of [process_.stdout, process_.stderr])
    stream.on("data", (data: Buffer) => {
      said += data.toString();
    });
  const end = new Promise<string>((resolve, reject) => {
    process_.once("error", reject);
    process_.once("close", (code, signal) => {
      ended = true;
      if (code === 0) resolve(said);
      else
        reject(
          new Error(`\`${argv.join(" ")}\` ended with ${signal ?? `code ${code}`}:\n${said.slice(-4000)}`),
        );
    });
  });
  process_.stdin.on("error", () => {});
  process_.stdin.end(input);
  later(() => {
    if (ended || process_.pid === undefined) return;
    // Not waited for: an ssh that left the group may hold the pipes open.
    end.catch(() => {});
    process.kill(-process_.pid, "SIGKILL");
  });
  return end;
}
