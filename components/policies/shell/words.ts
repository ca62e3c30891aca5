/** Commands as a shell reads them: without comments, in pipelines, in words. */

export const FETCHER =
  /^(?:\S*\/)?(?:curl|wget|fetch|aria2c|https?|iwr|irm|Invoke-WebRequest|Invoke-RestMethod)$/i;
export const SHELL = /^(?:\S*\/)?(?:(?:ba|da|z|k|a|fi|t?c|pw)?sh|powershell)(?:\.exe)?$/i;
export const LANGUAGE = /^(?:\S*\/)?(?:python|perl|ruby|node|php)[\d.]*$/i;
const WRAPPER =
  /^(?:\S*\/)?(?:sudo|env|exec|nohup|command|su|doas|time|timeout|nice|ionice|stdbuf|setsid|busybox|xargs|then|do|if|elif|else|while|until|!|RUN)$/;
/** What runs a command at another place, which it names first. */
const MOVER =
  /^(?:\S*\/)?(?:ssh|chroot|docker|podman|nerdctl|kubectl|oc|lxc|nsenter|unshare|systemd-run|flock|runuser)$/;

/** Quoted words are left as they are; a line that is a comment goes whole, as Docker goes on after it. */
const COMMENT =
  /(\\[^\n]|"(?:[^"\\\n]|\\[^\n]){0,5000}"|'[^'\n]{0,5000}')|(?<![^\n])[ \t]*#[^\n]*\n?|(?<=[\s;&|()])#(?=[\s#]|$)[^\n]*/g;

/** In the midst of a line a comment has a space after its sign: a container's words have lost their quotes. */
export const withoutComments = (text: string): string => text.replace(COMMENT, "$1");

/** Lines that go on after a backslash are one. */
export const continued = (text: string): string => text.replace(/\\\r?\n/g, " ");

/** A quoted word, with the option before it. */
const QUOTED = /(?:(?<=\s)(--?\w[\w-]{0,40})[\s=]{0,3})?("[^"\n]*"|'[^'\n]*')/g;

/** A text whose commands end where a sign says so: in quoted addresses and values of options the signs are not. */
export const held = (text: string): string =>
  text.replace(QUOTED, (whole: string, option: string | undefined, quoted: string) => {
    const isValue = option ? !/(?:c|command|cmd|exec|run)$/.test(option) : !/\s/.test(quoted);
    if (isValue) return whole.replace(/[;&|]/g, "_");
    return whole.slice(0, 1 - quoted.length) + held(quoted.slice(1, -1)) + quoted[0];
  });

/** The words of each command of each pipeline; the given quotes hold signs together. */
export function pipelinesOf(text: string, quotes: string): string[][][] {
  const pipelines: string[][] = [[""]];
  let quote = "";
  let end = 0;
  const add = (until: number) => {
    const last = pipelines.at(-1)!;
    last[last.length - 1] += text.slice(end, until);
    end = until + 1;
  };
  for (const { 0: sign, index } of text.matchAll(/["'\n;&|]/g)) {
    const [before, after] = [text[index - 1], text[index + 1]];
    if (sign === "\n") quote = "";
    if (quote !== "" && sign !== quote) continue;
    if (sign === '"' || sign === "'") {
      if (quotes.includes(sign)) quote = quote === "" ? sign : "";
    } else if (sign === "|" && before !== "|" && after !== "|") {
      add(index);
      pipelines.at(-1)!.push("");
    } else if (sign === "&" && (before === "|" || before === ">" || after === ">")) {
      if (before === "|") add(index);
    } else if (sign !== "\n" || !/\|\s*$/.test(text.slice(Math.max(0, index - 10), index))) {
      add(index);
      pipelines.push([""]);
    }
  }
  add(text.length);
  return pipelines
    .filter((stages) => stages.some((stage) => /\S/.test(stage)))
    .map((stages) => stages.map(wordsOf));
}

/** Words without what quotes and brackets are around them; a value that is given to a name counts as one. */
const wordsOf = (command: string): string[] =>
  command
    .trim()
    .replace(/(?<=\w=)(?:"[^"\n]*"|'[^'\n]*')/g, (value) =>
      /\s/.test(value) ? "quoted" : value.slice(1, -1),
    )
    .split(/\s+/, 200)
    .map((word) => word.replace(/^[("'{]+|(?<![)"'}])[)"'}]+$/g, ""));

/** A command without what only runs it: variables, `sudo` and its like with their options, `sh -c`. */
export function commandOf(words: readonly string[]): readonly string[] {
  let isWrapped = false;
  for (const [i, word] of words.entries()) {
    if (SHELL.test(word)) {
      const script = scriptOf(words.slice(i + 1));
      return script ? commandOf(script) : words.slice(i);
    }
    if (LANGUAGE.test(word)) return words.slice(i);
    if (MOVER.test(word)) {
      const moved = words.findIndex((each, j) => j > i && (SHELL.test(each) || LANGUAGE.test(each)));
      return moved < 0 ? words.slice(i) : commandOf(words.slice(moved));
    }
    if (WRAPPER.test(word)) isWrapped = true;
    else if (!/^\w+=/.test(word) && word !== "" && !(isWrapped && isOption(word, words[i - 1])))
      return words.slice(i);
  }
  return [];
}

/** What a shell's `-c` is given. */
function scriptOf(words: readonly string[]): readonly string[] | undefined {
  const option = words.findIndex((word) => /^-[a-z]*c$/.test(word) || !/^(?:[-+]|pipefail$)/.test(word));
  return words[option]?.startsWith("-") ? words.slice(option + 1) : undefined;
}

/** An option of what runs something else, the option's argument, or a time. */
export const isOption = (word: string, before = ""): boolean =>
  /^(?:-|\d+[smhd]?$)/.test(word) || (/^-\w*$/.test(before) && !/[./]/.test(word));

const SOUGHT =
  /(?<=["'\s;{}!\d$])(?:\/(?:\\.|[^/\\\n]){1,500}\/[I!]?)?s([/|#,@!%])(?:\\.|(?!\1)[^\\\n]){0,500}\1/g;

/** A text without what `sed` looks for: what it puts there is what comes about. */
export const withoutSought = (text: string, instead = "s$1$1"): string =>
  text.replace(/\b(?:sed|perl)\b.*/g, (line) => line.replace(SOUGHT, instead));
