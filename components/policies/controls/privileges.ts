/** The Pod Security Standards: what a container may do. */
import { type Control, containerControl, podControl } from "../control.ts";
import { inherited, join, type Pod } from "../pods.ts";
import { at, isAbsent, isKnown, listOf, numberOf, textOf } from "../value.ts";
import { contexts, mustBeOff, mustBeSaid, source } from "./security-context.ts";

/** Root in a user namespace of the pod's own is nobody outside of it. What is not known yet may become one. */
const hasOwnUsers = ({ spec }: Pod): boolean => spec.hostUsers === false || !isKnown(spec.hostUsers);

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

/** What container runtimes give a container that asks for nothing. */
export const RUNTIME_CAPABILITIES: ReadonlySet<unknown> = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

const addedCapabilities = containerControl(
  {
    id: "added-capabilities",
    practice: "least-privilege",
    title: "Containers add no capability that their runtime would not give by itself",
    remedy: "leave it out of securityContext.capabilities.add",
    source,
  },
  function* ({ props, path }) {
    for (const [i, each] of listOf(at(props, "securityContext", "capabilities", "add")).entries()) {
      if (isKnown(each) && !RUNTIME_CAPABILITIES.has(each))
        yield { path: `${join(path, "securityContext.capabilities.add")}[${i}]`, what: "is added" };
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

export const privileges: readonly Control[] = [
  privileged,
  addedCapabilities,
  capabilities,
  privilegeEscalation,
  runAsNonRoot,
  runAsUser,
];
