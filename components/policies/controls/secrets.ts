/** Secrets that stand where they do not belong: in environments and arguments. */
import { type Addition, type Control, containerControl } from "../control.ts";
import {
  CREDENTIAL,
  holdsCredential,
  isCredential,
  isCredentialItself,
  isElsewhere,
  isSecretVariable,
} from "../credentials.ts";
import { type Container, commandsOf, POD_KINDS, PROBES, podsOf } from "../pods.ts";
import { at, isAbsent, isKnown, leaves, listOf, objectOf, textOf } from "../value.ts";

/** `$(NAME)`, which stands for another variable. */
const REFERENCE = /^\$\([\w.-]+\)$/;

/** What charts and operators call an option that names a Secret is left alone; these hold one. */
const HOLDS_SECRET = /(?:app|client|cookie|session|shared|webhook)[._-]?secret$/i;

/** Whether an option's name says that its value is a credential: those in `secret` name an object of the cluster as often. */
export const isCredentialOption = (name: string, value: string): boolean =>
  (!/(?:secret|credential)s?$/i.test(name) || HOLDS_SECRET.test(name)) &&
  isCredential(name, value) &&
  !isElsewhere(value);

/** `--password=...`, `PASSWORD=...` */
export function givesCredential(word: string): boolean {
  const [, dashes = "", name = "", value = ""] = /^(-*)([\w.-]+)=\\?["']?(.+)$/s.exec(word) ?? [];
  return dashes === "" ? isCredential(name, value) && !isElsewhere(value) : isCredentialOption(name, value);
}

/** Whether a variable is a credential by its name, or holds one; `$$(NAME)` stands for nothing. */
const isSecretValue = (name: string, value: string): boolean =>
  !REFERENCE.test(value) && isSecretVariable(name, value.replace(/^\$(?=\$\()/, "\\$"));

const secretInEnvironment = containerControl(
  {
    id: "secret-in-environment",
    practice: "secrets",
    title:
      "Credentials stand neither in a pod's description or a ConfigMap, nor in a container's environment",
    remedy: "keep it in a Secret, mounted as a file or named by valueFrom.secretKeyRef",
  },
  function* (container) {
    const { props, path } = container;
    for (const [i, variable] of listOf(props.env).entries()) {
      const [name, value] = [textOf(at(variable, "name")) ?? "", textOf(at(variable, "value"))];
      if (value !== undefined && !CREDENTIAL.test(value) && isSecretValue(name, value))
        yield { path: `${path}.env[${i}].value` };
    }
    for (const { path: place, words } of commandsOf(container)) {
      for (const [i, word] of words.entries()) {
        if (typeof word === "string" && !CREDENTIAL.test(word) && givesCredential(word))
          yield { path: `${place}[${i}]` };
      }
    }
    for (const [place, name, value] of headersOf(container)) {
      if (!CREDENTIAL.test(value) && (isSecretValue(name, value) || holdsCredential(`${name}: ${value}`)))
        yield { path: place };
    }
    for (const leaf of leaves(props, path)) {
      if (typeof leaf.value === "string" && CREDENTIAL.test(leaf.value)) yield { path: leaf.path };
    }
  },
);

/** Headers that probes send, with where their values stand. */
function* headersOf({ props, path }: Container): Generator<[path: string, name: string, value: string]> {
  for (const probe of PROBES) {
    for (const [i, header] of listOf(at(props, probe, "httpGet", "httpHeaders")).entries()) {
      const [name, value] = [textOf(at(header, "name")), textOf(at(header, "value"))];
      if (name !== undefined && value !== undefined)
        yield [`${path}.${probe}.httpGet.httpHeaders[${i}].value`, name, value];
    }
  }
}

/** What of a pod is told to nobody but its volumes' drivers, and to all who read its annotations. */
export const secretInPod: Addition = {
  control: "secret-in-environment",
  types: POD_KINDS,
  *find(resource) {
    for (const { path, spec, metadata } of podsOf(resource)) {
      for (const [name, value] of Object.entries(objectOf(metadata.props.annotations))) {
        if (typeof value === "string" && isCredentialItself(value))
          yield { path: `${metadata.path}.annotations[${JSON.stringify(name)}]` };
      }
      for (const [i, volume] of listOf(spec.volumes).entries()) {
        for (const [name, value] of Object.entries(objectOf(at(volume, "csi", "volumeAttributes")))) {
          if (typeof value === "string" && isSecretVariable(name, value))
            yield { path: `${path}.volumes[${i}].csi.volumeAttributes.${name}` };
        }
      }
    }
  },
};

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
