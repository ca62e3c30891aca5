import { gunzipSync } from "node:zlib";
import { handsCredential } from "../shell.ts";
import { assigns } from "./assignments.ts";
import { isElsewhere } from "./elsewhere.ts";
import { isNamedCredential } from "./names.ts";
import { isCredentialItself } from "./tokens.ts";

/** A run of base64, over several lines as mail and YAML break it. */
const ENCODED = /[A-Za-z0-9+/]{16,}(?:\r?\n[ \t]*[A-Za-z0-9+/]+(?==*[ \t]*(?:[\r\n]|$)))*={0,2}/g;

const MOST = 4 * 2 ** 20;
const DEPTH = 3;

/**
 * Whether a text holds a credential: by itself, or in what it holds in base64, packed or not, as cloud-init
 * takes files and parts of mail.
 */
export function holdsCredential(text: string, depth = DEPTH): boolean {
  if (isCredentialItself(text) || assigns(text) || handsCredential(text)) return true;
  if (depth === 0) return false;
  for (const [encoded] of text.matchAll(ENCODED)) {
    const decoded = unpacked(Buffer.from(encoded, "base64"));
    if (decoded !== undefined && holdsCredential(decoded, depth - 1)) return true;
  }
  return false;
}

/** Text, unpacked where it is packed; `undefined` for what is no text. */
export function unpacked(bytes: Buffer): string | undefined {
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
  return text !== "" && ((isNamedCredential(name, text) && !isElsewhere(text)) || holdsCredential(text));
}
