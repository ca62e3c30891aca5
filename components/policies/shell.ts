/** What must not stand in a command, whoever runs it. */

/** Fetchers: what they give and nobody has looked at is not to run. */
const FETCH = String.raw`\b(?:curl|wget|fetch|aria2c|https?)(?=\s)`;
const FETCHER = /^(?:\S*\/)?(?:curl|wget|fetch|aria2c|https?)$/;
const INTERPRETER = String.raw`(?<![\w.-])(?:(?:ba|da|z|k|a|fi)?sh|(?:python|perl|ruby|node|php)[\d.]*)`;
const FETCH_OF_WINDOWS = String.raw`\b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|DownloadString)\b`;

const SUBSTITUTED: readonly RegExp[] = [
  new RegExp(`${INTERPRETER}\\s+(?:-\\w+\\s+)*(?:<<<\\s*)?["']?(?:\\$\\(|\`)\\s*${FETCH}`, "i"),
  new RegExp(`${FETCH}[^\\n;]{0,500}>\\(\\s*(?:sudo\\s+)?${INTERPRETER}`, "i"),
  new RegExp(`(?:^|[\\n;&|])\\s*["']?(?:\\$\\(|\`)\\s*${FETCH}`, "i"),
  new RegExp(
    `(?:${INTERPRETER}|\\bsource|(?:^|[\\s;&|])\\.)\\s+(?:-\\w+\\s+)*(?:<\\s*)?<\\(\\s*${FETCH}`,
    "i",
  ),
  new RegExp(`\\beval\\s+["']?(?:\\$\\(|\`)\\s*${FETCH}`, "i"),
  new RegExp(`${FETCH_OF_WINDOWS}[^\\n;]{0,500}\\|\\s*(?:iex|Invoke-Expression)\\b`, "i"),
  new RegExp(`\\b(?:iex|Invoke-Expression)\\b[^\\n;|]{0,500}${FETCH_OF_WINDOWS}`, "i"),
];

/** What shows that somebody has looked at a file: its digest or its signature. */
const LOOKED_AT =
  /\b(?:sha(?:1|224|256|384|512)sum|shasum|b2sum|gpgv|minisign|slsa-verifier|openssl\s+dgst|cosign\s+verify\S*)\b|--verify\b|--checksig\b|Get-FileHash/i;

/** Quotes that hold signs together: which of them do is not known of a part of a command. */
const QUOTES = ["", "'", '"', `'"`] as const;

/** One of these is in whatever fetches: most commands are not looked at any further. */
const MAY_FETCH = /curl|wget|fetch|aria2c|https?\s|iwr|irm|Invoke-|DownloadString/i;

/** Whether something that was fetched runs unseen. */
export function runsWhatItFetches(text: string): boolean {
  if (!MAY_FETCH.test(text)) return false;
  const whole = text.replace(/\\\r?\n/g, " ");
  if (SUBSTITUTED.some((pattern) => pattern.test(whole))) return true;
  return QUOTES.some((quotes) => {
    const pipelines = pipelinesOf(whole, quotes);
    return pipelines.some(pipes) || (!LOOKED_AT.test(whole) && runsFile(pipelines.flat()));
  });
}

/** The words of each command of each pipeline. */
function pipelinesOf(text: string, quotes: string): string[][][] {
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
  return pipelines.map((stages) => stages.map(wordsOf));
}

/** Words without what quotes and brackets are around them; a value that is given to a name counts as one. */
const wordsOf = (command: string): string[] =>
  command
    .trim()
    .replace(/(?<=\w=)(?:"[^"\n]*"|'[^'\n]*')/g, "quoted")
    .split(/\s+/, 200)
    .map((word) => word.replace(/^[("'{]+|[)"'}]+$/g, ""));

/** Whether what a fetcher gives goes through a pipe to an interpreter. */
function pipes(stages: readonly string[][]): boolean {
  const first = stages.findIndex((words) => words.some((word) => FETCHER.test(word)));
  return first >= 0 && stages.slice(first + 1).some(interprets);
}

const SHELL = /^(?:\S*\/)?(?:ba|da|z|k|a|fi)?sh$/i;
const LANGUAGE = /^(?:\S*\/)?(?:python|perl|ruby|node|php)[\d.]*$/i;
const WRAPPER =
  /^(?:\S*\/)?(?:sudo|env|exec|nohup|command|su|doas|time|timeout|nice|setsid|busybox|xargs|then|do|if|!)$/;

/** A command without what only runs it: variables, `sudo` and its like with their options. */
function commandOf(words: readonly string[]): readonly string[] {
  let isWrapped = false;
  for (const [i, word] of words.entries()) {
    if (SHELL.test(word) || LANGUAGE.test(word)) return words.slice(i);
    if (WRAPPER.test(word)) isWrapped = true;
    else if (!/^\w+=/.test(word) && word !== "" && !(isWrapped && isOption(word, words[i - 1])))
      return words.slice(i);
  }
  return [];
}

/** An option of what runs something else, the option's argument, or a time. */
const isOption = (word: string, before = ""): boolean =>
  /^(?:-|\d+[smhd]?$)/.test(word) || (/^-\w*$/.test(before) && !/[./]/.test(word));

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

/** Whether a file that was fetched runs. */
function runsFile(commands: readonly string[][]): boolean {
  const kept = new Set<string>();
  return commands.some((words) => {
    const [name = "", ...rest] = commandOf(words);
    if (FETCHER.test(name)) {
      for (const file of filesOf(rest, /wget$/.test(name))) kept.add(file);
      return false;
    }
    const isRunner = SHELL.test(name) || LANGUAGE.test(name) || name === "source" || name === ".";
    const program = isRunner ? (rest.find((word) => !word.startsWith("-")) ?? "") : name;
    return (isRunner || program.includes("/")) && kept.has(plain(program));
  });
}

const plain = (path: string): string => path.replace(/^\.\//, "");

/** Where a fetcher puts what it gets: by its options, by a redirection, or by the address. */
function* filesOf(words: readonly string[], isWget: boolean): Generator<string> {
  const option = isWget ? /^(?:-\w*O|--output-document)$/ : /^(?:-[\w#]*o|--output)$/;
  const [named, toFile] = [words.findIndex((word) => option.test(word)), words.indexOf(">")];
  for (const i of [named, toFile]) if (i >= 0 && words[i + 1]) yield plain(words[i + 1]!);
  for (const word of words) {
    const joined = /^(?:--output(?:-document)?=)(.+)|^[^>&]*>{1,2}([^>&]+)$/.exec(word);
    if (joined) yield plain(joined[1] ?? joined[2]!);
    const address = /^https?:\/\/[^?]+\/([\w.-]+)(?:\?|$)/.exec(word);
    const isKept = isWget ? named < 0 : words.some((each) => /^(?:-[\w#]*O|--remote-name)/.test(each));
    if (address && isKept) yield address[1]!;
  }
}

const OFF = String.raw`[\s=:]+["']?(?:false|no|off|0)\b`;

const UNVERIFIED: readonly RegExp[] = [
  /\bcurl\b[^\n;|&]{0,500}\s(?:-[fsSLvgiIGjlnNpqRZ#046aBJO]*k[a-zA-Z]*|--insecure|--proxy-insecure)(?=$|[\s"'])/,
  /\bwget\b[^\n;|&]{0,500}--no-check-certificate/,
  new RegExp(`\\bcheck_certificate${OFF}`, "i"),
  /StrictHostKeyChecking[\s=]+(?:"|')?(?:no|off)\b/i,
  /UserKnownHostsFile[\s=]+(?:"|')?\/dev\/null/i,
  /\bANSIBLE_HOST_KEY_CHECKING=(?:"|')?(?:false|no|off|0)\b/i,
  /\bhost_key_checking\s*=\s*(?:false|no|off|0)\b/i,
  /\bhttp\.sslVerify[\s=]+(?:"|')?false/i,
  /\b(?:GIT_SSL_NO_VERIFY|\w+_SKIP_(?:TLS_)?VERIFY)=(?:"|')?(?:1|true)/i,
  /\bNODE_TLS_REJECT_UNAUTHORIZED=(?:"|')?0/,
  /\bPYTHONHTTPSVERIFY=(?:"|')?0/,
  /\bDOCKER_CONTENT_TRUST=(?:"|')?0/,
  /\bGO(?:SUMDB|FLAGS)=(?:"|')?(?:off|-insecure)\b/,
  /\bGO(?:INSECURE|NOSUMDB|NOSUMCHECK)=(?:"|')?[^\s"']/,
  /(?:^|[\s"'])--?(?:[\w-]+-)?insecure(?!-port|-bind)(?:-[\w-]+)?(?=$|[\s"']|=(?!(?:"|')?false))/,
  /(?<![\w-])--?(?:src-|dest-)?(?:tls-verify|ssl-verify|verify-(?:tls|ssl))=(?:"|')?false/,
  /(?<![\w-])--?(?:skip-(?:tls|ssl|cert(?:ificate)?)-?(?:verify|verification|validation)|(?:tls|ssl)-skip-verify|no-verify-ssl|no-(?:ssl|tls)-verify)(?=$|[\s"']|=(?!(?:"|')?false))/,
  /--discovery-token-unsafe-skip-ca-verification/,
  /\b(?:npm|yarn|pnpm)\b[^\n;|&]{0,500}strict-ssl[\s=]+(?:"|')?false/,
  /--trusted-host\b/,
  /--(?:allow-unauthenticated|no-gpg-checks?|nogpgcheck|nosignature|nodigest|force-yes)\b/,
  /\bgpgcheck\s*=\s*0/,
  new RegExp(`\\b(?:sslverify|Verify-(?:Peer|Host))${OFF}`, "i"),
  /\[[^\]\n]{0,500}\btrusted=yes\b/,
  /--(?:disable-content-trust(?!=false)|force-bad-verify)\b|\bAPT::Get::AllowUnauthenticated\b/,
  /\bAcquire::(?:Check-Valid-Until|AllowInsecureRepositories)\b/i,
  /\bverify\s*=\s*False\b|_create_unverified_context|\bCERT_NONE\b/,
  /\b(?:rejectUnauthorized|strictSSL)["']?\s*[:=]\s*(?:false|0)\b/,
  /\binsecure_?skip_?verify["']?\s*[:=]\s*true\b/i,
  /\binsecure-skip-tls-verify["']?\s*:\s*true\b/,
];

/** One of these is in whatever the patterns above find. */
const MAY_SWITCH =
  /curl|verif|insecure|check|trust|ssl|tls|gpg|unauth|validation|KnownHosts|NOSUM|SUMDB|FLAGS|nosignature|nodigest|force-yes|CERT_NONE|AllowInsecure/i;

/** Whether a check of who is at the other end, or of who made something, is switched off. */
export const disablesVerification = (text: string): boolean =>
  MAY_SWITCH.test(text) && UNVERIFIED.some((pattern) => pattern.test(text.replace(/\\\r?\n/g, " ")));

/** A word that stands for itself: neither a variable, nor what a command says. */
const LITERAL = String.raw`["']?(?![\s$"'\`<-])[^\s"'$\`;|&]+`;

/** A command that takes a literal after an option, or after what the pattern says. */
const takes = (command: string, option: string): RegExp =>
  new RegExp(`\\b(?:${command})\\s(?:[^\\n;|&]{0,500}\\s)?(?:${option})${LITERAL}`);

/** Credentials as commands take them, by options that have no name which would say so. */
const HANDED: readonly RegExp[] = [
  takes("curl", `(?:-[a-zA-Z]*[uU]|--user|--proxy-user)[\\s=]*["']?[\\w.@%+-]+:`),
  takes("sshpass", "-p\\s*"),
  takes("mysql\\w*|mariadb[\\w-]*", "-p(?!\\s)"),
  takes("login", "-p[\\s=]+"),
  takes("(?:docker|podman|nerdctl|buildah|skopeo|helm|oras|crane)\\s(?:registry\\s)?login", "-p"),
  takes("redis-cli", "-a\\s+"),
  takes("ldap\\w+", "-w\\s+"),
  takes("sqlcmd", "-P\\s*"),
  takes("smbclient", "-U\\s*\\S{1,100}%"),
  takes("ssh-keygen", "-N\\s*"),
  takes("aws\\s+configure\\s+set", "[\\w.-]*(?:secret|token)[\\w.-]*\\s+"),
  takes("htpasswd", "-(?=\\w*b)(?!\\w*n)\\w+\\s+\\S+\\s+\\S+\\s+"),
  takes("htpasswd", "-(?=\\w*b)(?=\\w*n)\\w+\\s+\\S+\\s+"),
  new RegExp(`\\bopenssl\\s+passwd\\s(?![^\\n;|&]{0,200}-(?:std)?in\\b)(?:-\\w+\\s+)*${LITERAL}`),
  new RegExp(`\\s-pass(?:in|out)?\\s+["']?pass:${LITERAL}`),
  /\b(?:echo|printf)\s[^\n;|&$`]{1,500}\|\s*[^\n;|&]{0,200}(?:--password-stdin|\bpasswd\s+--stdin|\bchpasswd\b|\bsudo\s+-S\b)/,
  /\bAuthorization["']?\s*[:=]\s*["']?(?:Basic|Bearer|Token)\s+(?![$<{])[\w.~+/=-]{8,}/i,
];

/** Whether a command hands over a credential that stands in it. */
export const handsCredential = (text: string): boolean =>
  HANDED.some((pattern) => pattern.test(text.replace(/\\\r?\n/g, " ")));
