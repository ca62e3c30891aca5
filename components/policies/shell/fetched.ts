import { runsFile } from "./files.ts";
import { commandOf, continued, FETCHER, LANGUAGE, pipelinesOf, SHELL, withoutComments } from "./words.ts";

/** Fetchers: what they give and nobody has looked at is not to run. */
const FETCH = String.raw`\b(?:curl|wget|fetch|aria2c|https?)(?=\s)`;
const GIVEN = String.raw`["']?(?:\$\(|\`)\s*${FETCH}`;
const INTERPRETER = String.raw`(?<![\w.-])(?:(?:ba|da|z|k|a|fi|t?c|pw)?sh|(?:python|perl|ruby|node|php)[\d.]*)`;
const SOURCE = String.raw`(?:\bsource|(?:^|[\s;&|])\.)`;
const FETCH_OF_WINDOWS = String.raw`\b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|DownloadString)\b`;

const SUBSTITUTED: readonly RegExp[] = [
  new RegExp(`${INTERPRETER}\\s+(?:-\\w+\\s+)*(?:/dev/stdin\\s*)?(?:<<<\\s*)?${GIVEN}`, "i"),
  new RegExp(`${SOURCE}\\s+/dev/stdin\\s*<<<\\s*${GIVEN}`, "i"),
  new RegExp(`${FETCH}[^\\n;]{0,500}>\\(\\s*(?:sudo\\s+)?${INTERPRETER}`, "i"),
  new RegExp(`(?:${INTERPRETER}|${SOURCE})\\s+(?:-\\w+\\s+)*(?:<\\s*)?<\\(\\s*${FETCH}`, "i"),
  new RegExp(`\\beval\\s+${GIVEN}`, "i"),
  new RegExp(`${FETCH_OF_WINDOWS}[^\\n;]{0,500}\\|\\s{0,20}(?:iex|Invoke-Expression)\\b`, "i"),
  new RegExp(`\\b(?:iex|Invoke-Expression)\\b[^\\n;|]{0,500}${FETCH_OF_WINDOWS}`, "i"),
];

/** What a fetcher gives stands where a command does. */
const AS_COMMAND = new RegExp(`(?:^|[\\n;&|])[^\\S\\n]*${GIVEN}`, "i");

const KEPT_BY_NAME = new RegExp(`\\b(\\w+)=${GIVEN}`, "gi");
const RUN_BY_NAME = new RegExp(
  `(?:${INTERPRETER}\\s+(?:-\\w+\\s+){0,5}(?:-\\w*[ce]\\s+|(?:/dev/stdin\\s*)?<<<\\s*)|\\beval\\s+|${SOURCE}\\s+/dev/stdin\\s*<<<\\s*)["']?\\$\\{?(\\w+)`,
  "gi",
);

/** Quotes that hold signs together: which of them do is not known of a part of a command. */
const QUOTES = ["", "'", '"', `'"`] as const;

/** One of these is in whatever fetches: most commands are not looked at any further. */
const MAY_FETCH = /curl|wget|fetch|aria2c|https?\s|iwr|irm|Invoke-|DownloadString/i;

/** Whether something that was fetched runs unseen. */
export function runsWhatItFetches(text: string): boolean {
  if (!MAY_FETCH.test(text)) return false;
  // A backslash before a command's name only keeps an alias out.
  const whole = continued(withoutComments(text)).replace(/(?<![^\s;&|(`])\\(?=[a-z])/g, "");
  if (SUBSTITUTED.some((pattern) => pattern.test(whole)) || AS_COMMAND.test(withoutValues(whole)))
    return true;
  const names = new Set([...whole.matchAll(KEPT_BY_NAME)].map(([, name]) => name!));
  if (names.size > 0 && [...whole.matchAll(RUN_BY_NAME)].some(([, name]) => names.has(name!))) return true;
  return QUOTES.filter((quotes) => [...quotes].every((sign) => whole.includes(sign))).some((quotes) => {
    const pipelines = pipelinesOf(whole, quotes);
    return pipelines.some((stages) => pipes(stages, names)) || runsFile(whole, pipelines);
  });
}

/** A text without what `cat` and `tee` are given to write, and without quoted texts of several lines that do not run. */
function withoutValues(text: string): string {
  const lines: string[] = [];
  let end: string | undefined;
  for (const line of text.split("\n")) {
    if (end === undefined) {
      lines.push(line);
      if (!INTERPRETS.test(line)) end = WRITTEN.exec(line)?.[1];
    } else if (line.trim() === end) end = undefined;
  }
  return lines
    .join("\n")
    .replace(/\\.|'[^'\n]*'|"(?:[^"\\]|\\.){0,5000}"/gs, (quoted, begin: number, whole: string) => {
      if (!quoted.startsWith('"') || !quoted.includes("\n")) return quoted;
      return RUNS.test(whole.slice(Math.max(0, begin - 200), begin)) ? quoted : '""';
    });
}

/** A here-document whose variables and commands are replaced. */
const WRITTEN = /\b(?:cat|tee)\b.{0,500}(?<!<)<<-?[ \t]*(\w+)/;
const INTERPRETS = new RegExp(`${INTERPRETER}(?![\\w.-])`);

/** Before a quoted text that runs. */
const RUNS = /(?:\s-\w*c|\beval|\bssh\s[^\n;|&]*)\s*$/;

/** Whether what a fetcher gives, also by a variable, goes through a pipe to an interpreter. */
function pipes(stages: readonly string[][], names: ReadonlySet<string>): boolean {
  const first = stages.findIndex(
    (words) => words.some((word) => FETCHER.test(word)) || (names.size > 0 && tells(words, names)),
  );
  return first >= 0 && stages.slice(first + 1).some(interprets);
}

/** Whether a command prints one of the variables. */
const tells = (words: readonly string[], names: ReadonlySet<string>): boolean =>
  /^(?:echo|printf)$/.test(commandOf(words)[0] ?? "") &&
  words.some((word) => names.has(/^\$\{?(\w+)/.exec(word)?.[1] ?? ""));

/** Whether a command takes its input for a program: not where it has one by an option, or a file. */
function interprets(words: readonly string[]): boolean {
  const [name = "", ...rest] = commandOf(words);
  if (!SHELL.test(name) && !LANGUAGE.test(name)) return false;
  const program = SHELL.test(name) ? /^-\w*c$/ : /^-\w*[cemnpr]$/;
  for (const word of rest) {
    if (word === "" || /^(?:-|-s|--|\/dev\/stdin)$/.test(word)) return true;
    if (program.test(word) || !/^[-<>\d]/.test(word)) return false;
  }
  return true;
}
