import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import type { Client } from "ssh2";
import { expect, test } from "vitest";
import type { Context } from "../../components/provider/resource.ts";
import { type Exec, Link } from "../../components/ssh/link.ts";
import { takeLock } from "../../components/ssh/lock.ts";

/** A connection whose channels open when the test says so, and what they were sent. */
class World {
  readonly interrupt = new AbortController();
  readonly channels: (PassThrough & { stderr: PassThrough })[] = [];
  readonly sent: string[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly link: Link;

  constructor() {
    const client = Object.assign(new EventEmitter(), {
      exec: (_command: string, opened: (error: undefined, channel: unknown) => void) => {
        this.#waiting.push(() => {
          const channel = Object.assign(new PassThrough(), { stderr: new PassThrough() });
          channel.write = (data: string) => this.sent.push(data) > 0;
          this.channels.push(channel);
          opened(undefined, channel);
        });
      },
    });
    this.link = new Link("h", client as unknown as Client);
  }

  get asked(): number {
    return this.#waiting.length;
  }

  async open(): Promise<void> {
    await expect.poll(() => this.asked).toBeGreaterThan(0);
    this.#waiting.shift()!();
    await new Promise(setImmediate);
  }

  run(more: Partial<Exec> = {}) {
    const feed: Exec["feed"] = (channel) => void channel.write("script");
    const { signal } = this.interrupt;
    const answer = this.link.exec({ command: "sh", step: "work", feed, signal, ...more });
    answer.catch(() => {});
    return answer;
  }

  lock() {
    const context = { urn: "test", signal: this.interrupt.signal, progress: () => {} } as Partial<Context>;
    const locked = takeLock(this.link, "sh", context as Context, 600, () => {});
    locked.catch(() => {});
    return locked;
  }

  end(code: number): void {
    this.channels[0]!.emit("exit", code);
    this.channels[0]!.emit("close");
  }
}

test("nothing begins on a host after an interrupt, whenever it comes", async () => {
  const before = new World();
  before.interrupt.abort();
  await expect(before.run()).rejects.toThrow("host h, work: interrupted before it began; run again");
  expect(before.asked).toBe(0);

  const meanwhile = new World();
  const late = meanwhile.run();
  await expect.poll(() => meanwhile.asked).toBe(1);
  meanwhile.interrupt.abort();
  await meanwhile.open();
  await expect(late).rejects.toThrow("interrupted before it began");
  expect(meanwhile.sent).toEqual([]);
  expect(meanwhile.channels[0]!.destroyed).toBe(true);
});

test("a script that has begun is waited for, and a step says what becomes of it", async () => {
  const script = new World();
  const answer = script.run();
  await script.open();
  script.interrupt.abort();
  script.end(0);
  expect((await answer).exitCode).toBe(0);

  const step = new World();
  const left = step.run({ whenStopped: () => "it goes on there" });
  await step.open();
  step.interrupt.abort();
  await expect(left).rejects.toThrow("host h, work: it goes on there");
  expect(step.channels[0]!.destroyed).toBe(true);
});

test("an interrupt ends the wait for a host's lock, and leaves one that is held", async () => {
  const waiting = new World();
  const taken = waiting.lock();
  await waiting.open();
  waiting.interrupt.abort();
  await expect(taken).rejects.toThrow("host h, taking the host's lock: interrupted while others have it");
  expect(waiting.channels[0]!.destroyed).toBe(true);

  const holding = new World();
  const held = holding.lock();
  await holding.open();
  holding.channels[0]!.emit("data", Buffer.from("locked\n"));
  await held;
  holding.interrupt.abort();
  expect(holding.channels[0]!.destroyed).toBe(false);
});
