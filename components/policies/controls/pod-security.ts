/**
 * The Pod Security Standards, baseline and restricted, as Kubernetes 1.35 enforces them at its newest level.
 * Where the restricted level is the stricter of two checks of one thing, there is one control, the restricted.
 *
 * Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and the checks in
 * k8s.io/pod-security-admission/policy.
 */
import { type Control, containerControl, podControl } from "../control.ts";
import { containersKnown, inherited, join, type Pod } from "../pods.ts";
import type { Finding } from "../resource.ts";
import {
  at,
  isAbsent,
  isFalse,
  isKnown,
  isObject,
  isOn,
  isTrue,
  listOf,
  numberOf,
  textOf,
} from "../value.ts";

const source = "Pod Security Standards";

/** Root in a user namespace of the pod's own is nobody outside of it. What is not known yet may become one. */
const hasOwnUsers = ({ spec }: Pod): boolean => spec.hostUsers === false || !isKnown(spec.hostUsers);

/** The security context of a pod, and of each container. */
function* contexts(pod: Pod): Generator<{ path: string; value: unknown }> {
  yield { path: join(pod.path, "securityContext"), value: pod.spec.securityContext };
  for (const { path, props } of pod.containers)
    yield { path: join(path, "securityContext"), value: props.securityContext };
}

/** Wherever a setting of a security context is on that must be off. */
const mustBeOff = (about: Omit<Control, "find" | "types" | "source">, ...keys: string[]): Control =>
  podControl({ ...about, source }, function* (pod) {
    for (const { path, value } of contexts(pod))
      if (isOn(at(value, ...keys))) yield { path: [path, ...keys].join(".") };
  });

const privileged = mustBeOff(
  {
    id: "privileged",
    practice: "least-privilege",
    title: "No container is privileged",
    remedy:
      "leave out securityContext.privileged; add the single capability that is needed, if it is allowed",
  },
  "privileged",
);

const windowsHostProcess = mustBeOff(
  {
    id: "windows-host-process",
    practice: "isolation",
    title: "No Windows container runs as a process of its host",
    remedy: "leave out securityContext.windowsOptions.hostProcess",
  },
  "windowsOptions",
  "hostProcess",
);

const hostNamespaces = podControl(
  {
    id: "host-namespaces",
    practice: "isolation",
    title: "Pods have network, process and IPC namespaces of their own",
    remedy: "leave out hostNetwork, hostPID and hostIPC",
    source,
  },
  function* ({ spec, path }) {
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) {
      if (isOn(spec[key])) yield { path: join(path, key) };
    }
  },
);

const hostPath = podControl(
  {
    id: "host-path",
    practice: "isolation",
    title: "Pods mount no path of their host",
    remedy: "use a PersistentVolumeClaim, an emptyDir, a ConfigMap or a Secret",
    source,
  },
  function* ({ spec, path }) {
    for (const [i, volume] of listOf(spec.volumes).entries()) {
      const value = at(volume, "hostPath");
      if (isKnown(value) && !isAbsent(value)) yield { path: `${path}.volumes[${i}].hostPath` };
    }
  },
);

const hostPort = containerControl(
  {
    id: "host-port",
    practice: "network-segmentation",
    title: "Containers take no port of their host",
    remedy: "leave out hostPort and make a Service",
    source,
  },
  function* ({ props, path }) {
    for (const [i, port] of listOf(props.ports).entries()) {
      const value = at(port, "hostPort");
      if (isKnown(value) && !isAbsent(value) && numberOf(value) !== 0)
        yield { path: `${path}.ports[${i}].hostPort` };
    }
  },
);

const hostProbes = containerControl(
  {
    id: "host-probe",
    practice: "network-segmentation",
    title: "Probes and lifecycle hooks ask the pod itself, not another host",
    remedy: "leave out `host` below httpGet and tcpSocket",
    source,
  },
  function* ({ props, path }) {
    const handlers = [
      ["livenessProbe"],
      ["readinessProbe"],
      ["startupProbe"],
      ["lifecycle", "postStart"],
      ["lifecycle", "preStop"],
    ];
    for (const keys of handlers) {
      for (const action of ["httpGet", "tcpSocket"]) {
        const host = at(props, ...keys, action, "host");
        if (typeof host === "string" && host !== "")
          yield { path: [path, ...keys, action, "host"].join(".") };
      }
    }
  },
);

const capabilities = containerControl(
  {
    id: "capabilities",
    practice: "least-privilege",
    title: "Containers drop all capabilities, and add none but NET_BIND_SERVICE",
    remedy: 'set securityContext.capabilities.drop to ["ALL"], and add at most NET_BIND_SERVICE',
    source,
  },
  function* ({ props, path }, pod) {
    const place = join(path, "securityContext.capabilities");
    const value = at(props, "securityContext", "capabilities");
    if (!isKnown(value)) return;
    const add = at(value, "add");
    for (const [i, each] of listOf(add).entries()) {
      if (isKnown(each) && each !== "NET_BIND_SERVICE")
        yield { path: `${place}.add[${i}]`, what: "is added" };
    }
    if (pod.isWindows) return;
    const drop = at(value, "drop");
    const unknown = !isKnown(drop) || listOf(drop).some((each) => !isKnown(each));
    if (unknown || listOf(drop).includes("ALL")) return;
    if (!(pod.isPatch && isAbsent(drop))) yield { path: `${place}.drop`, what: "ALL is not dropped" };
  },
);

const PROC_MOUNTS = new Set<unknown>(["", "Default"]);

const procMount = containerControl(
  {
    id: "proc-mount",
    practice: "isolation",
    title: "Containers see the masked /proc",
    remedy: "leave out securityContext.procMount",
    source,
  },
  function* ({ props, path }) {
    const value = at(props, "securityContext", "procMount");
    if (isKnown(value) && !isAbsent(value) && !PROC_MOUNTS.has(value))
      yield { path: join(path, "securityContext.procMount") };
  },
);

const CONFINED = new Set<unknown>(["RuntimeDefault", "Localhost"]);

const seccomp = podControl(
  {
    id: "seccomp",
    practice: "isolation",
    title: "System calls are filtered: seccomp is RuntimeDefault or Localhost",
    remedy: 'set securityContext.seccompProfile.type to "RuntimeDefault", for the pod or each container',
    source,
  },
  function* (pod) {
    yield* unconfined(
      pod.metadata,
      /^(container\.)?seccomp\.security\.alpha\.kubernetes\.io\//,
      "unconfined",
    );
    if (pod.isWindows) return;
    yield* profiles(pod, "seccompProfile");
    if (pod.isPatch || !containersKnown(pod)) return;
    for (const container of pod.containers) {
      const { value, path } = inherited(pod, container, "seccompProfile");
      if (isAbsent(value)) yield { path, what: "nothing is said" };
    }
  },
);

const appArmor = podControl(
  {
    id: "app-armor",
    practice: "isolation",
    title: "AppArmor is not switched off",
    remedy: 'leave out the AppArmor profile, or set its type to "RuntimeDefault" or "Localhost"',
    source,
  },
  function* (pod) {
    yield* profiles(pod, "appArmorProfile");
    const annotations = at(pod.metadata.props, "annotations");
    if (!isObject(annotations)) return;
    for (const [key, value] of Object.entries(annotations)) {
      if (!key.startsWith("container.apparmor.security.beta.kubernetes.io/")) continue;
      if (typeof value !== "string" || value === "" || value === "runtime/default") continue;
      if (!value.startsWith("localhost/"))
        yield { path: `${join(pod.metadata.path, "annotations")}[${JSON.stringify(key)}]` };
    }
  },
);

/** Profiles that are given and confine nothing. */
function* profiles(pod: Pod, key: string): Generator<Finding> {
  for (const { path, value } of contexts(pod)) {
    const profile = at(value, key);
    if (!isKnown(profile) || isAbsent(profile)) continue;
    const type = at(profile, "type");
    if (isKnown(type) && !CONFINED.has(type)) yield { path: `${path}.${key}.type` };
  }
}

function* unconfined(metadata: Pod["metadata"], name: RegExp, bad: string): Generator<Finding> {
  const annotations = at(metadata.props, "annotations");
  if (!isObject(annotations)) return;
  for (const [key, value] of Object.entries(annotations)) {
    if (name.test(key) && value === bad)
      yield { path: `${join(metadata.path, "annotations")}[${JSON.stringify(key)}]` };
  }
}

const SELINUX_TYPES = new Set<unknown>([
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
]);

const seLinux = podControl(
  {
    id: "selinux",
    practice: "isolation",
    title: "SELinux confines containers as usual: no user, no role, no type of another domain",
    remedy:
      "leave out user and role; the type may be container_t, container_init_t, container_kvm_t or container_engine_t",
    source,
  },
  function* (pod) {
    for (const { path, value } of contexts(pod)) {
      const options = at(value, "seLinuxOptions");
      if (!isObject(options)) continue;
      const { type } = options;
      if (isKnown(type) && !isAbsent(type) && !SELINUX_TYPES.has(type))
        yield { path: `${path}.seLinuxOptions.type` };
      for (const key of ["user", "role"]) {
        const text = options[key];
        if (isKnown(text) && !isAbsent(text) && text !== "") yield { path: `${path}.seLinuxOptions.${key}` };
      }
    }
  },
);

const SYSCTLS = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

const sysctls = podControl(
  {
    id: "sysctls",
    practice: "isolation",
    title: "Pods set no kernel parameter that reaches beyond them",
    remedy: `leave it out; allowed are ${[...SYSCTLS].join(", ")}`,
    source,
  },
  function* ({ spec, path }) {
    for (const [i, sysctl] of listOf(at(spec, "securityContext", "sysctls")).entries()) {
      const name = textOf(at(sysctl, "name"));
      // The kernel takes a slash for a dot.
      if (name !== undefined && !SYSCTLS.has(name.replaceAll("/", ".")))
        yield { path: `${path}.securityContext.sysctls[${i}].name` };
    }
  },
);

const VOLUMES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

const volumeTypes = podControl(
  {
    id: "volume-types",
    practice: "isolation",
    title:
      "Pods use volumes that their namespace grants, and none that reach a host or a server by themselves",
    remedy: `use one of ${VOLUMES.join(", ")}`,
    source,
  },
  function* ({ spec, path }) {
    for (const [i, volume] of listOf(spec.volumes).entries()) {
      if (!isObject(volume)) continue;
      const kinds = Object.keys(volume).filter(
        (key) => key !== "name" && isKnown(volume[key]) && !isAbsent(volume[key]),
      );
      // Kubernetes makes an emptyDir of one that names no source.
      const bad = kinds.find((kind) => !VOLUMES.includes(kind));
      if (bad !== undefined) yield { path: `${path}.volumes[${i}].${bad}` };
    }
  },
);

const privilegeEscalation = containerControl(
  {
    id: "privilege-escalation",
    practice: "least-privilege",
    title: "No process in a container may gain privileges",
    remedy: "set securityContext.allowPrivilegeEscalation to false for each container",
    source,
  },
  function* ({ props, path }, pod) {
    if (pod.isWindows) return;
    yield* mustBeSaid(at(props, "securityContext", "allowPrivilegeEscalation"), false, pod, {
      path: join(path, "securityContext.allowPrivilegeEscalation"),
    });
  },
);

/** A switch that has to be set one way, and must not be left out. */
export function* mustBeSaid(
  value: unknown,
  wanted: boolean,
  { isPatch }: Pod,
  place: Finding,
): Generator<Finding> {
  if (!isKnown(value) || (isPatch && isAbsent(value))) return;
  if (isAbsent(value)) yield { ...place, what: "nothing is said" };
  else if (!(wanted ? isTrue(value) : isFalse(value))) yield place;
}

const runAsNonRoot = podControl(
  {
    id: "run-as-non-root",
    practice: "least-privilege",
    title: "Containers say that they do not run as root",
    remedy: "set securityContext.runAsNonRoot to true, for the pod or each container",
    source,
  },
  function* (pod) {
    if (hasOwnUsers(pod)) return;
    const own = at(pod.spec, "securityContext", "runAsNonRoot");
    const place = { path: `${pod.path}.securityContext.runAsNonRoot` };
    if (!isAbsent(own)) yield* mustBeSaid(own, true, pod, place);
    for (const container of pod.containers) {
      const { value, path } = inherited(pod, container, "runAsNonRoot");
      if (path !== place.path) yield* mustBeSaid(value, true, pod, { path });
    }
  },
);

const WINDOWS_ADMINISTRATOR = "containeradministrator";

const runAsUser = podControl(
  {
    id: "run-as-user",
    practice: "least-privilege",
    title: "Containers do not name root as their user",
    remedy: "leave out securityContext.runAsUser, or give a number above 0",
    source,
  },
  function* (pod) {
    if (hasOwnUsers(pod)) return;
    for (const { path, value } of contexts(pod)) {
      const user = at(value, "runAsUser");
      const number = numberOf(user) ?? 0;
      if (isKnown(user) && !isAbsent(user) && !(number > 0)) yield { path: `${path}.runAsUser` };
      const name = textOf(at(value, "windowsOptions", "runAsUserName"));
      if (name?.toLowerCase().split("\\").at(-1) === WINDOWS_ADMINISTRATOR)
        yield { path: `${path}.windowsOptions.runAsUserName` };
    }
  },
);

export const podSecurity: readonly Control[] = [
  privileged,
  windowsHostProcess,
  hostNamespaces,
  hostPath,
  hostPort,
  hostProbes,
  capabilities,
  procMount,
  seccomp,
  appArmor,
  seLinux,
  sysctls,
  volumeTypes,
  privilegeEscalation,
  runAsNonRoot,
  runAsUser,
];
