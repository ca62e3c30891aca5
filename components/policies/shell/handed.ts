import { continued, held } from "./words.ts";

/** A word that stands for itself: neither a variable, nor what a command says. */
const LITERAL = String.raw`["']?(?![\s$"'\`<-]|\{\{)[^\s"'$\`;|&]+`;

/** A command that takes a literal after an option, or after what the pattern says. */
const takes = (command: string, option: string): RegExp =>
  new RegExp(`\\b(?:${command})\\s(?:[^\\n;|&]{0,500}\\s)?(?:${option})${LITERAL}`);

/** Credentials as commands take them, by options that have no name which would say so. */
const HANDED: readonly RegExp[] = [
  takes("curl", `(?:-[a-zA-Z]{0,20}[uU]|--user|--proxy-user)[\\s=]{0,5}["']?[\\w.@%+-]{1,200}:`),
  takes("sshpass", "-p\\s*"),
  takes("(?<!--name[ =])(?:mysql\\w*|mariadb[\\w-]*)", "-p(?!\\s)"),
  takes("(?<!--name[ =])login", "-p[\\s=]+"),
  takes("(?:docker|podman|nerdctl|buildah|skopeo|helm|oras|crane)\\s(?:registry\\s)?login", "-p"),
  takes("redis-cli", "-a\\s+"),
  takes("mongo(?:sh|dump|restore|export|import)?", "-p\\s+"),
  new RegExp(
    `\\brabbitmqctl\\s+(?:add_user|change_password)\\s+(?:--\\s+)?(?!-)[\\w.-]{1,100}\\s+${LITERAL}`,
  ),
  takes("keytool", "-(?:store|key|src\\w{1,20}|dest\\w{1,20})pass\\s+(?!changeit\\b)"),
  takes("(?<![\\w./:-])(?:ipmitool|zip)", "-P\\s+"),
  takes("openssl\\s+enc", "-k\\s+"),
  takes("mc\\s+alias\\s+set", "\\w{1,100}\\s+https?:\\S{1,200}\\s+[^\\s$]{1,100}\\s+"),
  takes("ldap\\w+", "-w\\s+"),
  takes("sqlcmd", "-P\\s*"),
  takes("smbclient", "-U\\s*\\S{1,100}%"),
  takes("ssh-keygen", "-N\\s*"),
  takes(
    "aws\\s+configure\\s+set",
    "(?![\\w.-]{0,100}_file\\b)[\\w.-]{0,100}(?:secret|token)[\\w.-]{0,100}\\s+",
  ),
  takes("htpasswd", "-(?=\\w*b)(?!\\w*n)\\w+\\s+\\S+\\s+\\S+\\s+"),
  takes("htpasswd", "-(?=\\w*b)(?=\\w*n)\\w+\\s+\\S+\\s+"),
  new RegExp(`\\bopenssl\\s+passwd\\s(?![^\\n;|&]{0,200}-(?:std)?in\\b)(?:-\\w+\\s+)*${LITERAL}`),
  new RegExp(`\\s-pass(?:in|out)?\\s+["']?pass:${LITERAL}`),
  /\b(?:echo|printf)\s(?!["']?\w+:[*!]["']?\s*\|)[^\n;|&$`]{1,500}\|\s{0,20}[^\n;|&]{0,200}(?:--password-stdin|\bpasswd\s+--stdin|\bchpasswd\b|\bsudo\s+-S\b)/,
  /\bAuthorization["']?\s*[:=]\s*["']?(?:Basic|Bearer|Token)\s+(?![$<{])[\w.~+/=-]{8,}/i,
];

/** Whether a command hands over a credential that stands in it. */
export function handsCredential(text: string): boolean {
  const whole = held(continued(text));
  return HANDED.some((pattern) => pattern.test(whole));
}
