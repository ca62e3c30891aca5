/** Credentials that need no name: what they are shows in themselves, or in what stands around them. */

const oneOf = (...patterns: RegExp[]): RegExp => new RegExp(patterns.map(({ source }) => source).join("|"));

/** Values that are credentials, whatever their name. */
export const CREDENTIAL = oneOf(
  /-{3,}BEGIN [A-Z ]*PRIVATE KEY-{3,}/,
  // AWS, GitHub, npm, GitLab, Slack, Google, Stripe.
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  /\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{22,}\b/,
  /\bnpm_[A-Za-z0-9]{36}\b/,
  /\bglpat-[\w-]{20,}\b/,
  /\bxox[abprs]-[\w-]{10,}\b/,
  /\bAIza[\w-]{35}\b/,
  /\bsk_live_[0-9a-zA-Z]{20,}\b/,
  // JSON Web Tokens.
  /\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]{10,}/,
  // Addresses with a password that is none to be filled in.
  /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@$]*:(?!\{|<|%s|PASSWORD@)[^\s:/@$]{3,}@/,
);

/** Tokens that let a machine join a cluster, hashes of passwords, and what is written into requests and files. */
const TOKENS = oneOf(
  // kubeadm, k3s, Swarm.
  /(?<![\w.-])(?=[a-z.]{0,22}\d)[a-z0-9]{6}\.[a-z0-9]{16}(?![\w-]|\.\w)/,
  /\bK10[0-9a-f]{64}::/,
  /\bSWMTKN-1-[a-z0-9]{25,}/,
  // crypt(3).
  /\$(?:1|2[aby]?|5|6|y|gy|7)\$[\w./$=,-]{20,}/,
  // Vault, Azure, npm, Slack.
  /\bhv[sbr]\.[\w-]{20,}/,
  /\bAccountKey=[A-Za-z0-9+/]{40,}|[?&]sv=[^\s"']{1,500}&sig=[\w%]{20,}/,
  /_authToken=(?!\$)[\w-]{8,}/,
  /https:\/\/hooks\.slack\.com\/services\/T\w{5,}\/B\w{5,}\/\w{15,}/,
  /\bBearer\s+[\w.~+/-]{16,}/,
  // Files of Docker, netrc and cloud-init; statements of SQL; commands of Windows.
  /"auths"\s*:\s*\{[^}]{0,500}"auth"\s*:\s*"[A-Za-z0-9+/]{6,}/,
  /\bmachine\s+\S{1,200}\s+login\s+\S{1,200}\s+password\s+[^\s$]/,
  /\bchpasswd:\s*\{?\s*(?:expire:\s*\w{1,9},?\s*)?list:\s*[|["'-]{0,2}\s*["'-]{0,2}\s*[a-z_][\w-]{0,31}:(?!R(?:ANDOM)?\b|\$)[^\s"']/,
  /\b(?:IDENTIFIED\s+BY|PASSWORD)\s+'[^'${:%]{1,200}'/,
  /\bConvertTo-SecureString\s+(?:-String\s+)?["'][^"'$]/,
  /\bnet\s+user\s+\w{1,50}\s+(?![/*$%])\S{1,100}\s+\/add\b/,
);

/** Whether a text has a credential that needs no name. */
export const isCredentialItself = (text: string): boolean => CREDENTIAL.test(text) || TOKENS.test(text);
