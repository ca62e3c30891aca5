import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/*
 * Reads where, a name for what is half there, mode, digest and then the bytes from stdin. Says `have` when nothing is to do, else
 * `want`. `read` takes byte by byte, so the bytes after the header stay for `cat`.
 */
const receiver = `
set -eu; umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C; export PATH LC_ALL
IFS= read -r path; IFS= read -r id; IFS= read -r mode; IFS= read -r digest
path=$(printf %s "$path" | base64 -d; printf x); path=\${path%x}
say() { printf "spillway: %s\\n" "$1"; }
sum() { sha256sum <"$1" | cut -d " " -f 1; }
if [ -f "$path" ] && [ ! -L "$path" ] && [ "$(sum "$path")" = "$digest" ]; then
  if [ "$(stat -c %a:%u:%g "$path")" = "$mode:0:0" ]; then say have; exit 0; fi
  chown 0:0 "$path"; chmod "$mode" "$path"; say changed; exit 0
fi
( umask 022; mkdir -p "\${path%/*}/" )
rm -f "\${path%/*}/.spillway-$id."*
new=$(mktemp "\${path%/*}/.spillway-$id.XXXXXX")
trap "rm -f \\"\\$new\\"" EXIT
trap "exit 1" HUP INT PIPE TERM
say want
cat >"$new"
if [ "$(sum "$new")" != "$digest" ]; then echo "what arrived has another digest" >&2; exit 65; fi
chown 0:0 "$new"; chmod "$mode" "$new"; sync "$new"
mv -fT "$new" "$path"
`;

/** One constant argument: the receiver has neither ' nor anything that varies. */
export const receiverArgument = `-c '${receiver}'`;

export function uploadHeader(path: string, mode: string, sha256: string): string {
  const id = createHash("sha256").update(path).digest("hex");
  return `${Buffer.from(path).toString("base64")}\n${id}\n${mode.replace(/^0+(?=.)/, "")}\n${sha256}\n`;
}

/** What the receiver said, whatever the account's shell printed before. */
export function receiverAnswer(printed: string): string | undefined {
  return /spillway: (have|want|changed)\n$/.exec(printed)?.[1];
}

/** A disk may take long to write what arrived. */
export const UPLOAD_IDLE_SECONDS = 300;

/** More than this in a queue would keep the answer to a keepalive waiting on a slow line. */
const MOST_UNSENT = 512 * 1024;

/** Sends a file's content and ends the stream, no faster than the line takes it. */
export async function sendFile(
  path: string,
  to: Writable,
  line: { unsent: number },
  sent: (bytes: number) => void,
): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 64 * 1024 })) {
    await new Promise<void>((resolve, reject) =>
      to.write(chunk, (error) => (error ? reject(error) : resolve())),
    );
    sent(chunk.length);
    while (line.unsent > MOST_UNSENT) await sleep(2);
  }
  to.end();
}

/** Everything wrong with an upload's arguments, in words; nothing when all is well. */
export function uploadProblem(path: string, mode: string, sha256: string): string | undefined {
  if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0"))
    return "the remote path is not absolute";
  if (!/^0?[0-7]{3,4}$/.test(mode)) return `mode ${JSON.stringify(mode)} is not octal`;
  if (!/^[0-9a-f]{64}$/.test(sha256)) return "the digest is not 64 lower-case hexadecimal digits";
  return undefined;
}
