import { randomBytes } from "node:crypto";

/** Work for a host. Re-enterable by contract: when its answer is lost it is run again. */
export interface Script {
  /** Constant text for `/bin/sh -eu`, run as root. Values never become part of it. */
  text: string;
  /** What it does, in a word or two, for messages. @default the resource's name */
  name?: string;
  /** Exact strings, there as shell variables that are not exported. NUL cannot be carried. @default none */
  values?: Record<string, string>;
  /** As `secretFiles`, for what is not secret: error messages may show it. @default none */
  files?: Record<string, string>;
  /**
   * Secrets as files of mode 0600 in tmpfs, each variable holding the path. Gone when the script
   * ends. @default none
   */
  secretFiles?: Record<string, string>;
  /** Seconds it may take; ended with TERM, then KILL. @default the connection's `stepTimeout` */
  timeoutSeconds?: number;
}

/** Where everything that lives only while the host is up is kept; `/run` is tmpfs under systemd. */
export const runDirectory = "/run/spillway";

const plain = /^[A-Za-z0-9_./:=@%+,-]*$/;
const reserved = new Set(["PATH", "IFS", "ENV", "HOME", "LC_ALL", "PS4", "PWD", "OPTIND", "PPID", "SHELL"]);

/** A word of shell that means exactly these characters. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function assignment(name: string, value: string): string {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name) || reserved.has(name)) {
    throw new Error(`"${name}" cannot name a script's value; use capitals, digits and _`);
  }
  if (value.includes("\0")) throw new Error(`value ${name} has a NUL byte, which no shell variable carries`);
  if (plain.test(value)) return `${name}='${value}'`;
  // Command substitution drops trailing newlines; the x keeps them.
  const encoded = Buffer.from(value).toString("base64");
  return `${name}=$(printf %s '${encoded}' | base64 -d; printf x); ${name}=\${${name}%x}`;
}

/** The script's variables and text, as one compound command: a truncated copy runs nothing at all. */
export function renderBody(script: Script, secretDirectory: string): string {
  const files = Object.keys({ ...script.files, ...script.secretFiles });
  const lines = [
    ...Object.entries(script.values ?? {}).map(([name, value]) => assignment(name, value)),
    ...files.map((name) => assignment(name, `${secretDirectory}/${name}`)),
  ];
  return ["{", "set -eu; umask 022", ...lines, script.text, "} </dev/null", ""].join("\n");
}

/** As `renderBody` without secrets, for a script that goes on reading its stdin. */
export function renderAttended({ text, values = {} }: Script): string {
  const lines = Object.entries(values).map(([name, value]) => assignment(name, value));
  return ["{", environment, "set -eu; umask 077", ...lines, text, "}", ""].join("\n");
}

export const environment = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C; HOME=/root",
  "export PATH LC_ALL HOME",
].join("\n");

/** What a script prints before all else: start-up files of the account's shell may have printed something before. */
const ANSWER = "spillway answers:";

/** What the script itself printed. */
export function answerIn(stdout: Buffer): Buffer {
  const start = stdout.indexOf(ANSWER);
  return start < 0 ? stdout : stdout.subarray(start + ANSWER.length);
}

export interface Delivery {
  timeoutSeconds: number;
  /** Whether the host's lock must outlive the script, even when the connection does not. */
  change: boolean;
}

/**
 * What is sent on the stdin of a root shell. `printf` is a builtin, so nothing of it is ever in an
 * argument list; `timeout` ends what hangs.
 */
export function renderDelivery(script: Script, { timeoutSeconds, change }: Delivery): string {
  const files = Object.entries({ ...script.files, ...script.secretFiles });
  const directory = `${runDirectory}/secret.${randomBytes(12).toString("hex")}`;
  const body = quote(renderBody(script, directory));
  const lines = [
    "{",
    "exec </dev/null",
    environment,
    "umask 077",
    "trap : HUP INT PIPE TERM",
    `printf '%s' '${ANSWER}'`,
  ];
  if (change || files.length > 0) lines.push(`mkdir -p ${runDirectory}`);
  // Whoever takes the host's lock next waits until scripts of a lost connection have ended.
  if (change) lines.push(`exec 8>${runDirectory}/work; flock -s 8`);
  if (files.length > 0) lines.push(`mkdir ${directory} || exit 70`);
  for (const [name, content] of files) {
    const encoded = Buffer.from(content).toString("base64");
    lines.push(`printf %s '${encoded}' | base64 -d >${directory}/${name} || exit 70`);
  }
  lines.push(`printf %s ${body} | timeout -k 10 ${Math.ceil(timeoutSeconds)} /bin/sh 8>&-; code=$?`);
  if (files.length > 0) lines.push(`rm -rf ${directory}`);
  lines.push('exit "$code"', "}", "");
  return lines.join("\n");
}

/** Between words: `=` as well, unless it is base64's padding. */
const BETWEEN_WORDS = /[\s"'`,;(){}[\]<>]+|=(?![="'\s,;)}\]]|$)/;
/** Digests and UUIDs tell what an error is about. */
const IDENTITY = /sha256:[0-9a-f]{64}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
/** Letters behind digits, as names, paths, addresses and versions do not have in so long a run. */
const RANDOM = /(?=[A-Za-z+]*[0-9]+[A-Za-z+])[A-Za-z0-9+]{12,}/g;
/** What is one by its name, however it looks. */
const NAMED = /(?:passphrase|password|secret|token)["']?\s*[:=]\s*["']?([^"'\s/][^"'\s]{5,})/gi;

/** What of a line may not be shown by itself: tools tell the value that they refuse, without the key before it. */
function secretsIn(line: string): string[] {
  const words = line.replaceAll(IDENTITY, "").split(BETWEEN_WORDS);
  return [
    ...[...line.matchAll(NAMED)].map(([, value]) => value!),
    ...words.flatMap((word) => {
      const random = word.match(RANDOM) ?? [];
      // A path is shown without them.
      return random.length === 0 || /^\/|:/.test(word) ? random : [word, ...random];
    }),
  ];
}

/** Takes the given secrets out of text that is about to be shown: whole, by line, and what is secret in a line. */
export function redact(text: string, secrets: Iterable<string>): string {
  const parts = [...secrets].flatMap((secret) => {
    const lines = secret.split("\n").map((line) => line.trim());
    return [secret.trim(), ...lines, ...lines.flatMap(secretsIn)];
  });
  const longestFirst = [...new Set(parts)].sort((a, b) => b.length - a.length);
  return longestFirst
    .filter((part) => part.length >= 6)
    .reduce((shown, part) => shown.replaceAll(part, "[secret]"), text);
}
