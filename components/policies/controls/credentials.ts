/** What credentials look like, by their names and by themselves. */
import { gunzipSync } from "node:zlib";
import { handsCredential, withoutSought } from "../shell.ts";

/** Names of variables that hold credentials; `_FILE` and its like name a place. */
const CREDENTIAL_NAME =
  /(?:password|passwd|passphrase)s?$|[._-]pwd?$|(?:access|auth|bearer)token$|(?:db|require|root|user)pass$|(?:master|redis)[._-]?auth$|(?:^|[._-])(?:pass|(?:secret|token|credential|(?:access|account|api|auth|batch|encryption|license|master|private|secret|signing|storage)[._-]?key)s?|key[._-]content)$/i;

/** Names of a Secret of the cluster, as charts ask for them, of files with credentials, and of what is asked for. */
const OBJECT_NAME =
  /(?:cert(?:ificate)?|existing|pull|registry|tls|token)[._-]?secrets?$|ssl[._-](?:key|keystore|truststore)[._-]credentials$|(?:required|load)[._-]?credentials?(?:[._-]?encrypted)?$/i;

/** Values that are credentials, whatever their name. */
export const CREDENTIAL =
  /-{3,}BEGIN [A-Z ]*PRIVATE KEY-{3,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{22,}\b|\bnpm_[A-Za-z0-9]{36}\b|\bglpat-[\w-]{20,}\b|\bxox[abprs]-[\w-]{10,}\b|\bAIza[\w-]{35}\b|\bsk_live_[0-9a-zA-Z]{20,}\b|\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]{10,}|\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@$]*:(?!\{|<|%s|PASSWORD@)[^\s:/@$]{3,}@/;

/** Camel case counts as words. */
export function namesCredential(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return CREDENTIAL_NAME.test(words) && !OBJECT_NAME.test(words);
}

/** What a variable says about a credential, such as that none is needed. */
const SWITCH = /^(?:|true|false|yes|no|on|off|[01])$/i;

/** Whether a variable's name says that its value is a credential, and it may be one: a number of tokens, or a time, is not. */
export const isCredential = (name: string, value: string): boolean =>
  namesCredential(name) &&
  !SWITCH.test(value) &&
  !(/tokens$/i.test(name) && /^\d+(?:ms|[smhd])?$/.test(value));

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
  /(?<![\w.-])(?=[a-z.]{0,22}\d)[a-z0-9]{6}\.[a-z0-9]{16}(?![\w-]|\.\w)|\bK10[0-9a-f]{64}::|\bSWMTKN-1-[a-z0-9]{25,}|\$(?:1|2[aby]?|5|6|y|gy|7)\$[\w./$=,-]{20,}|\bhv[sbr]\.[\w-]{20,}|\bAccountKey=[A-Za-z0-9+/]{40,}|\bBearer\s+[\w.~+/-]{16,}|_authToken=(?!\$)[\w-]{8,}|"auths"\s*:\s*\{[^}]{0,500}"auth"\s*:\s*"[A-Za-z0-9+/]{6,}|\bmachine\s+\S{1,200}\s+login\s+\S{1,200}\s+password\s+[^\s$]|\b(?:IDENTIFIED\s+BY|PASSWORD)\s+'[^'${:%]{1,200}'|\bConvertTo-SecureString\s+(?:-String\s+)?["'][^"'$]|[?&]sv=[^\s"']{1,500}&sig=[\w%]{20,}|\bchpasswd:\s*\{?\s*(?:expire:\s*\w{1,9},?\s*)?list:\s*[|["'-]{0,2}\s*["'-]{0,2}\s*[a-z_][\w-]{0,31}:(?!R(?:ANDOM)?\b|\$)[^\s"']|\bnet\s+user\s+\w{1,50}\s+(?![/*$%])\S{1,100}\s+\/add\b|https:\/\/hooks\.slack\.com\/services\/T\w{5,}\/B\w{5,}\/\w{15,}/;

/** A name that is given a value: `NAME=value`, `name: value`, `"name": "value"`, `--name value`. */
const ASSIGNMENT =
  /(?<![\w./:-]|\$\{)(?:--([a-z][\w.-]*)[ \t]+|-{0,2}([a-z_][\w.-]*)\\?["']?[ \t]*(?::=|=>|[=:])[ \t]*)(?=(?:\[[ \t]*)?\\?["']?([^\s"',;\\}]{1,200}))/gi;

/** Values that stand for one kept elsewhere: variables, commands, references of secret stores and of clouds. */
const REFERENCES =
  /^(?:\$(?!(?:1|2[aby]?|5|6|y|gy|7)\$)|`|<|%|\{|-|=|@|#\{|arn:|alias\/|projects\/|file:|>{0,2}vault:[\w/-]+#|(?:op|sm|env|k8s|ref\+\w+|(?:aws|gcp|azure)kms):\/\/|keyvaultref:|ENC\[AES256_GCM|https:\/\/[\w.-]+\.vault\.)|^(?:__[A-Z_]+__|!(?:vault|Ref|Sub|GetAtt|secret|env))$/i;

/** Places of files. A key of AWS may begin with a slash, and has neither of these after it. */
const PLACES =
  /^\/(?:etc|var|run|root|home|opt|usr|tmp|srv|mnt|dev|proc|vault|tls|certs?|ssl|pki|secrets|config|data|app|bitnami|keys)(?:\/|$)|^\.{0,2}\/[\w./-]+\.(?:key|pem|crt|p12|pfx|jks|json|txt)$/i;

/** Values that say yes or no, that there is none, or that an account is locked. */
const NONE =
  /^(?:true|false|yes|no|on|off|null|none|nil|~|\*+|!{1,2}\*?|!!\w+|\[|include|omit|same-origin|managedidentity)$/i;

/** Whether a value only says where a credential is. */
export const isElsewhere = (value: string): boolean =>
  REFERENCES.test(value) || PLACES.test(value) || NONE.test(value);

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

/** Words that texts, types and rules have after the name of a credential. */
const WORDS = new Set(
  `
  ask compat created disabled drop empty enabled expired field files hidden input int invalid missing never not
  optional read redact redacted remove required see shown sss stored str string string! systemd text too varchar
  write
`
    .trim()
    .split(/\s+/),
);

/**
 * What code takes from elsewhere: `os.environ["X"]`, `getenv(...)`, `process.env.X`, `.data.token` of jq, `:password` of
 * SQL, `*password` of YAML.
 */
const CODE =
  /^(?:[a-z_][\w.]*[([][\w.)\]]*|process\.env\.\w+|(?:config|data|env|local|module|random_password|req|self|settings|this|var)(?:\.\w+)+|(?:\.\w+)+|\?|[:*&]\w+)$/i;

/** What a value that is a pattern begins with, to which the text is matched. */
const PATTERN = /^["']?(?:\\[SsWwDdK]|\[\^|\(\?[:<=!]|\.\*["')])/;

function assigns(text: string): boolean {
  const read = withoutSought(text.replace(COMMENT, ""), "s ");
  for (const match of read.matchAll(ASSIGNMENT)) {
    const [whole, option, key, value = ""] = match;
    const [before, after] = [match.index, match.index + whole.length];
    const parts = (option ?? key ?? "").split(".");
    const name = parts.at(-1)!;
    if (!isCredential(name, value) || isElsewhere(value)) continue;
    const isText = parts.some((part) => WORDING.has(part.toLowerCase())) || isWording(name, value);
    if (isText || CODE.test(value) || PATTERN.test(read.slice(after, after + 6))) continue;
    if (
      isOther(whole, {
        name,
        value,
        option,
        before: read.slice(Math.max(0, before - 12), before),
        after: read.slice(after, after + 8),
      })
    )
      continue;
    return true;
  }
  return false;
}

/** Whether a value is a word of what is said about a credential, or the name as people read it. */
const isWording = (name: string, value: string): boolean =>
  WORDS.has(value.toLowerCase().replace(/[)>\]]+$/, "")) ||
  (value !== name && value.toLowerCase() === name.toLowerCase());

/** What stands around a value. */
interface Around {
  name: string;
  value: string;
  option: string | undefined;
  before: string;
  after: string;
}

/** Whether a program means something else by a name that is a credential's elsewhere. */
function isOther(whole: string, { name, value, option, before, after }: Around): boolean {
  return (
    // `--secret id=npm,src=file` says which, and what it is not.
    /^-+(?:secret|credential)s?(?:[ \t]|=$)/i.test(whole) ||
    (option !== undefined && value.includes("=")) ||
    // sudo's rules.
    (name === "NOPASSWD" && /^(?:ALL$|\/)/.test(value)) ||
    // kubectl and Helm read the value from the file.
    /(?:--from-file[= ]|--set-file[= ])$/.test(before) ||
    // The store of what everybody trusts has this password wherever there is Java.
    (/trust_?store_?password$/i.test(name) && value === "changeit") ||
    // psql's variables.
    (/^password[ \t]+:$/i.test(whole) && after.startsWith("'")) ||
    // Numbers of the fields of a protocol.
    /^\d{1,3};/.test(after)
  );
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
