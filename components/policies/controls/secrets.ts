/** Secrets that stand where they do not belong: in environments and arguments. */
import { type Control, containerControl } from "../control.ts";
import { at, isAbsent, isKnown, leaves, listOf, textOf } from "../value.ts";

/** Names of variables that hold credentials; `_FILE` and its like name a place. */
const CREDENTIAL_NAME =
  /(?:password|passwd|passphrase)s?$|[._-]pwd$|(?:^|[._-])(?:pass|(?:secret|token|credential|(?:access|account|api|auth|batch|encryption|master|private|secret|signing|storage)[._-]?key)s?|key[._-]content)$/i;

/** Values that are credentials, whatever their name. */
export const CREDENTIAL =
  /-{3,}BEGIN [A-Z ]*PRIVATE KEY-{3,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{22,}\b|\bglpat-[\w-]{20,}\b|\bxox[abprs]-[\w-]{10,}\b|\bAIza[\w-]{35}\b|\bsk_live_[0-9a-zA-Z]{20,}\b|\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]{10,}|\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@$]*:[^\s:/@$]{3,}@/;

/** Camel case counts as words. */
export const namesCredential = (name: string): boolean =>
  CREDENTIAL_NAME.test(name.replace(/([a-z0-9])([A-Z])/g, "$1_$2"));

/** What a variable says about a credential, such as that none is needed. */
const SWITCH = /^(?:|true|false|yes|no|on|off)$/i;

/** Whether a variable's name says that its value is a credential, and it may be one: a number of tokens is not. */
export const isCredential = (name: string, value: string): boolean =>
  namesCredential(name) && !SWITCH.test(value) && !(/tokens$/i.test(name) && /^\d+$/.test(value));

/** `$(NAME)`, which stands for another variable. */
const REFERENCE = /^\$\([\w.-]+\)$/;

/** `--password=...`; options that end in `secret` name an object of the cluster as often. */
function givesCredential(word: string): boolean {
  const [, dashes = "", name = "", value = ""] = /^(-*)([\w.-]+)=(.+)$/s.exec(word) ?? [];
  if (REFERENCE.test(value) || (dashes !== "" && /(?:secret|credential)s?$/i.test(name))) return false;
  return isCredential(name, value);
}

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

const isVariable = (name: string, value: string): boolean =>
  isCredential(name, value) || (namesSecret(name) && isCredential("secret", value));

const secretInEnvironment = containerControl(
  {
    id: "secret-in-environment",
    practice: "secrets",
    title:
      "Credentials stand neither in a pod's description or a ConfigMap, nor in a container's environment",
    remedy: "keep it in a Secret, mounted as a file or named by valueFrom.secretKeyRef",
  },
  function* ({ props, path }) {
    for (const [i, variable] of listOf(props.env).entries()) {
      const [name, value] = [textOf(at(variable, "name")) ?? "", textOf(at(variable, "value"))];
      if (value !== undefined && !REFERENCE.test(value) && !CREDENTIAL.test(value) && isVariable(name, value))
        yield { path: `${path}.env[${i}].value` };
    }
    for (const key of ["command", "args"]) {
      for (const [i, word] of listOf(props[key]).entries()) {
        if (typeof word === "string" && !CREDENTIAL.test(word) && givesCredential(word))
          yield { path: `${path}.${key}[${i}]` };
      }
    }
    for (const leaf of leaves(props, path)) {
      if (typeof leaf.value === "string" && CREDENTIAL.test(leaf.value)) yield { path: leaf.path };
    }
  },
);

/** An environment is inherited by every process, and is in what crashed ones leave behind. */
const secretAsVariable = containerControl(
  {
    id: "secret-as-variable",
    practice: "secrets",
    title: "Secrets are mounted as files, not read into the environment",
    remedy: "mount the Secret as a volume, where the program can read a file",
    level: "advisory",
  },
  function* ({ props, path }) {
    for (const [i, variable] of listOf(props.env).entries()) {
      const place = `${path}.env[${i}].valueFrom.secretKeyRef`;
      if (isSaid(at(variable, "valueFrom", "secretKeyRef"))) yield { path: place };
    }
    for (const [i, each] of listOf(props.envFrom).entries())
      if (isSaid(at(each, "secretRef"))) yield { path: `${path}.envFrom[${i}].secretRef` };
  },
);

const isSaid = (value: unknown): boolean => isKnown(value) && !isAbsent(value);

export const secrets: readonly Control[] = [secretInEnvironment, secretAsVariable];
