/** Names that say that a value is a credential. */

/** Names of variables that hold credentials; `_FILE` and its like name a place. */
const CREDENTIAL_NAME =
  /(?:password|passwd|passphrase)s?$|[._-]pwd?$|(?:access|auth|bearer)token$|(?:db|require|root|user)pass$|(?:master|redis)[._-]?auth$|(?:^|[._-])(?:pass|(?:secret|token|credential|(?:access|account|api|auth|batch|encryption|license|master|private|secret|signing|storage)[._-]?key)s?|key[._-]content)$/i;

/** Names of a Secret of the cluster, as charts ask for them, of files with credentials, and of what is asked for. */
const OBJECT_NAME =
  /(?:cert(?:ificate)?|existing|pull|registry|tls|token)[._-]?secrets?$|ssl[._-](?:key|keystore|truststore)[._-]credentials$|(?:required|load)[._-]?credentials?(?:[._-]?encrypted)?$/i;

/** Camel case counts as words. */
function namesCredential(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
  return CREDENTIAL_NAME.test(words) && !OBJECT_NAME.test(words);
}

/** What a variable says about a credential, such as that none is needed. */
const SWITCH = /^(?:|true|false|yes|no|on|off|[01])$/i;

/** Whether a variable's name says that its value is a credential, and it may be one: a number of tokens, or a time, is not. */
export const isCredential = (name: string, value: string): boolean =>
  namesCredential(name) &&
  !SWITCH.test(value) &&
  !(/tokens$/i.test(name) && /^\d+(?:ms|[smhd])?$/.test(value));

/** What a name ends in that says where a secret is, or what it is like. */
const ABOUT_SECRETS = new Set(
  `
  ADDR ADDRESS AGE ALGORITHM ANNOTATION ARN BACKEND CLASS COUNT DAYS DIR DRIVER ENABLED ENDPOINT
  ENGINE EXPIRATION EXPIRY FIELD FILE FORMAT HOST ID INTERVAL KIND LABEL LENGTH LOCATION MANAGER
  MODE MOUNT NAME NAMESPACE PATH POLICY PORT PREFIX PROJECT PROVIDER REF REFERENCE REGION REQUIRED
  ROLE ROTATION SECONDS SERVER SERVICE SIZE SOURCE STORE SUFFIX TIMEOUT TTL TYPE URI URL USER
  USERNAME VERSION
`
    .trim()
    .split(/\s+/),
);

/** `APP_SECRET_VALUE` and its like. */
function namesSecret(name: string): boolean {
  const words = name.split("_");
  const last = words.pop()!;
  const isConstant = /^[A-Z0-9_]+$/.test(name);
  return (
    isConstant &&
    words.some((word) => /^SECRETS?$/.test(word)) &&
    !ABOUT_SECRETS.has(last) &&
    !ABOUT_SECRETS.has(last.replace(/S$/, ""))
  );
}

/** As `isCredential`, with what `APP_SECRET_VALUE` says. */
export const isNamedCredential = (name: string, value: string): boolean =>
  isCredential(name, value) || (namesSecret(name) && isCredential("secret", value));
