/** What must not stand in a command, whoever runs it. */

/** Fetchers whose output goes straight to an interpreter: what was not looked at runs. */
const FETCH = String.raw`\b(?:curl|wget|fetch|aria2c|http)\b`;
const INTERPRETER = String.raw`(?:\S*/)?(?:ba|da|z|k|a|fi)?sh|(?:\S*/)?(?:python|perl|ruby|node|php)[\d.]*`;

const PIPED: readonly RegExp[] = [
  new RegExp(
    `${FETCH}[^\\n;&]*?\\|\\s*(?:(?:sudo|env|exec|nohup|command)(?:\\s+-\\S+|\\s+\\w+=\\S*)*\\s+)*(?:${INTERPRETER})(?=$|[\\s;&|)"'\`])`,
    "i",
  ),
  new RegExp(`(?:${INTERPRETER})\\s+(?:-\\w+\\s+)*(?:"|')?(?:\\$\\(|\`)\\s*${FETCH}`, "i"),
  new RegExp(`(?:${INTERPRETER}|\\bsource|(?:^|[\\s;&|])\\.)\\s+(?:-\\w+\\s+)*<\\(\\s*${FETCH}`, "i"),
  new RegExp(`\\beval\\s+(?:"|')?(?:\\$\\(|\`)\\s*${FETCH}`, "i"),
];

/** Whether something that was fetched runs unseen. */
export const runsWhatItFetches = (text: string): boolean =>
  PIPED.some((pattern) => pattern.test(text.replace(/\\\r?\n/g, " ")));

const UNVERIFIED: readonly RegExp[] = [
  /\bcurl\b[^\n;|&]*\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure|--proxy-insecure)(?=$|[\s"'])/,
  /\bwget\b[^\n;|&]*--no-check-certificate/,
  /StrictHostKeyChecking[\s=]+(?:"|')?(?:no|off)\b/i,
  /UserKnownHostsFile[\s=]+(?:"|')?\/dev\/null/i,
  /\bhttp\.sslVerify[\s=]+(?:"|')?false/i,
  /\bGIT_SSL_NO_VERIFY=(?:"|')?(?:1|true)/i,
  /\bNODE_TLS_REJECT_UNAUTHORIZED=(?:"|')?0/,
  /\bPYTHONHTTPSVERIFY=(?:"|')?0/,
  /--insecure-skip-tls-verify(?!=false)/,
  /--insecure-registry\b/,
  /--(?:src-|dest-)?tls-verify=(?:"|')?false/,
  /--discovery-token-unsafe-skip-ca-verification/,
  /\b(?:npm|yarn|pnpm)\b[^\n;|&]*strict-ssl[\s=]+(?:"|')?false/,
  /--trusted-host\b/,
  /--(?:allow-unauthenticated|no-gpg-checks?|nogpgcheck|nosignature|nodigest|force-yes)\b/,
  /\bgpgcheck\s*=\s*0/,
  /\[[^\]\n]*\btrusted=yes\b/,
  /\bAcquire::(?:Check-Valid-Until|AllowInsecureRepositories)\b/i,
];

/** Whether a check of who is at the other end, or of who made something, is switched off. */
export const disablesVerification = (text: string): boolean =>
  UNVERIFIED.some((pattern) => pattern.test(text.replace(/\\\r?\n/g, " ")));
