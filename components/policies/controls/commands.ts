/** Commands: on hosts over SSH, on the computer that runs Pulumi, and in containers. */
import type { Control } from "../control.ts";
import { podsOf } from "../pods.ts";
import type { Finding, Resource } from "../resource.ts";
import { disablesVerification, runsWhatItFetches } from "../shell.ts";
import { at, isAbsent, isKnown, isObject, listOf, numberOf, textOf } from "../value.ts";
import { CREDENTIAL, isCredential } from "./secrets.ts";

const COMMAND = /^command:(?:remote|local):(?:Command|CopyToRemote|CopyFile|run|runOutput)$/;
const REMOTE = /^command:remote:/;
const OWN = /^spillway:/;

const COMMANDS = ["command:remote:Command", "command:local:Command"];
const EVENTS = ["create", "update", "delete", "command"];

/** Shell text of a resource, with where it stands. */
function* scripts(resource: Resource): Generator<{ path: string; text: string }> {
  if (COMMAND.test(resource.type)) {
    for (const key of EVENTS) {
      const text = textOf(resource.props[key]);
      if (text !== undefined) yield { path: key, text };
    }
    for (const [i, each] of listOf(resource.props.interpreter).entries()) {
      if (typeof each === "string") yield { path: `interpreter[${i}]`, text: each };
    }
  }
  for (const { containers } of podsOf(resource)) {
    for (const { path, props } of containers) {
      for (const key of ["command", "args"]) {
        const words = listOf(props[key]).filter((word) => typeof word === "string");
        if (words.length > 0) yield { path: `${path}.${key}`, text: words.join(" ") };
      }
    }
  }
}

const scriptControl = (
  about: Omit<Control, "find" | "types">,
  isBad: (text: string) => boolean,
): Control => ({
  ...about,
  types: [...COMMANDS, "containers of all kinds"],
  *find(resource) {
    for (const { path, text } of scripts(resource)) if (isBad(text)) yield { path };
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
      if (text !== undefined && (CREDENTIAL.test(text) || ASSIGNED.test(text))) yield { path: key };
    }
    const environment = isObject(props.environment) ? props.environment : {};
    for (const [name, value] of Object.entries(environment)) {
      if (typeof value !== "string" || value === "") continue;
      if (isCredential(name, value) || CREDENTIAL.test(value)) yield { path: `environment.${name}` };
    }
  },
};

/** `PASSWORD=...`, `--password ...` with a literal value: not a variable, a file or a command's output. */
const ASSIGNED =
  /(?:^|[\s;&|"'(-])(?:\w*_)?(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key)(?:=|\s+)(?:"|')?(?![\s$"'`<({|/@.-]|file\b|env\b|stdin\b)[^\s"'$`;&|]{6,}/i;

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

const boundedTime: Control = {
  id: "bounded-time",
  practice: "resource-limits",
  title: "Commands end: connections are tried for a while, and commands may not take for ever",
  remedy:
    "set customTimeouts in the resource's options; leave connection.dialErrorLimit and perDialTimeout above 0",
  types: COMMANDS,
  *find({ type, props, timeouts }) {
    if (!COMMAND.test(type)) return;
    for (const key of ["dialErrorLimit", "perDialTimeout"]) {
      const limit = numberOf(at(props, "connection", key));
      if (limit !== undefined && limit <= 0) yield { path: `connection.${key}`, what: "0 means for ever" };
    }
    if (timeouts && !(timeouts.create > 0)) yield { path: "options.customTimeouts.create" };
  },
};

export const commands: readonly Control[] = [
  pipeToShell,
  disabledVerification,
  secretInCommand,
  hostKey,
  boundedTime,
];
