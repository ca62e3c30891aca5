import type { IncomingMessage } from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** How a request is made. */
export interface RequestOptions {
  /** @default GET */
  method?: "GET" | "HEAD" | "DELETE";
  headers?: Record<string, string>;
  /** PEM of the one authority to believe. @default the system's */
  caCertificate?: string;
  /** Milliseconds without a byte after which the request fails. @default 30,000 */
  timeout?: number;
  signal?: AbortSignal;
}

/** An error that the same request would meet again. */
export class Final extends Error {}

// `import` of it reads each of its properties, and with them loads Node's own fetch: sixty milliseconds
// of every program and plugin, https://github.com/nodejs/node/issues/59686.
const http = process.getBuiltinModule("node:http");

const redirects = 5;
const attempts = 3;

/**
 * Sends a request and follows redirects; whoever calls reads the answer or lets it `resume()`.
 * `authorization` goes to the first host only, and HTTPS is never left for HTTP.
 *
 * @throws Error that names the URL's host and path, never its query.
 */
export async function request(url: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  let current = new URL(url);
  let headers = options.headers ?? {};
  for (let hop = 0; hop <= redirects; hop++) {
    const answer = await send(current, { ...options, headers });
    const location = answer.headers.location;
    if (!location || ![301, 302, 303, 307, 308].includes(answer.statusCode ?? 0)) return answer;
    answer.resume();
    const next = new URL(location, current);
    if (next.protocol !== "https:" && next.protocol !== current.protocol) {
      throw new Final(`${display(current)}: redirects from HTTPS to ${next.protocol}//${next.host}; refused`);
    }
    if (next.host !== current.host) headers = {};
    current = next;
  }
  throw new Final(`${display(new URL(url))}: more than ${redirects} redirects`);
}

function send(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const { method = "GET", headers = {}, caCertificate, timeout = 30_000, signal } = options;
  const module = url.protocol === "http:" ? http : https;
  return new Promise((resolve, reject) => {
    const settings = {
      method,
      headers,
      timeout,
      ...(caCertificate && { ca: caCertificate }),
      ...(signal && { signal }),
      // An idle connection that is kept would hold a short-lived process up.
      agent: false as const,
    };
    const sent = module.request(url, settings, resolve);
    const silence = Object.assign(new Error(`no answer within ${timeout / 1000} s`), { code: "ETIMEDOUT" });
    sent.on("timeout", () => sent.destroy(silence));
    sent.on("error", (error) => reject(new Error(`${display(url)}: ${error.message}`, { cause: error })));
    sent.end();
  });
}

/** The whole answer as text, of at most 1 MiB. */
export async function text(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > 1 << 20) throw new Error("the answer is longer than 1 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Tries three times, a little later each time; not after a `Final` error or an abort. */
export async function retry<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (error instanceof Final || attempt === attempts) throw error;
      signal?.throwIfAborted();
      await sleep(500 * attempt * (1 + Math.random()), undefined, signal ? { signal } : {});
    }
  }
}

/** A URL without user, password and query. */
export function display(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
