import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientChannel } from "ssh2";
import { messageOf } from "../model/problem.ts";
import { ConnectionError, HostError } from "./error.ts";

/** sshd's `MaxSessions` is 10; one is the lock's, one stays free. */
const channelLimit = 8;
const openAttempts = 50;
const stdoutLimit = 256 * 1024 * 1024;
const stderrTail = 8 * 1024;

export interface Answer {
  exitCode: number | undefined;
  stdout: Buffer;
  /** The end of it. */
  stderr: string;
}

export interface Exec {
  /** A constant: everything that varies goes through stdin. */
  command: string;
  /** For messages. */
  step: string;
  /** Writes stdin; ends it unless the channel is to stay open. */
  feed(channel: ClientChannel): void;
  stdout?(chunk: Buffer, channel: ClientChannel): void;
  stderr?(chunk: Buffer): void;
  /** Seconds after which the connection is given up. */
  deadlineSeconds?: number;
  /** Work of unknown length: the connection is given up when so many seconds long nothing more is done. */
  idle?: { seconds: number; done(): number };
  /** Once it is aborted nothing new begins. */
  signal?: AbortSignal;
  /**
   * Asked when it is aborted meanwhile: what is said when the answer is no longer waited for, though the host may
   * go on; nothing to wait all the same. @default waits
   */
  whenStopped?(): string | undefined;
}

/** One SSH connection to a host, shared by all that this process does there. */
export class Link {
  readonly host: string;
  readonly #client: Client;
  readonly #onLost: Promise<never>;
  #lost = false;
  #limit = channelLimit;
  #active = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(host: string, client: Client) {
    this.host = host;
    this.#client = client;
    this.#onLost = new Promise((_, reject) => {
      client.once("close", () => {
        this.#lost = true;
        reject(new ConnectionError(host, "connection", "it was lost", "lost"));
      });
    });
    this.#onLost.catch(() => {});
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Bytes that wait to be sent. ssh2 tells nobody; were it to change, uploads would only go unpaced. */
  get unsent(): number {
    const { _sock: socket } = this.#client as unknown as { _sock?: { writableLength?: number } };
    return socket?.writableLength ?? 0;
  }

  /** Calls back once when the connection is gone. */
  onceLost(callback: () => void): void {
    this.#client.once("close", callback);
  }

  close(): void {
    this.#client.end();
  }

  destroy(): void {
    this.#client.destroy();
  }

  /** Runs a command, at most eight at a time; the lock's channel does not count. */
  async exec(work: Exec, counted = true): Promise<Answer> {
    if (counted) await this.#enter();
    try {
      this.#mayBegin(work);
      const channel = await this.#open(work.command, work.step);
      return await this.#talk(channel, work);
    } finally {
      if (counted) this.#leave();
    }
  }

  /** A TCP connection made by the host. */
  async forward(address: string, port: number): Promise<Duplex> {
    const opened = new Promise<Duplex>((resolve, reject) => {
      this.#guarded("forwarding", reject, () =>
        this.#client.forwardOut("127.0.0.1", 0, address, port, (error, stream) => {
          if (error === undefined) resolve(stream);
          else reject(new HostError(this.host, `forwarding to ${address}:${port}`, messageOf(error)));
        }),
      );
    });
    return Promise.race([opened, this.#onLost]);
  }

  async #enter(): Promise<void> {
    while (this.#active >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#active++;
  }

  #leave(): void {
    this.#active--;
    this.#waiting.shift()?.();
  }

  #mayBegin({ step, signal }: Exec): void {
    if (signal?.aborted) throw new HostError(this.host, step, "interrupted before it began; run again");
  }

  #guarded(step: string, reject: (error: Error) => void, call: () => void): void {
    try {
      call();
    } catch (error) {
      // ssh2 throws at once when the socket is gone already.
      reject(new ConnectionError(this.host, step, messageOf(error), "lost"));
    }
  }

  async #open(command: string, step: string): Promise<ClientChannel> {
    for (let attempt = 1; ; attempt++) {
      const opened = new Promise<ClientChannel>((resolve, reject) => {
        this.#guarded(step, reject, () =>
          this.#client.exec(command, (error, channel) =>
            error === undefined ? resolve(channel) : reject(error),
          ),
        );
      });
      opened.catch(() => {});
      try {
        return await Promise.race([opened, this.#onLost]);
      } catch (error) {
        if (this.#lost) throw new ConnectionError(this.host, step, "the connection was lost", "lost");
        if (error instanceof ConnectionError) throw error;
        // An sshd with a lower MaxSessions: make do with what it gave.
        if (!/open failure/i.test(messageOf(error)) || attempt === openAttempts) {
          throw new HostError(this.host, step, `sshd opened no channel: ${messageOf(error)}`);
        }
        this.#limit = Math.max(1, this.#active - 1);
        this.#leave();
        // sshd forgets a session only some time after its channel was closed.
        await sleep(100);
        await this.#enter();
      }
    }
  }

  #watch(idle: Exec["idle"]): NodeJS.Timeout | undefined {
    if (!idle) return undefined;
    let last = { at: Date.now(), done: idle.done() };
    return setInterval(() => {
      const done = idle.done();
      if (done !== last.done) last = { at: Date.now(), done };
      else if (Date.now() - last.at > idle.seconds * 1000) this.destroy();
    }, 1000);
  }

  #talk(channel: ClientChannel, work: Exec): Promise<Answer> {
    const { step, signal } = work;
    return new Promise((resolve, reject) => {
      const stdout: Buffer[] = [];
      let size = 0;
      let stderr = Buffer.alloc(0);
      let exit: { code: number | undefined } | undefined;
      const give = (error: Error) => {
        channel.destroy();
        reject(error);
      };
      const deadline =
        work.deadlineSeconds === undefined
          ? undefined
          : setTimeout(() => this.destroy(), work.deadlineSeconds * 1000);
      const stop = () => {
        const said = work.whenStopped?.();
        if (said !== undefined) give(new HostError(this.host, step, said));
      };
      signal?.addEventListener("abort", stop, { once: true });
      const idle = this.#watch(work.idle);
      channel.on("data", (chunk: Buffer) => {
        if (work.stdout !== undefined) return work.stdout(chunk, channel);
        size += chunk.length;
        if (size > stdoutLimit) give(new HostError(this.host, step, "more than 256 MiB of output"));
        else stdout.push(chunk);
      });
      channel.stderr.on("data", (chunk: Buffer) => {
        work.stderr?.(chunk);
        stderr = Buffer.concat([stderr, chunk]).subarray(-stderrTail);
      });
      // A script that ends early closes its stdin; its exit code tells the rest.
      channel.on("error", () => {});
      channel.on("exit", (code: number | null) => {
        exit = { code: code ?? undefined };
      });
      channel.on("close", () => {
        clearTimeout(deadline);
        clearInterval(idle);
        signal?.removeEventListener("abort", stop);
        if (exit === undefined)
          reject(new ConnectionError(this.host, step, "the connection was lost", "lost"));
        else resolve({ exitCode: exit.code, stdout: Buffer.concat(stdout), stderr: stderr.toString("utf8") });
      });
      try {
        // It may have come while the channel was opened, whose shell runs nothing before it is fed.
        this.#mayBegin(work);
        work.feed(channel);
      } catch (error) {
        give(error as Error);
      }
    });
  }
}
