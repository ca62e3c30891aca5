import { gunzipSync } from "node:zlib";
import { CREDENTIAL, isCredential } from "../secrets.ts";

/** Tokens that let a machine join a cluster, hashes of passwords, and what is written into requests. */
const TOKENS =
  /(?<![\w.-])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w-]|\.\w)|\bK10[0-9a-f]{64}::|\bSWMTKN-1-[a-z0-9]{25,}|\$(?:1|2[aby]?|5|6|y|gy|7)\$[\w./$=,-]{20,}|\bhv[sbr]\.[\w-]{20,}|\bAccountKey=[A-Za-z0-9+/]{40,}|\bBearer\s+[\w.~+/-]{16,}/;

/** A name that is given a value: `NAME=value`, `name: value`, `"name": "value"`, `--name value`. */
const ASSIGNMENT =
  /(?<![\w./:-]|\$\{)(?:--([a-z][\w.-]*)[ \t]+|-{0,2}([a-z_][\w.-]*)\\?["']?[ \t]*(?::=|=>|[=:])[ \t]*)(?=\\?["']?([^\s"',;\\}]{1,200}))/gi;

/** Values that stand for one kept elsewhere, or say yes or no: variables, commands, places, references. */
const ELSEWHERE =
  /^(?:\$(?!(?:1|2[aby]?|5|6|y|gy|7)\$)|`|<|%|\{|-|=|arn:|projects\/|file:|@|\/(?:etc|var|run|root|home|opt|usr|tmp|srv|mnt|dev|proc)(?:\/|$)|https:\/\/[\w.-]+\.vault\.)|^(?:true|false|yes|no|on|off|null|none|nil|~|\*+)$/i;

/** Whether a value only says where a credential is. */
export const isElsewhere = (value: string): boolean => ELSEWHERE.test(value);

/** A run of base64, over several lines as mail and YAML break it. */
const ENCODED = /[A-Za-z0-9+/]{16,}(?:\r?\n[ \t]*[A-Za-z0-9+/]+(?==*[ \t]*(?:[\r\n]|$)))*={0,2}/g;

const MOST = 4 * 2 ** 20;
const DEPTH = 3;

/**
 * Whether a text holds a credential: by itself, or in what it holds in base64, packed or not, as cloud-init
 * takes files and parts of mail.
 */
export function holdsCredential(text: string, depth = DEPTH): boolean {
  if (CREDENTIAL.test(text) || TOKENS.test(text) || assigns(text)) return true;
  if (depth === 0) return false;
  for (const [encoded] of text.matchAll(ENCODED)) {
    const decoded = unpacked(Buffer.from(encoded, "base64"));
    if (decoded !== undefined && holdsCredential(decoded, depth - 1)) return true;
  }
  return false;
}

function assigns(text: string): boolean {
  for (const [whole, option, key, value] of text.matchAll(ASSIGNMENT)) {
    // `--secret id=npm,src=file` says which, and what it is not.
    if (
      /^-+(?:secret|credential)s?(?:[ \t]|=$)/i.test(whole) ||
      (option !== undefined && value!.includes("="))
    )
      continue;
    const name = (option ?? key ?? "").split(".").at(-1)!;
    if (isCredential(name, value!) && !isElsewhere(value!)) return true;
  }
  return false;
}

/** Text, unpacked where it is packed; `undefined` for what is no text. */
function unpacked(bytes: Buffer): string | undefined {
  try {
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const text = (isPacked ? gunzipSync(bytes, { maxOutputLength: MOST }) : bytes).toString("utf8");
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Whether a variable is a credential by its name, or holds one. */
export function isSecretVariable(name: string, text: string): boolean {
  return text !== "" && ((isCredential(name, text) && !isElsewhere(text)) || holdsCredential(text));
}
