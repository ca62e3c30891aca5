import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256Of } from "../local/cache.ts";
import type { Connection } from "../model/connection.ts";
import { messageOf } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, HostError, sudoAdvice } from "./error.ts";
import type { Answer, Exec, Link } from "./link.ts";
import { asRoot, linkTo, lockedLinkTo } from "./pool.ts";
import { answerIn, redact, renderDelivery, type Script } from "./script.ts";
import { parseStepResult, type Step, stepRefusal, stepScripts } from "./step.ts";
import {
  receiverAnswer,
  receiverArgument,
  sendFile,
  UPLOAD_IDLE_SECONDS,
  uploadHeader,
  uploadProblem,
} from "./upload.ts";

export { ConnectionError, HostError } from "./error.ts";
export { quote, type Script } from "./script.ts";
export type { Step } from "./step.ts";

/** How often work is done again after its connection was lost. */
const retries = 2;
const stepRetries = 10;
const progressMilliseconds = 2000;
const GOES_ON = "no longer waited for; it goes on there, and the next run takes its result";

export interface UploadOptions {
  /** Octal, such as `0755`. */
  mode: string;
  /** Digest of the local file in hexadecimal. */
  sha256: string;
}

/** What can be done on one host. Root's rights throughout. */
export interface Session {
  readonly connection: Connection;
  /** Connects, if that was not done; every other method does so too. */
  connect(): Promise<void>;
  /**
   * Runs a script and gives its stdout. **Scripts are re-enterable**: when the connection is lost the
   * same script is run again, up to twice, after its first copy has ended.
   *
   * @throws HostError when it fails, with the end of its stderr; ConnectionError when no answer comes.
   */
  run(script: Script, context: Context): Promise<string>;
  /**
   * Puts a local file on the host, whole or not at all; owner root. False when it was there already.
   * Missing parent directories are made.
   */
  upload(localPath: string, remotePath: string, options: UploadOptions, context: Context): Promise<boolean>;
  /**
   * Runs a script under the unit `spillway-NAME`, which a lost connection does not end. The same
   * step called again, by this process or a later one, attaches to it or takes its result. stdout is
   * the result; **stderr is shown as progress**, so no secret belongs there. After Ctrl-C it is no
   * longer waited for, and goes on.
   */
  step(step: Step, context: Context): Promise<string>;
  /** A TCP connection that the host makes. */
  forward(address: string, port: number): Promise<Duplex>;
}

export interface OnHostOptions {
  /** Take the host's lock first, as everything that changes the host must. @default true, but false in a preview */
  change?: boolean;
}

/**
 * Lends a session on the host. The connection is made when there is none yet, and stays for the next
 * caller; so does the lock, which keeps other processes from changing the host until this one ends.
 */
export function onHost<T>(
  connection: Connection,
  context: Context,
  use: (session: Session) => Promise<T>,
  options: OnHostOptions = {},
): Promise<T> {
  return use(new HostSession(connection, context, options.change ?? !context.preview));
}

class HostSession implements Session {
  readonly connection: Connection;
  readonly #context: Context;
  readonly #change: boolean;

  constructor(connection: Connection, context: Context, change: boolean) {
    this.connection = connection;
    this.#context = context;
    this.#change = change;
  }

  async connect(): Promise<void> {
    await linkTo(this.connection, this.#context);
  }

  async run(script: Script, context: Context): Promise<string> {
    const name = script.name ?? nameOf(context.urn);
    const answer = await this.#persistently(retries, context, (link) =>
      this.#deliver(link, name, script, { signal: context.signal }),
    );
    this.#mustSucceed(name, script, answer);
    return answer.stdout.toString("utf8");
  }

  async upload(
    localPath: string,
    remotePath: string,
    options: UploadOptions,
    context: Context,
  ): Promise<boolean> {
    const { mode, sha256 } = options;
    const name = `upload of ${remotePath}`;
    const problem = uploadProblem(remotePath, mode, sha256);
    if (problem !== undefined) throw new HostError(this.connection.host, name, problem);
    let said: string | undefined;
    const answer = await this.#persistently(retries, context, (link) => {
      let [printed, sent] = ["", 0];
      said = undefined;
      return link.exec({
        command: `${asRoot(this.connection)} ${receiverArgument}`,
        step: name,
        feed: (channel) => channel.write(uploadHeader(remotePath, mode, sha256)),
        stdout: (chunk, channel) => {
          printed += chunk.toString("latin1");
          if (said !== undefined) return;
          said = receiverAnswer(printed);
          // Without its end the host finds another digest, and the local reason is told below.
          if (said === "want")
            sendFile(localPath, channel, link, (bytes) => (sent += bytes)).catch(() => channel.end());
        },
        idle: { seconds: UPLOAD_IDLE_SECONDS, done: () => sent },
        whenStopped: () => "interrupted; nothing of it stays there, and the next run sends it anew",
        signal: context.signal,
      });
    });
    if (answer.exitCode !== 0) {
      const local = await localProblem(localPath, sha256);
      const reason =
        local ?? sudoAdvice(answer.stderr) ?? (answer.stderr.trim() || `exit code ${answer.exitCode}`);
      throw new HostError(this.connection.host, name, reason, answer.exitCode, answer.stderr);
    }
    return said !== "have";
  }

  async step(step: Step, context: Context): Promise<string> {
    const { host } = this.connection;
    const scripts = stepScripts(step, step.timeoutSeconds ?? this.connection.stepTimeout ?? 600);
    const secrets = Object.values(step.secretFiles ?? {});
    const stderr = throttled((line) => context.progress(`${host}: ${redact(line, secrets)}`));
    let first = true;
    const answer = await this.#persistently(stepRetries, context, (link) => {
      const script = scripts.start(first);
      first = false;
      // Not under the lock of scripts: a lost follower must not keep its successor from attaching.
      const more = { stderr, signal: context.signal, whenStopped: () => GOES_ON };
      return this.#deliver(link, step.name, script, more, false);
    });
    if (answer.exitCode !== 0) {
      throw stepRefusal(host, step.name, answer.exitCode, redact(answer.stderr, secrets));
    }
    const result = parseStepResult(answer.stdout);
    await this.#persistently(
      retries,
      context,
      (link) => this.#deliver(link, step.name, scripts.remove),
      true,
    );
    this.#mustSucceed(step.name, step, { ...result, stdout: answer.stdout });
    return result.stdout;
  }

  async forward(address: string, port: number): Promise<Duplex> {
    const link = await linkTo(this.connection, this.#context);
    return link.forward(address, port);
  }

  async #persistently<T>(
    times: number,
    context: Context,
    work: (link: Link) => Promise<T>,
    afterAbort = false,
  ): Promise<T> {
    for (let lost = 0; ; lost++) {
      if (context.signal.aborted && !afterAbort) {
        throw new HostError(
          this.connection.host,
          nameOf(context.urn),
          "interrupted before it began; run again",
        );
      }
      try {
        return await work(await (this.#change ? lockedLinkTo : linkTo)(this.connection, context));
      } catch (error) {
        if (!(error instanceof ConnectionError) || error.failure !== "lost" || lost >= times) throw error;
        context.progress(`${this.connection.host}: connection lost, trying again`);
        await sleep(200 + Math.random() * 300);
      }
    }
  }

  async #deliver(
    link: Link,
    name: string,
    script: Script,
    more: Partial<Exec> = {},
    change = this.#change,
  ): Promise<Answer> {
    const timeoutSeconds = script.timeoutSeconds ?? this.connection.stepTimeout ?? 600;
    const payload = renderDelivery(script, { timeoutSeconds, change });
    const answer = await link.exec({
      command: asRoot(this.connection),
      step: name,
      feed: (channel) => channel.end(payload),
      deadlineSeconds: timeoutSeconds + 30,
      ...more,
    });
    return { ...answer, stdout: answerIn(answer.stdout) };
  }

  #mustSucceed(name: string, script: Script, { exitCode, stderr }: Answer): void {
    if (exitCode === 0) return;
    const shown = redact(stderr.trim(), Object.values(script.secretFiles ?? {}));
    const { host } = this.connection;
    const advice = sudoAdvice(stderr);
    if (advice !== undefined) throw new HostError(host, name, advice, exitCode, shown);
    const limit = script.timeoutSeconds ?? this.connection.stepTimeout ?? 600;
    const cause =
      exitCode === 124 || exitCode === 137
        ? `not done within ${limit} s`
        : `exit code ${exitCode ?? "none (killed)"}`;
    const found = shown === "" ? cause : `${cause}: ${shown}`;
    throw new HostError(
      host,
      name,
      `${found}\n(when that is mended, run again: it goes on from here)`,
      exitCode,
      shown,
    );
  }
}

/** The resource's own name, last in its URN. */
function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 1).replace(/^:/, "");
}

async function localProblem(path: string, sha256: string): Promise<string | undefined> {
  try {
    const found = await sha256Of(path);
    if (found === sha256) return undefined;
    return `the local file ${path} has digest ${found}, not ${sha256}; it changed since it was declared`;
  } catch (error) {
    return `the local file cannot be read: ${messageOf(error)}`;
  }
}

/** Passes on the last whole line, at most every other second. */
function throttled(show: (line: string) => void): (chunk: Buffer) => void {
  let rest = "";
  let last = 0;
  return (chunk) => {
    const lines = (rest + chunk.toString("utf8")).split(/[\r\n]+/);
    rest = (lines.pop() ?? "").slice(-4096);
    // Structured logs of what a tool calls say nothing to a person.
    const line = lines.findLast((text) => text.trim() !== "" && !text.startsWith("{"));
    if (line === undefined || Date.now() - last < progressMilliseconds) return;
    last = Date.now();
    show(line.slice(0, 300));
  };
}
