import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { entryName } from "../local/cache.ts";
import { cached, findEntry } from "./cache.ts";
import { display, Final, request, retry, text } from "./http.ts";
import type { Binary } from "./source.ts";
import { timed, type Work } from "./work.ts";

/** A program to download. */
export interface Download {
  name: string;
  version: string;
  url: string;
  /** Where its SHA-256 is served. @default its maker serves none: HTTPS alone vouches for it, with a warning */
  checksumUrl?: string;
  /** PEM of the one authority to believe. @default the system's */
  caCertificate?: string;
}

/**
 * Downloads a program into the cache, once.
 *
 * @throws Error when it cannot be had, or is not what its checksum says: then nothing is kept.
 */
export async function download(file: Download, work: Work): Promise<Binary> {
  const { name, version, url } = file;
  if (!file.checksumUrl && !url.startsWith("https:")) {
    throw new Error(
      `${display(new URL(url))}: neither HTTPS nor a checksum vouches for it; use an https:// address`,
    );
  }
  const entry = await cached(entryOf(file), work, (folder) =>
    timed(work, `downloading ${name} ${version} from ${new URL(url).host}`, async (detail) => {
      const path = join(folder, name);
      const found = await retry(() => fetchFile(file, path, work.signal, detail), work.signal);
      await verify(file, found, work);
      await chmod(path, 0o755);
    }),
  );
  return { path: join(entry.folder, name), sha256: entry.files[name]!, version };
}

const entryOf = ({ name, version, url, checksumUrl }: Download): string =>
  entryName(name, version, [url, checksumUrl]);

/** SHA-256 of a program in hexadecimal, as the cache has it or its maker tells; `undefined` when neither does. */
export async function knownChecksum(file: Download, signal: AbortSignal): Promise<string | undefined> {
  const entry = await findEntry(entryOf(file));
  if (entry) return entry.files[file.name];
  return file.checksumUrl && fetchChecksum(file.checksumUrl, file.caCertificate, signal);
}

async function fetchFile(
  { url, caCertificate }: Download,
  path: string,
  signal: AbortSignal,
  detail: (text: string) => void,
): Promise<string> {
  const answer = await get(url, caCertificate, signal);
  const total = Number(answer.headers["content-length"] ?? 0);
  const hash = createHash("sha256");
  let size = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      hash.update(chunk);
      detail(total ? `${megabytes(size)} of ${megabytes(total)} MB` : `${megabytes(size)} MB`);
      done(undefined, chunk);
    },
  });
  await pipeline(answer, count, createWriteStream(path), { signal });
  if (total && size !== total) throw new Error(`${display(new URL(url))}: ${size} of ${total} bytes arrived`);
  return hash.digest("hex");
}

async function verify(file: Download, found: string, work: Work): Promise<void> {
  if (!file.checksumUrl) {
    work.warn(
      `${file.name} ${file.version}: its maker serves no checksum; HTTPS alone vouches for sha256 ${found}`,
    );
    return;
  }
  const wanted = await retry(
    () => fetchChecksum(file.checksumUrl!, file.caCertificate, work.signal),
    work.signal,
  );
  if (wanted !== found) {
    throw new Error(
      `${display(new URL(file.url))}: its SHA-256 is ${found}, ${display(new URL(file.checksumUrl))} says ${wanted}; ` +
        "it was not kept: fetch it again, and if it stays so, do not trust that host",
    );
  }
}

async function fetchChecksum(
  url: string,
  caCertificate: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const answer = await text(await get(url, caCertificate, signal));
  const checksum = parseChecksum(answer);
  if (!checksum)
    throw new Final(`${display(new URL(url))}: no SHA-256 in it, but ${JSON.stringify(answer.slice(0, 40))}`);
  return checksum;
}

/** The checksum in a `.sha256` file: alone, or before a file name as sha256sum writes it. */
export function parseChecksum(text: string): string | undefined {
  return /^\s*([0-9a-f]{64})(\s|$)/i.exec(text)?.[1]?.toLowerCase();
}

async function get(url: string, caCertificate: string | undefined, signal: AbortSignal) {
  const answer = await request(url, { signal, ...(caCertificate && { caCertificate }) });
  const status = answer.statusCode ?? 0;
  if (status === 200) return answer;
  answer.resume();
  const message = `${display(new URL(url))}: the host answers ${status}`;
  throw status >= 500 || status === 429 ? new Error(message) : new Final(message);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
