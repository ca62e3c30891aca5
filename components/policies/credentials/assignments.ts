import { withoutSought } from "../shell.ts";
import { isElsewhere } from "./elsewhere.ts";
import { isCredential } from "./names.ts";

/** A name that is given a value: `NAME=value`, `name: value`, `"name": "value"`, `--name value`. */
const ASSIGNMENT =
  /(?<![\w./:-]|\$\{)(?:--([a-z][\w.-]*)[ \t]+|-{0,2}([a-z_][\w.-]*)\\?["']?[ \t]*(?::=|=>|[=:])[ \t]*)(?=(?:\[[ \t]*)?\\?["']?([^\s"',;\\}]{1,200}))/gi;

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

/** Whether a text gives a credential to a name. */
export function assigns(text: string): boolean {
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
