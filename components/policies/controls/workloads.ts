import { type Addition, type Control, containerControl, podControl } from "../control.ts";
import { join, objectsOf } from "../pods.ts";
import { parseQuantity } from "../quantity.ts";
import type { Settings } from "../settings.ts";
import { at, isAbsent, isFalse, isKnown, isObject, isOn, listOf, textOf } from "../value.ts";
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
      else if (quantity <= 0) yield { path: place, what: "it is not above 0, which is no limit" };
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

/** Kinds whose pods end; custom resources among them are named so, but for the runners of GitHub. */
const ENDING = /^(?:PodTemplate|AutoscalingRunnerSet|EphemeralRunner(?:Set)?)$|Job$/;

const probe = (kind: "livenessProbe" | "readinessProbe", id: string, title: string): Control =>
  containerControl(
    { id, practice: "resource-limits", title, remedy: `give the container a ${kind}` },
    function* ({ props, path, role, isSidecar }, pod) {
      // What ends by itself, or is there for a look, is not probed.
      if (ENDING.test(pod.kind) || (role !== "containers" && !isSidecar)) return;
      if (ends(pod.spec.restartPolicy)) return;
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
const SOCKETS =
  /^\\\\\.\\pipe\\(?:docker|containerd|cri|podman)|(?:^|\/)(?:docker|dockershim|containerd|crio|podman|buildkitd|cri-dockerd|frakti|rktlet|k3s\/containerd)[\w./-]{0,200}\.sock\b/i;

/** Folders that hold one; that a mount is read-only keeps nobody from a socket in it. */
const SOCKET_FOLDERS =
  /^\/$|^\/var$|^(?:\/var)?\/run(?:\/(?:(?:docker|k3s|k0s)(?:\/containerd)?|dockershim|cri-dockerd|containerd(?:\/s)?|crio|podman|buildkit|user(?:\/\d+(?:\/(?:docker|podman|containerd))?)?))?$|^\/var\/snap\/microk8s\/(?:common|current)(?:\/run)?$/;

/** Whether who has a path of the host reaches the socket of its container runtime. */
export function reachesRuntime(path: string): boolean {
  // Without `//` and `/./`, and without the way round by a process.
  const short = path.replace(/\/(?:\.?\/)+/g, "/").replace(/^\/proc\/[^/]+\/root(?=\/|$)/, "") || "/";
  return SOCKETS.test(short) || SOCKET_FOLDERS.test(short.replace(/(?<=.)\/\.?$/, ""));
}

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
      if (host !== undefined && reachesRuntime(host)) yield { path: `${path}.volumes[${i}].hostPath.path` };
    }
    for (const { props, path: place } of containers) {
      for (const [i, variable] of listOf(props.env).entries()) {
        const value = textOf(at(variable, "value"));
        if (value !== undefined && /^unix:/.test(value) && reachesRuntime(value))
          yield { path: `${place}.env[${i}].value` };
      }
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
  sharedProcesses,
];

/** What an account says holds for pods that say nothing, and a namespace's own account for those that name none. */
export const accountToken: Addition = {
  control: "service-account-token",
  types: ["ServiceAccount"],
  *find(resource) {
    for (const { type, props, path } of objectsOf(resource)) {
      if (type.kind !== "ServiceAccount" || type.group !== "core") continue;
      const value = props.automountServiceAccountToken;
      const isOwn = at(props, "metadata", "name") === "default" && !type.isPatch;
      if (isKnown(value) && (isAbsent(value) ? isOwn : !isFalse(value)))
        yield { path: join(path, "automountServiceAccountToken") };
    }
  },
};
