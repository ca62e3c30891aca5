import { continued, held, withoutComments, withoutSought } from "./words.ts";

const OFF = String.raw`[\s=:]+["']?(?:false|no|off|0)\b`;

const UNVERIFIED: readonly RegExp[] = [
  /\bcurl\b[^\n;|&]{0,500}\s(?:-[fsSLvgiIGjlnNpqRZ#046aBJO]*k[a-zA-Z]*|--insecure|--proxy-insecure)(?=$|[\s"'])/,
  /\bwget\b[^\n;|&]{0,500}--no-check-certificate/,
  new RegExp(`\\b(?:check[_-]certificate|(?:CONSUL_HTTP_|CONDA_)?ssl_verify)${OFF}`, "i"),
  /StrictHostKeyChecking[\s=]+(?:"|')?(?:no|off)\b/i,
  /UserKnownHostsFile[\s=]+(?:"|')?\/dev\/null/i,
  /\bANSIBLE_HOST_KEY_CHECKING=(?:"|')?(?:false|no|off|0)\b/i,
  /\bhost_key_checking\s*=\s*(?:false|no|off|0)\b/i,
  /\bhttp\.sslVerify[\s=]+(?:"|')?false/i,
  /\b(?:GIT_SSL_NO_VERIFY|\w+_SKIP_(?:TLS_)?VERIFY)=(?:"|')?(?:1|true)/i,
  /\bNODE_TLS_REJECT_UNAUTHORIZED=(?:"|')?0/,
  /\bAZURE_CLI_DISABLE_CONNECTION_VERIFICATION=(?:"|')?(?:1|true|yes|on)\b/i,
  /(?:\b|_)disable_ssl_validation["']?[\s=]+["']?(?:1|true|yes|on)\b/i,
  /\b(?:LDAP)?TLS_REQCERT[\s=]+["']?(?:never|allow)\b/i,
  /\bPYTHONHTTPSVERIFY=(?:"|')?0/,
  /\bDOCKER_CONTENT_TRUST=(?:"|')?0/,
  /\bGO(?:SUMDB|FLAGS)=(?:"|')?(?:off|-insecure)\b/,
  /\bGO(?:INSECURE|NOSUMDB|NOSUMCHECK)=(?:"|')?[^\s"']/,
  /(?:^|[\s"'=])--?(?:[\w-]+-)?insecure(?!-port|-bind)(?:-[\w-]+)?(?=$|[\s"']|=(?!(?:"|')?false))/,
  /(?<![\w-])--?(?:src-|dest-)?(?:tls-?verify|ssl-verify|verify(?:-(?:tls|ssl))?)=(?:"|')?(?:false|no)\b/,
  /(?<![\w-])--?(?:skip-(?:tls|ssl|cert(?:ificate)?)-?(?:verify|verification|validation)|(?:tls|ssl)-skip-verify|skip-verify|no-verify-ssl|no-(?:ssl|tls)-verify)(?=$|[\s"']|=(?!(?:"|')?false))/,
  /--discovery-token-unsafe-skip-ca-verification/,
  /\b(?:strict-ssl|enableStrictSsl|(?:npm_config|yarn|yarn_enable)_strict_ssl)["']?[\s=:]+["']?false\b/i,
  /--trusted-host\b|\bset\s+["']?\w+\.trusted-host\s|\bPIP_TRUSTED_HOST=["']?[^\s"']/,
  /-SkipCertificateCheck\b(?!:\$false)/i,
  /maven\.wagon\.http\.ssl\.(?:insecure|allowall)=true\b/,
  /--(?:allow-unauthenticated|allow-untrusted|no-gpg-checks?|nogpgcheck|nosignature|nodigest|force-yes)\b/,
  /\bsnap\s+install\b[^\n;|&]{0,200}--dangerous\b/,
  /\bSigLevel\s*=\s*Never\b/i,
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
  /curl|verif|insecure|check|trust|ssl|tls|gpg|unauth|validation|KnownHosts|NOSUM|SUMDB|FLAGS|nosignature|nodigest|force-yes|CERT_NONE|AllowInsecure|dangerous|SigLevel/i;

/** Whether a check of who is at the other end, or of who made something, is switched off. */
export function disablesVerification(text: string): boolean {
  if (!MAY_SWITCH.test(text)) return false;
  const whole = held(continued(withoutSought(withoutComments(text))));
  return UNVERIFIED.some((pattern) => pattern.test(whole));
}
