/** The Pod Security Standards: what of its host a container sees. */
import { type Control, containerControl, podControl } from "../control.ts";
import { containersKnown, inherited, join, type Pod } from "../pods.ts";
import type { Finding } from "../resource.ts";
import { at, isAbsent, isKnown, isObject, isOn, listOf, numberOf, textOf } from "../value.ts";
import { contexts, mustBeOff, source } from "./security-context.ts";

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

const SECCOMP_ANNOTATION = /^(container\.)?seccomp\.security\.alpha\.kubernetes\.io\//;

const unconfinedSeccomp = podControl(
  {
    id: "unconfined-seccomp",
    practice: "isolation",
    title: "The filter of system calls is not switched off",
    remedy: 'set seccompProfile.type to "RuntimeDefault" or "Localhost"',
    source,
  },
  function* (pod) {
    yield* unconfined(pod.metadata, SECCOMP_ANNOTATION, "unconfined");
    yield* profiles(pod, "seccompProfile");
  },
);

const seccomp = podControl(
  {
    id: "seccomp",
    practice: "isolation",
    title: "System calls are filtered: seccomp is RuntimeDefault or Localhost",
    remedy: 'set securityContext.seccompProfile.type to "RuntimeDefault", for the pod or each container',
    source,
  },
  function* (pod) {
    yield* unconfined(pod.metadata, SECCOMP_ANNOTATION, "unconfined");
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

export const isolation: readonly Control[] = [
  windowsHostProcess,
  hostNamespaces,
  hostPath,
  hostPort,
  hostProbes,
  procMount,
  unconfinedSeccomp,
  seccomp,
  appArmor,
  seLinux,
  sysctls,
  volumeTypes,
];
