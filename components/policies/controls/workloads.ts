import { type Control, containerControl, podControl } from "../control.ts";
import { join } from "../pods.ts";
import { parseQuantity } from "../quantity.ts";
import type { Settings } from "../settings.ts";
import { at, isAbsent, isKnown, isObject, isOn, leaves, listOf, textOf } from "../value.ts";
import { mustBeSaid } from "./security-context.ts";

const readOnlyRoot = containerControl(
  {
    id: "read-only-root",
    practice: "isolation",
    title: "Containers cannot change the files they are made of",
    remedy:
      "set securityContext.readOnlyRootFilesystem to true, and mount an emptyDir where files are written",
  },
  function* ({ props, path }, pod) {
    if (pod.isWindows) return;
    const value = at(props, "securityContext", "readOnlyRootFilesystem");
    yield* mustBeSaid(value, true, pod, { path: join(path, "securityContext.readOnlyRootFilesystem") });
  },
);

/** A limit that is there, can be read and is no higher than the site allows. */
const limit = (
  resource: "cpu" | "memory",
  title: string,
  remedy: string,
  most: (settings: Settings) => number,
): Control =>
  containerControl(
    { id: `${resource}-limit`, practice: "resource-limits", title, remedy },
    function* ({ props, path, role }, pod, settings) {
      if (role === "ephemeralContainers") return;
      const own = at(props, "resources", "limits", resource);
      const place = join(path, `resources.limits.${resource}`);
      // A limit of the pod as a whole holds for its containers.
      const value = isAbsent(own) ? at(pod.spec, "resources", "limits", resource) : own;
      if (!isKnown(value) || (pod.isPatch && isAbsent(value))) return;
      if (isAbsent(value)) return yield { path: place, what: "there is none" };
      const quantity = parseQuantity(value);
      if (quantity === undefined) yield { path: place, what: "Kubernetes cannot read it" };
      else if (quantity <= 0) yield { path: place, what: "it is 0, which is no limit" };
      else if (quantity > most(settings)) yield { path: place, what: "it is above the site's highest" };
    },
  );

const cpuLimit = limit(
  "cpu",
  "Containers have a limit of processor time",
  "set resources.limits.cpu, at most settings.maxCpu",
  ({ maxCpu }) => maxCpu,
);

const memoryLimit = limit(
  "memory",
  "Containers have a limit of memory",
  "set resources.limits.memory, at most settings.maxMemory",
  ({ maxMemory }) => maxMemory,
);

/** A probe that asks something. */
const asks = (probe: unknown): boolean =>
  isObject(probe) && ["httpGet", "tcpSocket", "exec", "grpc"].some((way) => !isAbsent(probe[way]));

const ends = (restartPolicy: unknown): boolean =>
  restartPolicy === "Never" || restartPolicy === "OnFailure" || !isKnown(restartPolicy);

const SERVING = new Set([
  "Pod",
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "ReplicationController",
]);

const probe = (kind: "livenessProbe" | "readinessProbe", id: string, title: string): Control =>
  containerControl(
    { id, practice: "resource-limits", title, remedy: `give the container a ${kind}` },
    function* ({ props, path, role, isSidecar }, pod) {
      // What ends by itself, or is there for a look, is not probed.
      if (!SERVING.has(pod.kind) || (role !== "containers" && !isSidecar)) return;
      if (pod.kind === "Pod" && ends(pod.spec.restartPolicy)) return;
      const value = props[kind];
      if (!isKnown(value) || (pod.isPatch && isAbsent(value))) return;
      if (!asks(value)) yield { path: join(path, kind) };
    },
  );

const livenessProbe = probe(
  "livenessProbe",
  "liveness-probe",
  "A container that hangs is noticed and started again",
);

const readinessProbe = probe(
  "readinessProbe",
  "readiness-probe",
  "A container gets requests when it is ready for them",
);

const serviceAccountToken = podControl(
  {
    id: "service-account-token",
    practice: "least-privilege",
    title: "Pods get no credential of the API unless they ask for one of their own",
    remedy:
      "set automountServiceAccountToken to false; what needs the API names a service account of its own and mounts a projected token",
  },
  function* (pod) {
    const value = pod.spec.automountServiceAccountToken;
    yield* mustBeSaid(value, false, pod, { path: join(pod.path, "automountServiceAccountToken") });
  },
);

/** Sockets by which a container runtime is told what to run. */
export const SOCKETS =
  /(?:^|\/)(?:docker|dockershim|containerd|crio|podman|buildkitd|cri-dockerd|frakti|rktlet|k3s\/containerd)[\w./-]{0,200}\.sock\b/i;

const runtimeSocket = podControl(
  {
    id: "runtime-socket",
    practice: "isolation",
    title: "No container reaches the socket of its container runtime",
    remedy: "build images with a rootless builder, and ask the API instead of the runtime",
  },
  function* ({ spec, path, containers }) {
    for (const [i, volume] of listOf(spec.volumes).entries()) {
      const host = textOf(at(volume, "hostPath", "path"));
      if (host !== undefined && SOCKETS.test(plain(host)))
        yield { path: `${path}.volumes[${i}].hostPath.path` };
    }
    for (const { props, path: place } of containers) {
      for (const [i, variable] of listOf(props.env).entries()) {
        const value = textOf(at(variable, "value"));
        if (value !== undefined && /^unix:/.test(value) && SOCKETS.test(plain(value)))
          yield { path: `${place}.env[${i}].value` };
      }
    }
  },
);

/** A path without `//` and `/./`. */
const plain = (path: string): string => path.replace(/\/(?:\.?\/)+/g, "/");

/** Names of variables that hold credentials; `_FILE` and its like name a place. */
const CREDENTIAL_NAME =
  /(?:password|passwd|passphrase)s?$|[._-]pwd$|(?:^|[._-])(?:pass|(?:secret|token|credential|(?:api|access|private|secret|auth)[._-]?key)s?)$/i;

/** Values that are credentials, whatever their name. */
export const CREDENTIAL =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_\w{22,}\b|\bglpat-[\w-]{20,}\b|\bxox[abprs]-[\w-]{10,}\b|\bAIza[\w-]{35}\b|\bsk_live_[0-9a-zA-Z]{20,}\b|\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]{10,}|\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@$]*:[^\s:/@$]{3,}@/;

/** Camel case counts as words. */
export const namesCredential = (name: string): boolean =>
  CREDENTIAL_NAME.test(name.replace(/([a-z0-9])([A-Z])/g, "$1_$2"));

/** What a variable says about a credential, such as that none is needed. */
const SWITCH = /^(?:|true|false|yes|no|on|off)$/i;

/** Whether a variable's name says that its value is a credential, and it may be one. */
export const isCredential = (name: string, value: string): boolean =>
  namesCredential(name) && !SWITCH.test(value);

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
    title: "Credentials do not stand in a pod's description",
    remedy: "keep it in a Secret; mount that as a file, or name it with valueFrom.secretKeyRef",
  },
  function* ({ props, path }) {
    for (const [i, variable] of listOf(props.env).entries()) {
      const [name, value] = [textOf(at(variable, "name")) ?? "", textOf(at(variable, "value"))];
      if (
        value !== undefined &&
        !REFERENCE.test(value) &&
        !CREDENTIAL.test(value) &&
        isCredential(name, value)
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

const sharedProcesses = podControl(
  {
    id: "shared-processes",
    practice: "isolation",
    title: "Containers of a pod do not see each other's processes, and so their secrets",
    remedy: "leave out shareProcessNamespace",
  },
  function* ({ spec, path }) {
    if (isOn(spec.shareProcessNamespace)) yield { path: join(path, "shareProcessNamespace") };
  },
);

export const workloads: readonly Control[] = [
  readOnlyRoot,
  cpuLimit,
  memoryLimit,
  livenessProbe,
  readinessProbe,
  serviceAccountToken,
  runtimeSocket,
  secretInEnvironment,
  sharedProcesses,
];
