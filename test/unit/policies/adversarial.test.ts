import { describe, expect, test } from "vitest";
import { judge } from "../../../components/policies/judge.ts";
import type { Resource } from "../../../components/policies/resource.ts";
import { settingsOf } from "../../../components/policies/settings.ts";
import { isObject, leaves, type Properties, UNKNOWN } from "../../../components/policies/value.ts";

const settings = settingsOf(
  { registries: ["registry.example.com/team"] },
  { known: new Set(), today: "2026-01-01" },
);

const HEX = "0123456789abcdef".repeat(4);
const IMAGE = `registry.example.com/team/app@sha256:${HEX}`;

const container = (more: Properties = {}): Properties => ({
  name: "app",
  image: IMAGE,
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  },
  resources: { limits: { cpu: "500m", memory: "1Gi" } },
  livenessProbe: { httpGet: { path: "/", port: 80 } },
  readinessProbe: { tcpSocket: { port: 80 } },
  ...more,
});

const spec = (more: Properties = {}): Properties => ({
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  containers: [container()],
  ...more,
});

const pod = (more: Properties = {}): Properties => ({ metadata: { name: "app" }, spec: spec(more) });

const resource = (props: Properties, type = "kubernetes:core/v1:Pod"): Resource => ({
  type,
  name: "app",
  props,
});

const broken = (subject: Resource): string[] =>
  [...new Set(judge(subject, settings).map(({ control }) => control))].sort();

/** Sets values by dotted paths below a pod's spec; `c.` stands for its container, `m.` for the metadata. */
function changed(changes: Properties, props = pod()): Properties {
  for (const [short, value] of Object.entries(changes)) {
    const path = `spec.${short}`
      .replace(/^spec\.c\./, "spec.containers.0.")
      .replace(/^spec\.m\./, "metadata.");
    const keys = path.split(".").map((key) => key.replaceAll("|", "."));
    const last = keys.pop()!;
    let place = props;
    for (const key of keys) {
      place[key] ??= {};
      place = place[key] as Properties;
    }
    if (value === undefined) delete place[last];
    else place[last] = value;
  }
  return props;
}

/** Changes of a pod that breaks nothing, and all the controls that they break. */
type Case = [name: string, changes: Properties, controls: string[]];

const env = (name: string, value: unknown): Properties => ({ "c.env": [{ name, value }] });
const image = (text: unknown): Properties => ({ "c.image": text });
const volume = (source: Properties): Properties => ({ volumes: [{ name: "v", ...source }] });
const limit = (cpu: unknown): Properties => ({ "c.resources.limits.cpu": cpu });
const memory = (value: unknown): Properties => ({ "c.resources.limits.memory": value });
const bare = { name: "bare", image: IMAGE };
const ADDED = ["added-capabilities", "capabilities"];
const UNCONFINED = ["seccomp", "unconfined-seccomp"];
const BARE = ["capabilities", "cpu-limit", "memory-limit", "privilege-escalation", "read-only-root"];

const SECURITY: Case[] = [
  ["nothing", {}, []],
  ["privileged", { "c.securityContext.privileged": true }, ["privileged"]],
  ["privileged as text", { "c.securityContext.privileged": "True" }, ["privileged"]],
  ["privileged as another word", { "c.securityContext.privileged": "yes" }, ["privileged"]],
  ["privileged as a number", { "c.securityContext.privileged": 1 }, ["privileged"]],
  ["privileged: false as text", { "c.securityContext.privileged": "false" }, []],
  ["privileged: null", { "c.securityContext.privileged": null }, []],
  ["privileged for the pod", { "securityContext.privileged": true }, ["privileged"]],
  ["an init container without anything", { initContainers: [bare] }, BARE],
  [
    "a privileged init container",
    {
      initContainers: [
        container({
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
            privileged: true,
          },
        }),
      ],
    },
    ["privileged"],
  ],
  [
    "an ephemeral container without anything",
    { ephemeralContainers: [bare] },
    ["capabilities", "privilege-escalation", "read-only-root"],
  ],
  [
    "a sidecar without anything",
    { initContainers: [{ ...bare, restartPolicy: "Always" }] },
    [...BARE, "liveness-probe", "readiness-probe"],
  ],
  [
    "a second container without anything",
    { containers: [container(), bare] },
    [...BARE, "liveness-probe", "readiness-probe"],
  ],
  [
    "escalation left out",
    { "c.securityContext.allowPrivilegeEscalation": undefined },
    ["privilege-escalation"],
  ],
  ["escalation: null", { "c.securityContext.allowPrivilegeEscalation": null }, ["privilege-escalation"]],
  [
    "escalation as a word that YAML 1.1 takes for true",
    { "c.securityContext.allowPrivilegeEscalation": "yes" },
    ["privilege-escalation"],
  ],
  ["escalation as 1", { "c.securityContext.allowPrivilegeEscalation": 1 }, ["privilege-escalation"]],
  [
    "escalation as an empty text",
    { "c.securityContext.allowPrivilegeEscalation": "" },
    ["privilege-escalation"],
  ],
  [
    "escalation for the pod only",
    {
      "c.securityContext.allowPrivilegeEscalation": undefined,
      "securityContext.allowPrivilegeEscalation": false,
    },
    ["privilege-escalation"],
  ],
  ["a token as a word", { automountServiceAccountToken: "on" }, ["service-account-token"]],
  ["a token as 1", { automountServiceAccountToken: 1 }, ["service-account-token"]],
  ["a token: null", { automountServiceAccountToken: null }, ["service-account-token"]],
  ["a token: false as text", { automountServiceAccountToken: "False" }, []],
  [
    "root for the pod, overridden by its container",
    { "securityContext.runAsNonRoot": false, "c.securityContext.runAsNonRoot": true },
    ["run-as-non-root"],
  ],
  [
    "not root for the pod, root for its container",
    { "c.securityContext.runAsNonRoot": false },
    ["run-as-non-root"],
  ],
  ["not root for the pod, null for its container", { "c.securityContext.runAsNonRoot": null }, []],
  [
    "not root for the container only",
    { "securityContext.runAsNonRoot": undefined, "c.securityContext.runAsNonRoot": true },
    [],
  ],
  ["not root as 1", { "securityContext.runAsNonRoot": 1 }, ["run-as-non-root"]],
  ["user 0", { "c.securityContext.runAsUser": 0 }, ["run-as-user"]],
  ["user -0", { "c.securityContext.runAsUser": -0 }, ["run-as-user"]],
  ["user 0 as text", { "c.securityContext.runAsUser": "0" }, ["run-as-user"]],
  ["user 0 in another base", { "c.securityContext.runAsUser": "0o0" }, ["run-as-user"]],
  ["user 0 with spaces", { "c.securityContext.runAsUser": " 00 " }, ["run-as-user"]],
  [
    "user 0 for the pod, overridden",
    { "securityContext.runAsUser": 0, "c.securityContext.runAsUser": 1000 },
    ["run-as-user"],
  ],
  ["user below 0", { "c.securityContext.runAsUser": -1 }, ["run-as-user"]],
  ["user 1000", { "c.securityContext.runAsUser": 1000 }, []],
  ["user: null", { "c.securityContext.runAsUser": null }, []],
  [
    "root of a user namespace of its own",
    { hostUsers: false, "securityContext.runAsNonRoot": false, "c.securityContext.runAsUser": 0 },
    [],
  ],
  [
    "root of a user namespace in words",
    { hostUsers: "false", "c.securityContext.runAsUser": 0 },
    ["run-as-user"],
  ],
  ["root with the host's users", { hostUsers: true, "c.securityContext.runAsUser": 0 }, ["run-as-user"]],
  [
    "an administrator of Windows",
    { "c.securityContext.windowsOptions": { runAsUserName: "NT\\ContainerAdministrator" } },
    ["run-as-user"],
  ],
  [
    "a host process of Windows",
    { "securityContext.windowsOptions": { hostProcess: true } },
    ["windows-host-process"],
  ],
  ["capabilities: null", { "c.securityContext.capabilities": null }, ["capabilities"]],
  ["ALL in lower case", { "c.securityContext.capabilities.drop": ["all"] }, ["capabilities"]],
  ["CAP_ALL dropped", { "c.securityContext.capabilities.drop": ["CAP_ALL"] }, ["capabilities"]],
  [
    "each capability dropped by its name",
    { "c.securityContext.capabilities.drop": ["NET_RAW", "SYS_ADMIN"] },
    ["capabilities"],
  ],
  ["ALL dropped as a text", { "c.securityContext.capabilities.drop": "ALL" }, ["capabilities"]],
  ["ALL dropped with others", { "c.securityContext.capabilities.drop": ["NET_RAW", "ALL"] }, []],
  ["ALL dropped, ALL added", { "c.securityContext.capabilities.add": ["ALL"] }, ADDED],
  ["NET_BIND_SERVICE added", { "c.securityContext.capabilities.add": ["NET_BIND_SERVICE"] }, []],
  [
    "NET_BIND_SERVICE added with its prefix",
    { "c.securityContext.capabilities.add": ["CAP_NET_BIND_SERVICE"] },
    ADDED,
  ],
  ["a capability added in lower case", { "c.securityContext.capabilities.add": ["sys_admin"] }, ADDED],
  [
    "host network, processes and IPC",
    { hostNetwork: true, hostPID: "true", hostIPC: 1 },
    ["host-namespaces"],
  ],
  ["no host network", { hostNetwork: false, hostPID: null, hostIPC: "false" }, []],
  ["processes shared", { shareProcessNamespace: true }, ["shared-processes"]],
  ["a port of the host", { "c.ports": [{ containerPort: 80, hostPort: 80 }] }, ["host-port"]],
  [
    "a port of the host in another base",
    { "c.ports": [{ containerPort: 80, hostPort: "0o120" }] },
    ["host-port"],
  ],
  ["a port of the host: 0", { "c.ports": [{ containerPort: 80, hostPort: 0 }] }, []],
  [
    "a second port of the host",
    { "c.ports": [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] },
    ["host-port"],
  ],
  [
    "a probe of another host",
    { "c.livenessProbe": { httpGet: { host: "169.254.169.254", port: 80 } } },
    ["host-probe"],
  ],
  [
    "a hook of another host",
    { "c.lifecycle": { preStop: { tcpSocket: { host: "db", port: 80 } } } },
    ["host-probe"],
  ],
  ["a probe of no host", { "c.livenessProbe": { httpGet: { host: "", port: 80 } } }, []],
  ["an unmasked /proc", { "c.securityContext.procMount": "Unmasked" }, ["proc-mount"]],
  ["the usual /proc", { "c.securityContext.procMount": "Default" }, []],
  ["seccomp left out", { "securityContext.seccompProfile": undefined }, ["seccomp"]],
  [
    "seccomp for each container",
    {
      "securityContext.seccompProfile": undefined,
      "c.securityContext.seccompProfile": { type: "Localhost", localhostProfile: "p" },
    },
    [],
  ],
  [
    "seccomp of the pod, switched off by its container",
    { "c.securityContext.seccompProfile": { type: "Unconfined" } },
    UNCONFINED,
  ],
  ["seccomp of another case", { "securityContext.seccompProfile.type": "runtimeDefault" }, UNCONFINED],
  ["seccomp without a type", { "c.securityContext.seccompProfile": {} }, UNCONFINED],
  [
    "seccomp in an annotation that nothing reads now",
    {
      "securityContext.seccompProfile": undefined,
      "m.annotations.seccomp|security|alpha|kubernetes|io/pod": "runtime/default",
    },
    ["seccomp"],
  ],
  [
    "seccomp switched off by an annotation",
    { "m.annotations.container|seccomp|security|alpha|kubernetes|io/app": "unconfined" },
    UNCONFINED,
  ],
  [
    "AppArmor switched off by an annotation",
    { "m.annotations.container|apparmor|security|beta|kubernetes|io/app": "unconfined" },
    ["app-armor"],
  ],
  [
    "AppArmor by an annotation",
    { "m.annotations.container|apparmor|security|beta|kubernetes|io/app": "localhost/p" },
    [],
  ],
  ["AppArmor switched off", { "securityContext.appArmorProfile": { type: "Unconfined" } }, ["app-armor"]],
  [
    "SELinux's user, role and type",
    { "c.securityContext.seLinuxOptions": { user: "system_u", role: "system_r", type: "spc_t" } },
    ["selinux"],
  ],
  ["SELinux's level", { "c.securityContext.seLinuxOptions": { level: "s0:c1,c2", type: "container_t" } }, []],
  [
    "a parameter of the kernel",
    { "securityContext.sysctls": [{ name: "kernel.core_pattern", value: "|/x" }] },
    ["sysctls"],
  ],
  [
    "a parameter of the kernel by slashes",
    {
      "securityContext.sysctls": [
        { name: "kernel/shm_rmid_forced", value: "1" },
        { name: "net/core/somaxconn", value: "1" },
      ],
    },
    ["sysctls"],
  ],
  [
    "a safe parameter by slashes",
    { "securityContext.sysctls": [{ name: "net/ipv4/tcp_syncookies", value: "1" }] },
    [],
  ],
  [
    "a safe parameter in upper case",
    { "securityContext.sysctls": [{ name: "NET.IPV4.TCP_SYNCOOKIES", value: "1" }] },
    ["sysctls"],
  ],
  [
    "Windows, which has none of it",
    {
      os: { name: "windows" },
      "securityContext.seccompProfile": undefined,
      "c.securityContext": { runAsNonRoot: true },
    },
    [],
  ],
  [
    "Windows of another case",
    { os: { name: "Windows" }, "securityContext.seccompProfile": undefined },
    ["seccomp"],
  ],
  [
    "Windows, privileged",
    {
      os: { name: "windows" },
      "c.securityContext.privileged": true,
      "c.securityContext.capabilities.add": ["SYS_ADMIN"],
    },
    [...ADDED, "privileged"],
  ],
  [
    "a root that can be written, as text",
    { "c.securityContext.readOnlyRootFilesystem": "false" },
    ["read-only-root"],
  ],
  ["a root that cannot, as text", { "c.securityContext.readOnlyRootFilesystem": "true" }, []],
];

const VOLUMES: Case[] = [
  ["a path of the host", volume({ hostPath: { path: "/etc" } }), ["host-path", "volume-types"]],
  ["a path of the host without a path", volume({ hostPath: {} }), ["host-path", "volume-types"]],
  ["no path of the host", volume({ hostPath: null, emptyDir: {} }), []],
  [
    "a path of the host behind an emptyDir",
    volume({ emptyDir: {}, hostPath: { path: "/srv" } }),
    ["host-path", "volume-types"],
  ],
  ["NFS behind an emptyDir", volume({ emptyDir: {}, nfs: { server: "s", path: "/" } }), ["volume-types"]],
  ["a volume of no type", volume({}), []],
  ["gitRepo", volume({ gitRepo: { repository: "r" } }), ["volume-types"]],
  [
    "a second volume",
    {
      volumes: [
        { name: "a", emptyDir: {} },
        { name: "b", rbd: {} },
      ],
    },
    ["volume-types"],
  ],
  ["a driver of its own", volume({ csi: { driver: "d" } }), []],
  ["a token of its own", volume({ projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }), []],
  [
    "Docker's socket",
    volume({ hostPath: { path: "/var/run/docker.sock" } }),
    ["host-path", "runtime-socket", "volume-types"],
  ],
  [
    "Docker's socket by a detour",
    volume({ hostPath: { path: "//var/./run//docker.sock/" } }),
    ["host-path", "runtime-socket", "volume-types"],
  ],
  [
    "containerd's socket",
    volume({ hostPath: { path: "/run/k3s/containerd/containerd.sock" } }),
    ["host-path", "runtime-socket", "volume-types"],
  ],
  ...["/", "/var", "/run", "/var/run/", "/var/run/docker", "/run/containerd/.", "//var//run"].map(
    (path): Case => [
      `the folder of a socket, ${path}`,
      volume({ hostPath: { path } }),
      ["host-path", "runtime-socket", "volume-types"],
    ],
  ),
  ...["/var/log", "/var/lib/docker/containers", "/run/log/journal", "/run/thing.sock", "/srv/run"].map(
    (path): Case => [
      `a folder of no socket, ${path}`,
      volume({ hostPath: { path } }),
      ["host-path", "volume-types"],
    ],
  ),
  ["CRI-O's socket in a variable", env("HOST", "unix:///run/crio/crio.sock"), ["runtime-socket"]],
  ["another socket", env("HOST", "unix:///run/postgresql.sock"), []],
  [
    "an image of another registry",
    volume({ image: { reference: `evil.example/app@sha256:${HEX}` } }),
    ["allowed-registries"],
  ],
  [
    "an image by a tag",
    volume({ image: { reference: "registry.example.com/team/app:1" } }),
    ["require-digest"],
  ],
  [
    "an image by nothing",
    volume({ image: { reference: "registry.example.com/team/app" } }),
    ["no-latest", "require-digest"],
  ],
  [
    "an image that cannot be read",
    volume({ image: { reference: "A B" } }),
    ["allowed-registries", "no-latest", "require-digest"],
  ],
  ["an image", volume({ image: { reference: IMAGE } }), []],
];

const FOREIGN = ["allowed-registries"];
const MALFORMED = ["allowed-registries", "require-digest"];
/** Nothing is said of asking for it again, which is not the way of a tag other than latest. */
const TAGGED = ["pull-policy", "require-digest"];
const at = (name: string) => image(`${name}@sha256:${HEX}`);
const IMAGES: Case[] = [
  ["a tag and a digest", image(`registry.example.com/team/app:latest@sha256:${HEX}`), []],
  ["the path itself", at("registry.example.com/team"), []],
  ["a path below", at("registry.example.com/team/a/b"), []],
  ["a host in upper case", at("REGISTRY.Example.com/team/app"), []],
  ["a path that begins alike", at("registry.example.com/team-b/app"), FOREIGN],
  ["a path that begins alike, without a sign", at("registry.example.com/teams/app"), FOREIGN],
  ["a host that begins alike", at("registry.example.com.evil.com/team/app"), FOREIGN],
  ["a host that ends alike", at("evil-registry.example.com/team/app"), FOREIGN],
  ["a host whose points are other signs", at("registryxexample.com/team/app"), FOREIGN],
  ["the host as a path", at("evil.example/registry.example.com/team/app"), FOREIGN],
  ["the host without its path", at("registry.example.com/app"), FOREIGN],
  ["another port", at("registry.example.com:5000/team/app"), FOREIGN],
  ["the path in upper case", at("registry.example.com/Team/app"), MALFORMED],
  ["Docker's own", at("nginx"), FOREIGN],
  ["Docker's own of a user", at("team/app"), FOREIGN],
  ["Docker's own as if it were a path", at("registry/team/app"), FOREIGN],
  ["localhost", at("localhost/team/app"), FOREIGN],
  [
    "localhost and a port, without a tag",
    image("localhost:5000/team/app"),
    ["allowed-registries", "no-latest", "require-digest"],
  ],
  ["a user before the host", at("registry.example.com/team@evil.example/app"), MALFORMED],
  ["a scheme", at("https://registry.example.com/team/app"), MALFORMED],
  ["a scheme of runtimes", at("docker://registry.example.com/team/app"), MALFORMED],
  ["a way up", at("registry.example.com/team/../evil/app"), MALFORMED],
  ["a way up, escaped", at("registry.example.com/team/%2e%2e/evil/app"), MALFORMED],
  ["an empty part", at("registry.example.com//team/app"), MALFORMED],
  ["a host that ends with a point", at("registry.example.com./team/app"), MALFORMED],
  ["a backslash", at("registry.example.com\\team/app"), MALFORMED],
  ["a query", at("registry.example.com/team/app?x=1"), MALFORMED],
  ["a space within", at("registry.example.com/team/app x"), MALFORMED],
  ["a letter that only looks alike", at("registry.example.com/te\u0430m/app"), MALFORMED],
  ["a line break", image(`registry.example.com/team/app\n@sha256:${HEX}`), MALFORMED],
  ["spaces around", image(` ${IMAGE} `), []],
  ["a tag", image("registry.example.com/team/app:1.2"), TAGGED],
  [
    "a tag that is asked for each time",
    { ...image("registry.example.com/team/app:1.2"), "c.imagePullPolicy": "Always" },
    ["require-digest"],
  ],
  ["latest", image("registry.example.com/team/app:latest"), ["no-latest", "require-digest"]],
  ["Latest", image("registry.example.com/team/app:Latest"), ["no-latest", ...TAGGED]],
  ["latest within a tag", image("registry.example.com/team/app:latest-1"), TAGGED],
  ["no tag", image("registry.example.com/team/app"), ["no-latest", "require-digest"]],
  ["a tag of a port's kind", image("registry.example.com/team/app:5000"), TAGGED],
  ["a short digest", image("registry.example.com/team/app@sha256:abc"), MALFORMED],
  ["a digest in upper case", image(`registry.example.com/team/app@sha256:${HEX.toUpperCase()}`), MALFORMED],
  ["a digest of another kind", image(`registry.example.com/team/app@md5:${HEX.slice(32)}`), MALFORMED],
  ["a digest that is too long", image(`${IMAGE}0`), MALFORMED],
  ["two digests", image(`${IMAGE}@sha256:${HEX}`), MALFORMED],
  ["a digest without a name", image(`@sha256:${HEX}`), MALFORMED],
  ["a digest as a tag", image(`registry.example.com/team/app:sha256-${HEX}`), TAGGED],
  ["an empty image", image(""), MALFORMED],
  ["no image", image(undefined), ["require-digest"]],
  ["an image: null", image(null), ["require-digest"]],
  ["an image that is a number", image(1), ["require-digest"]],
  [
    "an init container's image",
    { initContainers: [container({ image: `evil.example/a@sha256:${HEX}` })] },
    FOREIGN,
  ],
  [
    "an ephemeral container's image",
    { ephemeralContainers: [container({ image: `evil.example/a@sha256:${HEX}` })] },
    FOREIGN,
  ],
  [
    "a tag that is asked for once",
    { ...image("registry.example.com/team/app:1"), "c.imagePullPolicy": "IfNotPresent" },
    ["pull-policy", "require-digest"],
  ],
  ["a digest that is asked for once", { "c.imagePullPolicy": "Never" }, []],
];

const LIMITS: Case[] = [
  ...[
    "1e3",
    "8001m",
    "8.0001",
    "1k",
    "1Ki",
    "9",
    9,
    "1E",
    "1e999",
    "0",
    "0m",
    "-1",
    "-500m",
    0,
    "1e-999",
    "",
    " 1",
    "1 ",
    "1,5",
    "1K",
    "1ki",
    "0x1",
    "one",
    "NaN",
    "Infinity",
    true,
    [],
    {},
  ].map((value): Case => [`processors ${JSON.stringify(value)}`, limit(value), ["cpu-limit"]]),
  ...["0.5", ".5", "5.", "+1", "8", "8000m", "8000000u", "1e0", "80E-1", "100n", 1, 0.25].map(
    (value): Case => [`processors ${JSON.stringify(value)}`, limit(value), []],
  ),
  ...["33Gi", "32769Mi", "1Ti", "1E", "1e12", "64GB", "1Mib", "0Gi", null].map(
    (value): Case => [`memory ${JSON.stringify(value)}`, memory(value), ["memory-limit"]],
  ),
  ...["32Gi", "34359738368", "34G", "1e9", "1.5Gi", 1e9].map(
    (value): Case => [`memory ${JSON.stringify(value)}`, memory(value), []],
  ),
  ["limits of the pod", { "c.resources": undefined, resources: { limits: { cpu: 1, memory: "1Gi" } } }, []],
  [
    "a limit of the pod that is too high",
    { "c.resources": undefined, resources: { limits: { cpu: 9, memory: "1Gi" } } },
    ["cpu-limit"],
  ],
  [
    "requests alone",
    { "c.resources": { requests: { cpu: 1, memory: "1Gi" } } },
    ["cpu-limit", "memory-limit"],
  ],
  ["a probe that asks nothing", { "c.livenessProbe": { periodSeconds: 1 } }, ["liveness-probe"]],
  ["a probe: null", { "c.readinessProbe": null }, ["readiness-probe"]],
  [
    "a startup probe alone",
    { "c.livenessProbe": undefined, "c.startupProbe": { exec: { command: ["x"] } } },
    ["liveness-probe"],
  ],
  [
    "a pod that ends",
    { restartPolicy: "Never", "c.livenessProbe": undefined, "c.readinessProbe": undefined },
    [],
  ],
  [
    "a pod that says that it goes on",
    { restartPolicy: "Always", "c.livenessProbe": undefined },
    ["liveness-probe"],
  ],
];

const SECRET = ["secret-in-environment"];
const SECRETS: Case[] = [
  ...[
    "PASSWORD",
    "DB_PASSWORD",
    "PGPASSWORD",
    "DBPASSWORD",
    "MYSQL_PWD",
    "SMTP_PASS",
    "dbPassword",
    "spring.datasource.password",
    "API_KEY",
    "APIKEY",
    "apiKey",
    "AWS_SECRET_ACCESS_KEY",
    "CLIENT_SECRET",
    "GITHUB_TOKEN",
    "github-token",
    "SSH_PASSPHRASE",
    "PRIVATE_KEY",
    "GOOGLE_CREDENTIALS",
    "AZURE_STORAGE_KEY",
    "ENCRYPTION_KEY",
    "CLI_KEY_CONTENT",
    "SECRET_BLAH",
    "APP_SECRET_V2",
    "SECRET_NAME_1",
  ].map((name): Case => [`a variable ${name}`, env(name, "hunter2"), SECRET]),
  ...[
    "PASSWORD_FILE",
    "TOKEN_URL",
    "SECRET_NAME",
    "SECRET_KEY_PATH",
    "SECRET_STORE_NAME",
    "K8S_SECRET_NAMES",
    "SECRET_ROTATION_DAYS",
    "PARTITION_KEY",
    "TOKEN_TTL",
    "PASSWORD_MIN_LENGTH",
    "API_KEY_HEADER",
    "PWD",
    "BYPASS",
    "KEY",
    "TOKENIZER",
    "SECRETARY",
    "COMPASS",
    "AWS_ACCESS_KEY_ID",
  ].map((name): Case => [`a variable ${name}`, env(name, "hunter2"), []]),
  ["a credential that is empty", env("PASSWORD", ""), []],
  ["a credential of another variable", env("PASSWORD", "$(OTHER)"), []],
  ["a credential that only holds a reference", env("PASSWORD", "hunter2$(OTHER)"), SECRET],
  ["a reference that is escaped", env("PASSWORD", "$$(OTHER)"), SECRET],
  ["a credential that says none is needed", env("ALLOW_EMPTY_PASSWORD", "yes"), []],
  [
    "a credential of a Secret",
    { "c.env": [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] },
    ["secret-as-variable"],
  ],
  ["a Secret as an environment", { "c.envFrom": [{ secretRef: { name: "s" } }] }, ["secret-as-variable"]],
  [
    "an environment of what is no Secret",
    {
      "c.env": [{ name: "PASSWORD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      "c.envFrom": [{ configMapRef: { name: "c" } }, { secretRef: null }],
    },
    [],
  ],
  ["a Secret as files", volume({ secret: { secretName: "s" } }), []],
  ["a credential in an address", env("URL", "postgres://app:hunter2@db/app"), SECRET],
  ["a credential in an address without a user", env("URL", "redis://:hunter2@db:6379"), SECRET],
  ["an address with a port", env("URL", "http://db:5432/a@b"), []],
  ["an address with a user", env("URL", "ssh://git@host:22/x"), []],
  ["an address that other variables fill", env("URL", "postgres://$(USER):$(PASSWORD)@db"), []],
  ["a key of AWS", env("ID", "AKIAIOSFODNN7EXAMPLE"), SECRET],
  ["a private key", env("X", "-----BEGIN RSA PRIVATE KEY-----\nx"), SECRET],
  ["a private key of another hand", env("X", "---BEGIN OPENSSH PRIVATE KEY---\nx"), SECRET],
  ["a public key", env("X", "-----BEGIN PUBLIC KEY-----\nx"), []],
  ["a token of GitHub in an argument", { "c.args": ["--auth", `ghp_${"a1".repeat(18)}`] }, SECRET],
  ["a password in an option", { "c.args": ["--password=hunter2"] }, SECRET],
  ["a password before a command", { "c.command": ["env", "DB_PASSWORD=hunter2", "app"] }, SECRET],
  [
    "a password of a variable in an option",
    { "c.args": ["--password=$(PASSWORD)", "--token=", "--use-token=true"] },
    [],
  ],
  ["a Secret's name in an option", { "c.args": ["--serving-secret=tls", "--token-file=/t"] }, []],
  [
    "a credential in a probe",
    { "c.livenessProbe": { exec: { command: ["psql", "postgres://app:hunter2@db"] } } },
    SECRET,
  ],
  [
    "a credential in a hook",
    { "c.lifecycle": { postStart: { exec: { command: ["x", "AKIAIOSFODNN7EXAMPLE"] } } } },
    SECRET,
  ],
  ...[
    "Server=db;User Id=sa;Password=hunter2;",
    `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${"a1".repeat(30)}==`,
    `hvs.${"a1".repeat(15)}`,
    "Authorization: Bearer abcdefghijklmnop1234",
    '{"password":"hunter2"}',
    "jdbc:mysql://h/d?user=u&password=hunter2",
    "-Dpassword=hunter2 -Xmx1g",
    `K10${"0a".repeat(32)}::server:x`,
    "abcdef.0123456789abcdef",
    "CREATE USER a WITH PASSWORD 'hunter2'",
    "machine h login u password hunter2",
    '{"auths":{"r.example.com":{"auth":"dTpodW50ZXIy"}}}',
  ].map((value): Case => [`a value that holds a credential: ${value}`, env("OPTS", value), SECRET]),
  ...[
    '{"password":"$(PASSWORD)"}',
    "jdbc:mysql://h/d?user=u&password=$(PASSWORD)",
    "-Djavax.net.ssl.trustStore=/etc/ssl/store -Xmx1g",
    "# password: set it in the Secret",
    "ALTER ROLE a PASSWORD '$PASSWORD'",
    '{"auths":{"r.example.com":{}}}',
  ].map((value): Case => [`a value that holds none: ${value}`, env("OPTS", value), []]),
  ["a key in a folder", env("TLS_PRIVATE_KEY", "/tls/tls.key"), []],
  ["a key beside the program", env("PRIVATE_KEY", "./key.pem"), []],
  ["names of files of Kafka", env("KAFKA_SSL_KEYSTORE_CREDENTIALS", "keystore_creds"), []],
  ["what a browser sends", env("CREDENTIALS", "same-origin"), []],
  [
    "a key that begins as a place does",
    env("AWS_SECRET_ACCESS_KEY", "/wJalrXUtnFEMI/K7MDENG/bPxRfiCY"),
    SECRET,
  ],
  [
    "a password of another variable for a program",
    { "c.command": ["sh", "-c", 'PGPASSWORD="$POSTGRES_PASSWORD" psql -c "select 1"'] },
    [],
  ],
  [
    "a password of another variable for a program, alone",
    { "c.args": ['TOKEN="$(cat /run/secrets/token)" exec /app'] },
    [],
  ],
  ["a password in quotes for a program", { "c.args": ['PGPASSWORD="hunter2" psql'] }, SECRET],
  ["a place of a credential", env("VAULT_TOKEN", "/vault/secrets/token"), []],
  ...["DBPASS", "DB_PW", "AUTHTOKEN", "ACCESSTOKEN", "REDIS_AUTH", "NEW_RELIC_LICENSE_KEY"].map(
    (name): Case => [`a variable ${name}`, env(name, "hunter2"), SECRET],
  ),
  ...["MYSQL_RANDOM_ROOT_PASSWORD", "REQUIRE_TOKEN"].map(
    (name): Case => [`a switch ${name}`, env(name, "1"), []],
  ),
  ["words that hand over a password", { "c.command": ["mysqladmin", "-uroot", "-phunter2", "ping"] }, SECRET],
  ["words that ask for one", { "c.command": ["mysqladmin", "-uroot", "-p", "ping"] }, []],
  ["an option and a password of Redis", { "c.command": ["redis-cli", "-a", "hunter2"] }, SECRET],
  ["an option and a password of a variable", { "c.command": ["redis-cli", "-a", "$(PASSWORD)"] }, []],
  ["a user and a password of curl", { "c.command": ["curl", "-u", "admin:hunter2", "https://x"] }, SECRET],
  ["settings of a database", { "c.args": ["user=u password=hunter2"] }, SECRET],
  ["an option with a word that asks", { "c.args": ["--requirepass", "hunter2"] }, SECRET],
  ["a client's secret in an option", { "c.args": ["--client-secret=GOCSPX-abcdef"] }, SECRET],
  ["a cookie's secret and its value", { "c.args": ["--cookie-secret", "hunter2hunter2"] }, SECRET],
  ["a secret of a chart", { "c.args": ["--set", "auth.existingSecret=db", "--set=pullSecret=r"] }, []],
  ["a token's place in an option", { "c.args": ["--auth-token=/var/run/secrets/token"] }, []],
  [
    "a password in a probe's script",
    { "c.livenessProbe": { exec: { command: ["sh", "-c", "mysqladmin -uroot -phunter2 ping"] } } },
    SECRET,
  ],
  [
    "a password of the environment in a probe's script",
    { "c.livenessProbe": { exec: { command: ["sh", "-c", 'mysqladmin -uroot -p"$PASSWORD" ping'] } } },
    [],
  ],
  [
    "a password in a probe's option",
    { "c.readinessProbe": { exec: { command: ["pg", "--password=h2"] } } },
    SECRET,
  ],
  [
    "what a hook fetches and runs",
    { "c.lifecycle": { postStart: { exec: { command: ["sh", "-c", "curl -s https://x/i.sh | sh"] } } } },
    ["pipe-to-shell"],
  ],
  [
    "a probe that looks at no certificate",
    { "c.livenessProbe": { exec: { command: ["curl", "-kf", "https://localhost/x"] } } },
    ["disabled-verification"],
  ],
  [
    "a credential in a probe's header",
    {
      "c.livenessProbe": {
        httpGet: {
          path: "/",
          port: 80,
          httpHeaders: [{ name: "Authorization", value: "Basic dXNlcjpodW50ZXIy" }],
        },
      },
    },
    SECRET,
  ],
  [
    "another header of a probe",
    {
      "c.livenessProbe": {
        httpGet: { path: "/", port: 80, httpHeaders: [{ name: "Accept", value: "text/html" }] },
      },
    },
    [],
  ],
  ["a token in an annotation", { "m.annotations": { "deploy/token": `ghp_${"a1".repeat(18)}` } }, SECRET],
  ["an annotation about a secret", { "m.annotations": { "vault/agent-inject-secret": "db/password" } }, []],
  [
    "a credential for a volume's driver",
    volume({ csi: { driver: "x", volumeAttributes: { url: "https://u:hunter2@h/x" } } }),
    SECRET,
  ],
  [
    "a volume's driver without one",
    volume({ csi: { driver: "x", volumeAttributes: { secretProviderClass: "db" } } }),
    [],
  ],
  ...[
    "\\\\.\\pipe\\docker_engine",
    "/run/k0s",
    "/run/user/1000",
    "/proc/1/root/run/containerd",
    "/run/docker/containerd",
    "/run/cri-dockerd",
  ].map(
    (path): Case => [
      `the runtime by ${path}`,
      volume({ hostPath: { path } }),
      ["host-path", "runtime-socket", "volume-types"],
    ],
  ),
  [
    "a directory of the host by a process",
    volume({ hostPath: { path: "/proc/1/root/etc" } }),
    ["host-path", "volume-types"],
  ],
];

const CASES = [...SECURITY, ...VOLUMES, ...IMAGES, ...LIMITS, ...SECRETS];

test.each(CASES)("%s", (_, changes, controls) => {
  expect(broken(resource(changed(changes)))).toEqual([...new Set(controls)].sort());
});

test("there are many cases", () => expect(CASES.length).toBeGreaterThan(150));

const template = (more: Properties): Properties => ({ template: pod(more) });
const cron = (more: Properties): Properties => ({ spec: { jobTemplate: { spec: template(more) } } });
const bad = { hostNetwork: true };
const inSpec = { spec: template(bad) };

/** Properties of types, and whether their host network is seen. */
const KINDS: [type: string, props: Properties, isSeen: boolean][] = [
  ["core/v1:Pod", pod(bad), true],
  ["v1:Pod", pod(bad), true],
  ["/v1:Pod", pod(bad), true],
  ["core/v1:PodPatch", pod(bad), true],
  ["core/v1:PodTemplate", template(bad), true],
  ["core/v1:ReplicationController", inSpec, true],
  ["apps/v1:Deployment", inSpec, true],
  ["apps/v1:DeploymentPatch", inSpec, true],
  ["apps/v1beta1:Deployment", inSpec, true],
  ["apps/v1beta2:DaemonSet", inSpec, true],
  ["extensions/v1beta1:Deployment", inSpec, true],
  ["extensions/v1beta1:ReplicaSet", inSpec, true],
  ["apps/v1:StatefulSet", inSpec, true],
  ["apps.openshift.io/v1:DeploymentConfig", inSpec, true],
  ["core/v1:DeploymentConfig", inSpec, true],
  ["core/v1:Another", inSpec, true],
  ["batch/v1:Job", inSpec, true],
  ["batch/v1:CronJob", cron(bad), true],
  ["batch/v1beta1:CronJob", cron(bad), true],
  ["batch/v2alpha1:ScheduledJob", cron(bad), true],
  ["core/v1:PodList", { items: [pod(), pod(bad)] }, true],
  ["apps/v1:DeploymentList", { items: [inSpec] }, true],
  ["apps/v1:DeploymentList", { items: [{ kind: "Deployment", ...inSpec }] }, true],
  ["core/v1:List", { items: [{ apiVersion: "v1", kind: "Pod", ...pod(bad) }] }, true],
  ["core/v1:List", { items: [null, "x", { apiVersion: "apps/v1", kind: "Deployment", ...inSpec }] }, true],
  [
    "core/v1:List",
    { items: [{ apiVersion: "v1", kind: "List", items: [{ apiVersion: "/v1", kind: "Pod", ...pod(bad) }] }] },
    true,
  ],
  ["core/v1:List", { items: [{ apiVersion: "v1", kind: "PodList", items: [pod(bad)] }] }, true],
  ["core/v1:PodList", { items: [{ apiVersion: "apps/v1", kind: "Deployment", ...inSpec }] }, true],
  ["apps/v1:List", { items: [{ apiVersion: "v1", kind: "Pod", ...pod(bad) }] }, true],
  ["core/v1:ConfigMap", { items: [{ apiVersion: "v1", kind: "Pod", ...pod(bad) }] }, true],
  ["core/v1:Pod", { ...pod(), items: [{ apiVersion: "v1", kind: "Pod", ...pod(bad) }] }, true],
  ["core/v1:Pod", { ...pod(bad), items: [] }, true],
  ["keda.sh/v1alpha1:ScaledJob", { spec: { jobTargetRef: template(bad) } }, true],
  ["jobset.x-k8s.io/v1alpha2:JobSet", { spec: { replicatedJobs: [{ template: inSpec }] } }, true],
  ["ray.io/v1:RayCluster", { spec: { workerGroupSpecs: [{}, template(bad)] } }, true],
  ["agents.x-k8s.io/v1alpha1:Sandbox", { spec: { podTemplate: pod(bad) } }, true],
  ["kyverno.io/v1:ClusterPolicy", { spec: { rules: [{ validate: { pattern: pod(bad) } }] } }, false],
  ["example.com/v1:WorkList", inSpec, true],
  ["example.com/v1:WorkList", { items: [] }, false],
  ["core/v1:ConfigMap", { data: inSpec }, false],
  ["example.com/v1:Pod", pod(bad), false],
  ["core/v1:constructor", pod(bad), false],
  ["core/v1:toString", pod(bad), false],
  ["core/v1:__proto__", pod(bad), false],
  ["core/v1:Pod", {}, false],
  ["core/v1:Pod", { spec: null }, false],
  ["core/v1:Pod", { spec: [] }, false],
  ["core/v1:Pod", { spec: { containers: "x", initContainers: {}, volumes: 1 } }, false],
  ["core/v1:Pod", { spec: { containers: [null, 1, "x", []], volumes: [null, 1] } }, false],
  ["core/v1:PodList", { items: {} }, false],
  ["apps/v1:Deployment", { spec: { template: null } }, false],
];

test.each(KINDS)("the host network of %s %j", (type, props, isSeen) => {
  expect(broken(resource(props, `kubernetes:${type}`)).includes("host-namespaces")).toBe(isSeen);
});

test("what an operator lays over a pod of its own is asked for nothing that it leaves out", () => {
  const overlay = (containers: Properties[]) => ({
    spec: { nodeSets: [{ podTemplate: { spec: { containers } } }] },
  });
  const type = "kubernetes:elasticsearch.k8s.elastic.co/v1:Elasticsearch";
  expect(broken(resource(overlay([{ name: "elasticsearch" }]), type))).toEqual([]);
  expect(broken(resource(overlay([{ name: "x", securityContext: { privileged: true } }]), type))).toEqual([
    "privileged",
  ]);
  expect(broken(resource(overlay([{ name: "x", image: IMAGE }]), type))).toContain("read-only-root");
});

test("one object is judged as each of the resources that share it", () => {
  const props = pod(bad);
  expect(broken(resource(props, "other:index:Thing"))).toEqual([]);
  expect(broken(resource(props))).toEqual(["host-namespaces"]);
});

test.each<Properties>([
  { spec: [] },
  { spec: "x" },
  { spec: [{ containers: [container()] }] },
  { spec: spec({ containers: [] }) },
  { spec: spec({ containers: "x" }) },
  { spec: spec({ containers: [null, 1] }) },
])("where no container can be read, nothing that has to be said is: %j", (props) => {
  expect(broken(resource(props))).toEqual(expect.arrayContaining(["privilege-escalation", "read-only-root"]));
});

test("a container that stands where a list should is read", () => {
  expect(broken(resource({ spec: spec({ containers: container() }) }))).toEqual([]);
  const props = { spec: spec({ containers: container({ image: "nginx" }) }) };
  expect(broken(resource(props))).toContain("no-latest");
});

test("containers that are not known yet are not taken for missing", () => {
  for (const containers of [UNKNOWN, [UNKNOWN]])
    expect(broken(resource({ spec: spec({ containers }) }))).toEqual([]);
});

test("a patch is asked for nothing that it leaves out, and may name nothing that is bad", () => {
  const patch = (props: Properties) => broken(resource({ spec: props }, "kubernetes:core/v1:PodPatch"));
  expect(patch({ containers: [{ name: "app" }] })).toEqual([]);
  expect(
    patch({ containers: [{ name: "app", image: "nginx", securityContext: { capabilities: { drop: [] } } }] }),
  ).toEqual(["allowed-registries", "capabilities", "no-latest", "require-digest"]);
  expect(patch({ volumes: [{ name: "v", image: { reference: "evil.example/app" } }] })).toEqual([
    "allowed-registries",
    "no-latest",
    "require-digest",
  ]);
});

/** Every copy of a value in which one place is not known. */
function* unknowns(value: unknown): Generator<unknown> {
  yield UNKNOWN;
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) for (const other of unknowns(each)) yield value.with(i, other);
  } else if (isObject(value)) {
    for (const [key, each] of Object.entries(value))
      for (const other of unknowns(each)) yield { ...value, [key]: other };
  }
}

describe("what is not known yet", () => {
  const good = CASES.filter(([, , controls]) => controls.length === 0);

  test.each(good)("breaks nothing: %s", (_, changes) => {
    for (const props of unknowns(changed(changes))) {
      if (!isObject(props)) continue;
      const found = judge(resource(props), settings);
      expect(found, JSON.stringify(found.map(({ message }) => message))).toEqual([]);
    }
  });

  const single = CASES.filter(
    ([, changes]) => Object.keys(changes).length === 1 && Object.values(changes)[0] !== undefined,
  );

  test.each(single)("in place of what is bad: %s", (_, changes) => {
    const [key] = Object.keys(changes) as [string];
    expect(broken(resource(changed({ [key]: UNKNOWN })))).toEqual([]);
  });

  const parts: [name: string, changes: Properties][] = [
    ["source of a volume", volume({ nfs: UNKNOWN })],
    ["path of a volume", volume({ hostPath: UNKNOWN })],
    ["value of a credential", env("PASSWORD", UNKNOWN)],
    ["word of a command", { "c.args": [UNKNOWN] }],
    ["reference", volume({ image: { reference: UNKNOWN } })],
    ["port", { "c.ports": [{ hostPort: UNKNOWN }] }],
  ];

  test.each(parts)("as a %s", (_, changes) => {
    expect(broken(resource(changed(changes)))).toEqual([]);
  });
});

/** The same tree with another text or number in place of each. */
function marked(value: unknown): unknown {
  if (typeof value === "string") return `${value}-CANARY`;
  if (typeof value === "number") return 918_273_645;
  if (Array.isArray(value)) return value.map(marked);
  return isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, marked(each)]))
    : value;
}

/** Values of at least this length cannot stand in a message by chance. */
const LONG = 9;

test.each(CASES)("no message says a value: %s", (_, changes) => {
  const props = changed(changes);
  const messages = judge(resource(props), settings).map(({ message }) => message);
  for (const { value } of leaves(props)) {
    if (typeof value !== "string" || value.length < LONG || value === "RuntimeDefault") continue;
    expect(messages.filter((message) => message.includes(value))).toEqual([]);
  }
  const others = judge(resource(marked(props) as Properties), settings);
  expect(others.length).toBeGreaterThan(0);
  for (const { message, path } of others) expect(`${message} ${path}`).not.toMatch(/CANARY|918273645/);
});
