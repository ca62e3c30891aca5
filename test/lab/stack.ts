import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as control from "../../components/lab/control.ts";
import { checkout } from "../../tools/engine/paths.ts";

/** What a command said and how it ended. */
export interface Ended {
  /** `null` when a signal ended it. */
  code: number | null;
  /** stdout and stderr as they came. */
  text: string;
  stdout: string;
  seconds: number;
}

/** A command that still runs. */
export interface Running {
  /** The engine itself, not a shell around it. */
  readonly child: ChildProcess;
  /** Comes when the last of its processes is gone. */
  readonly end: Promise<Ended>;
  /** What it has said so far. */
  text(): string;
  /** Sends a signal to its group of processes, as a terminal's Ctrl-C does. */
  signal(name: NodeJS.Signals): void;
  /** Ends all of its processes at once. */
  kill(): void;
}

export interface StackArgs {
  /** Of the project; the stack is called `t` until it is renamed. */
  name: string;
  /** Text of `index.ts`; it imports `spillway/...` as a user's program does. */
  program: string;
  /** Labs that it makes, which `remove` purges. @default none */
  labs?: string[];
  /** Package of Spillway to install with npm, as a user does. @default this checkout, linked */
  tarball?: string;
}

/** Every process of one run has it in its environment: plugins are in groups of their own. */
const MARK = "SPILLWAY_TEST_RUN";

function processesOf(mark: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && environmentOf(entry).includes(`${MARK}=${mark}`))
    .map(Number);
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    // It ended meanwhile.
    return "";
  }
}

/** Waits for a run's last process: a plugin outlives an engine that was killed, and still gives commands. */
async function gone(mark: string): Promise<void> {
  for (const until = Date.now() + 120_000; ; await sleep(50)) {
    const left = processesOf(mark);
    if (left.length === 0) return;
    if (Date.now() > until)
      throw new Error(`processes outlived their run by two minutes: ${left.join(", ")}`);
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

function versionOf(name: string): string {
  const file = join(checkout, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

const showing = /^(--show-secrets|--debug|-v=\d)$/;

/** The policy pack, by this project's own settings. */
export const ownPolicies: readonly string[] = [
  "--policy-pack",
  join(checkout, "policies"),
  "--policy-pack-config",
  join(checkout, "policy-config.json"),
];

/** A stack of a test's own on the real engine: own project, own state, own passphrase. */
export class Stack {
  readonly folder = mkdtempSync(join(tmpdir(), "spillway-stack-"));
  readonly project = join(this.folder, "project");
  readonly #labs: string[];
  #stack = "t";
  readonly #running = new Set<Running>();
  readonly #said: string[] = [];

  constructor({ name, program, labs = [], tarball }: StackArgs) {
    this.#labs = labs;
    mkdirSync(this.project);
    const files = {
      "Pulumi.yaml": `name: ${name}
runtime: { name: nodejs, options: { typescript: false } }
main: index.ts
plugins:
  providers:
    - { name: spillway, path: node_modules/spillway/bin }
`,
      "package.json": '{ "type": "module" }\n',
      "index.ts": program,
    };
    for (const [file, text] of Object.entries(files)) writeFileSync(join(this.project, file), text);
    if (tarball) this.#install(tarball);
    else this.#link();
  }

  #link(): void {
    const modules = join(this.project, "node_modules");
    mkdirSync(modules);
    symlinkSync(join(checkout, "node_modules", "@pulumi"), join(modules, "@pulumi"));
    symlinkSync(checkout, join(modules, "spillway"));
  }

  #install(tarball: string): void {
    // The SDK that fits the engine of these tests; a user's own would be the newest.
    const sdk = ["pulumi", "kubernetes"].map((name) => `@pulumi/${name}@${versionOf(`@pulumi/${name}`)}`);
    const quietly = ["--prefer-offline", "--no-fund", "--no-audit", "--loglevel=error"];
    const args = ["install", ...quietly, tarball, ...sdk];
    execFileSync("npm", args, { cwd: this.project, stdio: ["ignore", "ignore", "inherit"] });
  }

  /** Starts a Pulumi command on the stack, such as `up --yes`. */
  launch(args: string[], env: NodeJS.ProcessEnv = {}, input?: string): Running {
    const began = Date.now();
    const mark = randomUUID();
    const child = spawn(
      join(checkout, "tools", "pulumi"),
      [...args, "--stack", this.#stack, "--non-interactive"],
      {
        cwd: this.project,
        env: { ...this.#environment(), ...env, [MARK]: mark },
        stdio: ["pipe", "pipe", "pipe"],
        // Its own group, as a shell gives each job.
        detached: true,
      },
    );
    child.stdin.on("error", () => {}).end(input);
    let text = "";
    let stdout = "";
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
      stdout += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      text += data.toString();
    });
    const end = new Promise<Ended>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        this.#running.delete(running);
        const ended = { code, text, stdout, seconds: (Date.now() - began) / 1000 };
        if (!args.some((arg) => showing.test(arg))) this.#said.push(text);
        gone(mark).then(() => resolve(ended), reject);
      });
    });
    const signal = (name: NodeJS.Signals) => {
      // One that has ended takes no signal.
      if (child.pid !== undefined && this.#running.has(running)) process.kill(-child.pid, name);
    };
    const kill = () => {
      for (const pid of processesOf(mark)) tryKill(pid);
    };
    const running: Running = { child, end, text: () => text, signal, kill };
    this.#running.add(running);
    return running;
  }

  run(args: string[], env: NodeJS.ProcessEnv = {}, input?: string): Promise<Ended> {
    return this.launch(args, env, input).end;
  }

  up(env?: NodeJS.ProcessEnv): Promise<Ended> {
    return this.run(["up", "--yes", "--skip-preview"], env);
  }

  /** Fails when there is anything to change. */
  previewNothing(env?: NodeJS.ProcessEnv): Promise<Ended> {
    return this.run(["preview", "--diff", "--expect-no-changes"], env);
  }

  refresh(env?: NodeJS.ProcessEnv): Promise<Ended> {
    return this.run(["refresh", "--yes", "--skip-preview"], env);
  }

  destroy(env?: NodeJS.ProcessEnv): Promise<Ended> {
    return this.run(["destroy", "--yes", "--skip-preview"], env);
  }

  /** Calls the stack otherwise from now on. */
  async rename(name: string): Promise<void> {
    const { code, text } = await this.run(["stack", "rename", name]);
    if (code !== 0) throw new Error(text);
    this.#stack = name;
  }

  /** What all its runs printed but those that were asked to show secrets, or Pulumi's own debugging output. */
  said(): string {
    return this.#said.join("\n");
  }

  /** All outputs, secrets too. */
  async outputs<T extends object>(): Promise<T> {
    const { code, text, stdout } = await this.run(["stack", "output", "--json", "--show-secrets"]);
    if (code !== 0) throw new Error(text);
    return JSON.parse(stdout) as T;
  }

  /** Ends what still runs, and takes everything back, whatever came before. */
  async remove(): Promise<void> {
    for (const running of [...this.#running]) {
      running.kill();
      await running.end;
    }
    for (const lab of this.#labs) await control.purge(lab);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #environment(): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("PULUMI_"));
    return { ...Object.fromEntries(own), XDG_STATE_HOME: join(this.folder, "state"), NO_COLOR: "1" };
  }
}
