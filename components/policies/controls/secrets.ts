/** Secrets that stand where they do not belong: in environments and arguments. */
import { type Control, containerControl } from "../control.ts";
import { at, isAbsent, isKnown, leaves, listOf, textOf } from "../value.ts";
import { CREDENTIAL, isCredential, isNamedCredential } from "./credentials.ts";

/** `$(NAME)`, which stands for another variable. */
const REFERENCE = /^\$\([\w.-]+\)$/;

/** `--password=...`; options that end in `secret` name an object of the cluster as often. */
function givesCredential(word: string): boolean {
  const [, dashes = "", name = "", value = ""] = /^(-*)([\w.-]+)=(.+)$/s.exec(word) ?? [];
  if (REFERENCE.test(value) || (dashes !== "" && /(?:secret|credential)s?$/i.test(name))) return false;
  return isCredential(name, value);
}

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
      if (
        value !== undefined &&
        !REFERENCE.test(value) &&
        !CREDENTIAL.test(value) &&
        isNamedCredential(name, value)
      )
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
