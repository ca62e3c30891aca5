/** Files that commands fetch: where they put them, whether somebody looks at them, and whether they run. */
import { commandOf, FETCHER, isOption, LANGUAGE, SHELL } from "./words.ts";

/** Whether a file that was fetched, and that nobody has looked at, runs. */
export function runsFile(text: string, pipelines: readonly string[][][]): boolean {
  const fetched = pipelines.map(filesOf);
  const isSeen = lookedAt(text, fetched.flat());
  const [whole, ends] = [new Set<string>(), new Set<string>()];
  return pipelines.some((stages, i) => {
    if (whole.size > 0 && stages.flatMap(programsOf).some(isKept)) return true;
    for (const file of fetched[i]!) {
      if (isSeen(file)) continue;
      whole.add(file);
      for (const end of endsOf(file)) ends.add(end);
      if (/(?:^|\/)s?bin\/[^/]+$/.test(file)) ends.add(onPath(baseOf(file)));
    }
    return false;
  });

  function isKept(path: string): boolean {
    return ends.has(path) || endsOf(path).some((end) => whole.has(end));
  }
}

/** A path without what may stand for the folder one is in. */
const plain = (path: string): string =>
  path
    .replace(/[\\/]+/g, "/")
    .replace(/\$\{?((?:env:)?\w+)\}?/g, "$$$1")
    .replace(/^(?:(?:\.{1,2}|~|\$[\w:]+)\/)+/, "");

/** A path and its ends, as a file is named from the folders it is in. */
const endsOf = (path: string): string[] =>
  path.split("/", 64).map((_, i, parts) => (i === 0 ? path : parts.slice(i).join("/")));

const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1).replace(/[${}]/g, "");

/** A program that is named without a folder: no file is called so. */
const onPath = (name: string): string => `PATH ${name}`;

/** What a command runs: itself, or what it gives to an interpreter. */
function programsOf(words: readonly string[]): string[] {
  const [name = "", ...rest] = commandOf(words);
  if (!SHELL.test(name) && !LANGUAGE.test(name) && name !== "source" && name !== ".")
    return [/[/\\]/.test(name) ? plain(name) : onPath(name)];
  const first = rest.findIndex((word, i) => !isOption(word, rest[i - 1]));
  return rest.slice(0, first < 0 ? rest.length : first + 1).map(plain);
}

/** Files that a pipeline fetches, or writes from what it fetched. */
function filesOf(stages: readonly string[][]): string[] {
  const files: string[] = [];
  let isFetched = false;
  for (const words of stages) {
    const fetcher = words.findIndex((word) => FETCHER.test(word));
    if (fetcher >= 0) files.push(...fetchedBy(words[fetcher]!, words.slice(fetcher + 1)));
    isFetched ||= fetcher >= 0;
    if (isFetched) files.push(...writtenBy(words));
  }
  return files.filter((file) => /\w/.test(file) && !file.startsWith("/dev/"));
}

/** Where a fetcher puts what it gets: by its options, or by the address. */
function* fetchedBy(fetcher: string, words: readonly string[]): Generator<string> {
  const isWget = /wget$/.test(fetcher);
  const option = isWget ? /^(?:-\w*O|--output-document)$/ : /^(?:-[\w#]*o|--out(?:put)?|-OutFile)$/;
  const joined = isWget
    ? /^(?:-[qcNSxnrkvdH]*O|--output-document=)(.+)/
    : /^(?:-[fsSLkvgiIGjlnNpqRZ#046aBJO]*o|--out(?:put)?=)(.+)/;
  const named = [...argumentsOf(words, option, joined)];
  const [folder] = argumentsOf(
    words,
    /aria2c$/.test(fetcher) ? /^(?:-d|--dir)$/ : /^(?:-P|--directory-prefix|--output-dir)$/,
    /^(?:-P|--(?:directory-prefix|output-dir|dir)=)(.+)/,
  );
  const isKept = /(?:wget|fetch|aria2c)$/.test(fetcher)
    ? named.length === 0
    : words.some((word) => /^(?:-[\w#]*O|--remote-name)/.test(word));
  for (const word of isKept ? words : []) {
    const address = /^(?![-<>/.~])[^?#]*\/([\w.-]+)(?:[?#]|$)/.exec(word);
    if (address) named.push(address[1]!);
  }
  for (const file of named) yield plain(folder && !file.startsWith("/") ? `${folder}/${file}` : file);
}

/** What an option is given, as the next word or joined to it. */
function* argumentsOf(words: readonly string[], option: RegExp, joined: RegExp): Generator<string> {
  for (const [i, word] of words.entries()) {
    const argument = option.test(word) ? words[i + 1] : joined.exec(word)?.[1];
    if (argument) yield argument;
  }
}

/** Where a command writes: by a redirection, or by `tee`. */
function* writtenBy(words: readonly string[]): Generator<string> {
  for (const file of argumentsOf(words, /^>{1,2}$/, /^[^>&]*>{1,2}([^>&]+)$/)) yield plain(file);
  const tee = words.findIndex((word) => /^(?:\S*\/)?tee$/.test(word));
  for (const word of tee < 0 ? [] : words.slice(tee + 1)) if (!/^[-\d]*>|^-/.test(word)) yield plain(word);
}

/** What shows that somebody has looked at a file: its digest or its signature. */
const LOOKED_AT =
  /(?<![\w.-])(?:(?:sha(?:1|224|256|384|512)sum|shasum|b2sum|gpgv|minisign|slsa-verifier)(?![\w.-])|openssl\s+dgst\b|cosign\s+verify)|--verify\b|--checksig\b|Get-FileHash/i;

/** What it looks at is a list, or a variable. */
const NOT_SAID =
  /(?:sum|--verify)(?:\s+(?:-[\w-]+(?:=\S+)?|\d+)){0,8}?\s+(?:-\w*c(?=[\s"')]|$)|--check\b|["']?\$[\w{])/;

/** Files that hold digests of others. */
const LIST = /(?:sums?|digests?|sha)\d*(?:\.txt|\.asc)?$/i;
const LISTED =
  /\s(?:-\w*c|--check)\s+(?:--?[a-z][\w=-]*\s+){0,5}(?:<\s*)?["']?(?:[^\s"'|<>]*\/)?([^\s"'|<>/]+)/;

const SIGNATURE = /\.(?:asc|sig|sign|gpg|minisig|sha\d+(?:sums?)?)$/i;

/** Which files somebody looks at: those that a check names, and all where what it names is not seen. */
function lookedAt(text: string, files: readonly string[]): (file: string) => boolean {
  if (files.length === 0 || !LOOKED_AT.test(text)) return () => false;
  const bases = new Set(files.map(baseOf).filter((name) => !LIST.test(name)));
  const seen = new Set<string>();
  let isAny = false;
  for (const command of text.replace(/\|[ \t]*\n/g, "| ").split(/[\n;]|&&|\|\|/)) {
    if (!LOOKED_AT.test(command)) continue;
    const words = command.match(/[\w.@%+~-]+/g) ?? [];
    const list = LISTED.exec(command)?.[1];
    const named = words
      .flatMap((word) => [word, word.replace(SIGNATURE, "")])
      .filter((word) => bases.has(word) && word !== list);
    for (const name of named) seen.add(name);
    isAny ||= named.length === 0 && NOT_SAID.test(command) && !isLiteral(command);
  }
  return (file) => isAny || seen.has(baseOf(file));
}

/** Whether a list of digests stands in the command itself, and the name of its last file too. */
function isLiteral(command: string): boolean {
  const [list = ""] = command.split("|", 1);
  const last = list.trim().split(/\s/).at(-1)!;
  return /\b(?:echo|printf)\s|<<</.test(list) && !/\$\(|`/.test(list) && !last.includes("$");
}
