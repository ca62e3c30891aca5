/** Commands: on hosts over SSH, on the computer that runs Pulumi, and in containers. */
import type { Addition, Control } from "../control.ts";
import { CREDENTIAL, holdsCredential, isSecretVariable } from "../credentials.ts";
import { commandsOf, POD_KINDS, podsOf } from "../pods.ts";
import type { Finding, Resource } from "../resource.ts";
import { disablesVerification, handsCredential, runsWhatItFetches } from "../shell.ts";
import {
  at,
  isAbsent,
  isKnown,
  isObject,
  listOf,
  numberOf,
  objectOf,
  type Properties,
  textOf,
} from "../value.ts";
import { givesCredential, isCredentialOption } from "./secrets.ts";

const COMMAND = /^command:(?:remote|local):(?:Command|CopyToRemote|CopyFile|run|runOutput)$/;
const REMOTE = /^command:remote:/;
const OWN = /^spillway:/;
const HOST_STATE = "spillway:ssh:HostState";

const COMMANDS = ["command:remote:Command", "command:local:Command"];
const EVENTS = ["create", "update", "delete", "command"];

interface Script {
  path: string;
  text: string;
}

/** Shell text of a resource, with where it stands. */
function* scripts(resource: Resource): Generator<Script> {
  const { type, props } = resource;
  if (COMMAND.test(type)) {
    for (const key of EVENTS) yield* script(key, props[key]);
    for (const [i, each] of listOf(props.interpreter).entries()) yield* script(`interpreter[${i}]`, each);
  }
  for (const { containers } of podsOf(resource)) {
    for (const container of containers)
      for (const { path, words } of commandsOf(container)) yield* script(path, words);
  }
  for (const path of DOCKER[type] ?? []) yield* script(path, at(props, ...path.split(".")));
  if (type === HOST_STATE) yield* contents(props);
}

/** Where Docker's resources have commands. */
const DOCKER: Readonly<Record<string, readonly string[]>> = {
  "docker:index/container:Container": ["command", "entrypoints", "healthcheck.tests"],
  "docker:index/service:Service": ["taskSpec.containerSpec.commands", "taskSpec.containerSpec.args"],
  "docker-build:index:Image": ["dockerfile.inline"],
};

/** A text, or words that are one together. */
function* script(path: string, value: unknown): Generator<Script> {
  const words = [value].flat().filter((word) => typeof word === "string");
  if (words.length > 0) yield { path, text: words.join(" ") };
}

/** Files and units that are put on a host. */
function* contents({ files, units }: Properties): Generator<Script> {
  for (const [kind, each] of Object.entries({ files, units })) {
    for (const [name, value] of Object.entries(objectOf(each))) {
      for (const key of ["content", "dropIn"])
        yield* script(`${kind}[${JSON.stringify(name)}].${key}`, at(value, key));
    }
  }
}

/** Variables of a command or a container, as `NAME=value`. */
function* variables(resource: Resource): Generator<Script> {
  const { type, props } = resource;
  if (COMMAND.test(type)) yield* named("environment", props.environment);
  if (type === "docker:index/container:Container") {
    for (const [i, each] of listOf(props.envs).entries()) yield* script(`envs[${i}]`, each);
  }
  if (type === "docker:index/service:Service")
    yield* named("taskSpec.containerSpec.env", at(props, "taskSpec", "containerSpec", "env"));
  for (const { containers } of podsOf(resource)) {
    for (const container of containers) {
      for (const [i, each] of listOf(container.props.env).entries()) {
        const [name, value] = [textOf(at(each, "name")), textOf(at(each, "value"))];
        yield* script(`${container.path}.env[${i}].value`, value && `${name}=${value}`);
      }
    }
  }
}

function* named(path: string, values: unknown): Generator<Script> {
  for (const [name, value] of Object.entries(objectOf(values)))
    if (typeof value === "string") yield { path: `${path}.${name}`, text: `${name}=${value}` };
}

/** Switches of providers, and of what Docker pushes, that are no command. */
function* switches({ type, props }: Resource): Generator<Script> {
  if (type === "pulumi:providers:docker") {
    const options = textOf(props.sshOpts);
    yield* script("sshOpts", options === undefined ? props.sshOpts : options.replace(/[[\]",]+/g, " "));
  }
  if (type === "pulumi:providers:kubernetes") yield* script("kubeconfig", props.kubeconfig);
}

const scriptControl = (
  about: Omit<Control, "find" | "types">,
  isBad: (text: string) => boolean,
  more: (resource: Resource) => Iterable<Script> = () => [],
): Control => ({
  ...about,
  types: [...COMMANDS, "containers of all kinds", HOST_STATE],
  *find(resource) {
    for (const { path, text } of [...scripts(resource), ...more(resource)]) if (isBad(text)) yield { path };
  },
});

const pipeToShell = scriptControl(
  {
    id: "pipe-to-shell",
    practice: "trusted-images",
    title: "Nothing that was just fetched is run unseen",
    remedy: "fetch a file of a pinned version, compare its digest, then run it",
  },
  runsWhatItFetches,
);

const disabledVerification = scriptControl(
  {
    id: "disabled-verification",
    practice: "trusted-images",
    title: "No check of certificates, host keys or signatures is switched off",
    remedy: "give the certificate authority, host key or signing key that is to be trusted",
  },
  disablesVerification,
  function* (resource) {
    yield* variables(resource);
    yield* switches(resource);
  },
);

const secretInCommand: Control = {
  id: "secret-in-command",
  practice: "secrets",
  title: "No credential stands in a command or its environment, where process lists and logs show it",
  remedy: "pass it by stdin as a secret, or fetch it from a secret store on the host",
  types: COMMANDS,
  *find({ type, props }) {
    if (!COMMAND.test(type)) return;
    for (const key of EVENTS) {
      const text = textOf(props[key]);
      if (text !== undefined && holdsCredential(text)) yield { path: key };
    }
    for (const [name, value] of Object.entries(objectOf(props.environment)))
      if (isSecretVariable(name, textOf(value) ?? "")) yield { path: `environment.${name}` };
  },
};

const hostKey: Control = {
  id: "host-key",
  practice: "secrets",
  title: "Hosts are known by their keys before anything is told to them",
  remedy:
    "give connection.hostKey, and that of each proxy on the way: `ssh-keyscan HOST` on a network that is trusted",
  types: ["command:remote:*", "spillway:*"],
  *find({ type, props }) {
    if (!REMOTE.test(type) && !OWN.test(type)) return;
    yield* unpinned(props.connection, "connection");
    for (const [i, host] of listOf(props.hosts).entries()) yield* unpinned(host, `hosts[${i}]`);
  },
};

function* unpinned(connection: unknown, path: string): Generator<Finding> {
  if (!isObject(connection) || isAbsent(connection.host)) return;
  const key = connection.hostKey;
  if (isKnown(key) && (typeof key !== "string" || key.trim() === "")) yield { path: `${path}.hostKey` };
  for (const way of ["proxy", "bastion"]) yield* unpinned(connection[way], `${path}.${way}`);
}

/** Numbers of a connection, with the lowest that has an end. */
const LIMITS: readonly [key: string, lowest: number][] = [
  ["dialErrorLimit", 0],
  ["perDialTimeout", 1],
  ["dialTimeout", 1],
  ["stepTimeout", 1],
];

function* endless(connection: unknown, path: string, isBounded: boolean): Generator<Finding> {
  for (const [key, lowest] of LIMITS) {
    const limit = numberOf(at(connection, key));
    // Tries without a limit end when the command's time does.
    if (limit !== undefined && limit < lowest && !(isBounded && key === "dialErrorLimit"))
      yield { path: `${path}.${key}`, what: "it means for ever" };
  }
  for (const way of ["proxy", "bastion"]) {
    const next = at(connection, way);
    if (isObject(next)) yield* endless(next, `${path}.${way}`, isBounded);
  }
}

const boundedTime: Control = {
  id: "bounded-time",
  practice: "resource-limits",
  title: "Commands end: connections are tried for a while, and commands may not take for ever",
  remedy:
    "set customTimeouts in the resource's options; leave connection.dialErrorLimit at 0 or more, and perDialTimeout, dialTimeout and stepTimeout above 0",
  types: [...COMMANDS, "spillway:*"],
  *find({ type, props, timeouts }) {
    const isCommand = COMMAND.test(type);
    if (!isCommand && !OWN.test(type)) return;
    yield* endless(props.connection, "connection", (timeouts?.create ?? 0) > 0);
    if (isCommand && timeouts && !(timeouts.create > 0)) yield { path: "options.customTimeouts.create" };
  },
};

/** Credentials among a container's words: an option and its value as two of them, or in a script. */
export const secretInArguments: Addition = {
  control: "secret-in-environment",
  types: [...POD_KINDS, ...Object.keys(DOCKER)],
  *find(resource) {
    for (const { path, words } of argumentsOf(resource)) {
      const texts = words.map((word) => textOf(word) ?? "");
      const found = texts.flatMap((text, i) =>
        !CREDENTIAL.test(text) &&
        !givesCredential(text) &&
        (isScript(text) || isHanded(texts[i - 1] ?? "", text))
          ? [i]
          : [],
      );
      for (const i of found) yield { path: `${path}[${i}]` };
      // A word for each of a command's: `mysqladmin`, `-uroot`, `-p...`.
      if (found.length === 0 && handsCredential(texts.filter((text) => !/\s/.test(text)).join(" ")))
        yield { path };
    }
  },
};

/** Whether a word is several, and hands over a credential. */
const isScript = (text: string): boolean => /^\S*\s/.test(text) && holdsCredential(text);

function* argumentsOf(resource: Resource): Generator<{ path: string; words: readonly unknown[] }> {
  for (const { containers } of podsOf(resource)) {
    for (const container of containers) yield* commandsOf(container);
  }
  for (const path of DOCKER[resource.type] ?? [])
    yield { path, words: listOf(at(resource.props, ...path.split("."))) };
}

/** Whether a word is the value of the option before it. */
function isHanded(option: string, value: string): boolean {
  const [, name = ""] = /^--?([a-z][\w-]+)$/i.exec(option) ?? [];
  return !value.startsWith("-") && isCredentialOption(name, value);
}

export const commands: readonly Control[] = [
  pipeToShell,
  disabledVerification,
  secretInCommand,
  hostKey,
  boundedTime,
];
