/** What credentials look like, by their names and by themselves. */
import { gunzipSync } from "node:zlib";
import { handsCredential } from "../shell.ts";

/** Names of variables that hold credentials; `_FILE` and its like name a place. */
const CREDENTIAL_NAME =
  /(?:password|passwd|passphrase)s?$|[._-]pwd?$|(?:access|auth|bearer)token$|(?:db|require|root|user)pass$|(?:master|redis)[._-]?auth$|(?:^|[._-])(?:pass|(?:secret|token|credential|(?:access|account|api|auth|batch|encryption|license|master|private|secret|signing|storage)[._-]?key)s?|key[._-]content)$/i;

/** Names of a Secret of the cluster, as charts ask for them. */
const OBJECT_NAME = /(?:cert(?:ificate)?|existing|pull|registry|tls|token)[._-]?secrets?$/i;

/** Values that are credentials, whatever their name. */
export const CREDENTIAL =
  /-{3,}BEGIN [A-Z ]*PRIVATE KEY-{3,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{22,}\b|\bnpm_[A-Za-z0-9]{36}\b|\bglpat-[\w-]{20,}\b|\bxox[abprs]-[\w-]{10,}\b|\bAIza[\w-]{35}\b|\bsk_live_[0-9a-zA-Z]{20,}\b|\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]{10,}|\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@$]*:[^\s:/@$]{3,}@/;

/** Camel case counts as words. */
export function namesCredential(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return CREDENTIAL_NAME.test(words) && !OBJECT_NAME.test(words);
}

/** What a variable says about a credential, such as that none is needed. */
const SWITCH = /^(?:|true|false|yes|no|on|off|[01])$/i;

/** Whether a variable's name says that its value is a credential, and it may be one: a number of tokens is not. */
export const isCredential = (name: string, value: string): boolean =>
  namesCredential(name) && !SWITCH.test(value) && !(/tokens$/i.test(name) && /^\d+$/.test(value));

/** What a name ends in that says where a secret is, or what it is like. */
const ABOUT_SECRETS = new Set(
  `
  ADDR ADDRESS AGE ALGORITHM ANNOTATION ARN BACKEND CLASS COUNT DAYS DIR DRIVER ENABLED ENDPOINT
  ENGINE EXPIRATION EXPIRY FIELD FILE FORMAT HOST ID INTERVAL KIND LABEL LENGTH LOCATION MANAGER
  MODE MOUNT NAME NAMESPACE PATH POLICY PORT PREFIX PROJECT PROVIDER REF REFERENCE REGION REQUIRED
  ROLE ROTATION SECONDS SERVER SERVICE SIZE SOURCE STORE SUFFIX TIMEOUT TTL TYPE URI URL USER
  USERNAME VERSION
`
    .trim()
    .split(/\s+/),
);

/** `APP_SECRET_VALUE` and its like. */
function namesSecret(name: string): boolean {
  const words = name.split("_");
  const last = words.pop()!;
  const isConstant = /^[A-Z0-9_]+$/.test(name);
  return (
    isConstant &&
    words.some((word) => /^SECRETS?$/.test(word)) &&
    !ABOUT_SECRETS.has(last) &&
    !ABOUT_SECRETS.has(last.replace(/S$/, ""))
  );
}

/** As `isCredential`, with what `APP_SECRET_VALUE` says. */
export const isNamedCredential = (name: string, value: string): boolean =>
  isCredential(name, value) || (namesSecret(name) && isCredential("secret", value));

/** Tokens that let a machine join a cluster, hashes of passwords, and what is written into requests. */
const TOKENS =
  /(?<![\w.-])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w-]|\.\w)|\bK10[0-9a-f]{64}::|\bSWMTKN-1-[a-z0-9]{25,}|\$(?:1|2[aby]?|5|6|y|gy|7)\$[\w./$=,-]{20,}|\bhv[sbr]\.[\w-]{20,}|\bAccountKey=[A-Za-z0-9+/]{40,}|\bBearer\s+[\w.~+/-]{16,}|_authToken=(?!\$)[\w-]{8,}|"auths"\s*:\s*\{[^}]{0,500}"auth"\s*:\s*"[A-Za-z0-9+/]{6,}|\bmachine\s+\S{1,200}\s+login\s+\S{1,200}\s+password\s+[^\s$]|\b(?:IDENTIFIED\s+BY|PASSWORD)\s+'[^'${:%]{1,200}'|\bConvertTo-SecureString\s+(?:-String\s+)?["'][^"'$]|[?&]sv=[^\s"']{1,500}&sig=[\w%]{20,}|\bchpasswd:\s*\{?\s*(?:expire:\s*\w{1,9},?\s*)?list:\s*[|["'-]{0,2}\s*["'-]{0,2}\s*[a-z_][\w-]{0,31}:(?!R(?:ANDOM)?\b|\$)[^\s"']|\bnet\s+user\s+\w{1,50}\s+(?![/*$%])\S{1,100}\s+\/add\b|https:\/\/hooks\.slack\.com\/services\/T\w{5,}\/B\w{5,}\/\w{15,}/;

/** A name that is given a value: `NAME=value`, `name: value`, `"name": "value"`, `--name value`. */
const ASSIGNMENT =
  /(?<![\w./:-]|\$\{)(?:--([a-z][\w.-]*)[ \t]+|-{0,2}([a-z_][\w.-]*)\\?["']?[ \t]*(?::=|=>|[=:])[ \t]*)(?=\\?["']?([^\s"',;\\}]{1,200}))/gi;

/** Values that stand for one kept elsewhere, or say yes or no: variables, commands, places, references. */
const ELSEWHERE =
  /^(?:\$(?!(?:1|2[aby]?|5|6|y|gy|7)\$)|`|<|%|\{|-|=|arn:|alias\/|projects\/|file:|@|\/(?:etc|var|run|root|home|opt|usr|tmp|srv|mnt|dev|proc|vault)(?:\/|$)|https:\/\/[\w.-]+\.vault\.)|^(?:true|false|yes|no|on|off|null|none|nil|~|\*+)$/i;

/** Whether a value only says where a credential is. */
export const isElsewhere = (value: string): boolean => ELSEWHERE.test(value);

/** A run of base64, over several lines as mail and YAML break it. */
const ENCODED = /[A-Za-z0-9+/]{16,}(?:\r?\n[ \t]*[A-Za-z0-9+/]+(?==*[ \t]*(?:[\r\n]|$)))*={0,2}/g;

const MOST = 4 * 2 ** 20;
const DEPTH = 3;

/** Whether a text has a credential that needs no name. */
export const isCredentialItself = (text: string): boolean => CREDENTIAL.test(text) || TOKENS.test(text);

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

/** A line that no program reads. */
const COMMENT = /^[ \t]*(?:#|;|\/\/).*$/gm;

/** In the key of a text that people read: `login.error.password`. */
const WORDING = new Set([
  "description",
  "error",
  "help",
  "hint",
  "label",
  "message",
  "placeholder",
  "text",
  "title",
]);

function assigns(text: string): boolean {
  for (const [whole, option, key, value] of text.replace(COMMENT, "").matchAll(ASSIGNMENT)) {
    // `--secret id=npm,src=file` says which, and what it is not.
    if (
      /^-+(?:secret|credential)s?(?:[ \t]|=$)/i.test(whole) ||
      (option !== undefined && value!.includes("="))
    )
      continue;
    const parts = (option ?? key ?? "").split(".");
    if (parts.some((part) => WORDING.has(part.toLowerCase()))) continue;
    const name = parts.at(-1)!;
    if (isCredential(name, value!) && !isElsewhere(value!)) return true;
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
