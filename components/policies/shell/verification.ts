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
