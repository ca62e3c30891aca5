/** Containers, services and images of Docker (`@pulumi/docker` and `@pulumi/docker-build`), by the same controls. */
import type { Addition } from "../control.ts";
import { CREDENTIAL, isCredential, isSecretVariable } from "../credentials.ts";
import { isWithin, parseImage } from "../image.ts";
import type { Finding, Resource } from "../resource.ts";
import type { Settings } from "../settings.ts";
import {
  at,
  isAbsent,
  isKnown,
  isOn,
  isTrue,
  listOf,
  numberOf,
  objectOf,
  type Properties,
  textOf,
} from "../value.ts";
import { RUNTIME_CAPABILITIES } from "./privileges.ts";
import { reachesRuntime } from "./workloads.ts";

const CONTAINER = "docker:index/container:Container";
const SERVICE = "docker:index/service:Service";

/** A container of Docker, alone or of a service, by the paths that a control asks for. */
interface Subject {
  isService: boolean;
  props: Properties;
  /** Where a service has what a lone container has at its top. */
  path(key: string): string;
  value(key: string): unknown;
}

function subjectOf({ type, props }: Resource): Subject | undefined {
  if (type === CONTAINER)
    return { isService: false, props, path: (key) => key, value: (key) => at(props, key) };
  if (type !== SERVICE) return undefined;
  return {
    isService: true,
    props,
    path: (key) => `taskSpec.containerSpec.${key}`,
    value: (key) => at(props, "taskSpec", "containerSpec", key),
  };
}

type Find = (subject: Subject, settings: Settings) => Iterable<Finding>;

const both = (control: string, find: Find): Addition => ({
  control,
  types: [CONTAINER, SERVICE],
  *find(resource, settings) {
    const subject = subjectOf(resource);
    if (subject) yield* find(subject, settings);
  },
});

const lone = (control: string, find: Find): Addition => ({
  control,
  types: [CONTAINER],
  *find(resource, settings) {
    const subject = subjectOf(resource);
    if (subject && !subject.isService) yield* find(subject, settings);
  },
});

const privileged = lone("privileged", function* ({ props }) {
  if (isOn(props.privileged)) yield { path: "privileged" };
});

const HOST_MODES = ["networkMode", "pidMode", "ipcMode", "usernsMode", "cgroupnsMode"];

const hostNamespaces = both("host-namespaces", function* ({ props, isService }) {
  for (const key of isService ? [] : HOST_MODES) {
    const mode = textOf(props[key]);
    if (mode === "host" || mode?.startsWith("container:")) yield { path: key };
  }
  const place = isService ? "taskSpec.networksAdvanceds" : "networksAdvanced";
  for (const [i, network] of listOf(at(props, ...place.split("."))).entries()) {
    if (at(network, "name") === "host") yield { path: `${place}[${i}].name` };
  }
});

/** Sources on the host, with where they stand. */
function* hostPaths({ props, path, value }: Subject): Generator<{ path: string; source: string }> {
  for (const [i, mount] of listOf(value("mounts")).entries()) {
    const source = textOf(at(mount, "source"));
    if (at(mount, "type") === "bind" && source !== undefined)
      yield { path: `${path(`mounts[${i}]`)}.source`, source };
  }
  for (const [i, volume] of listOf(props.volumes).entries()) {
    const source = textOf(at(volume, "hostPath"));
    if (source !== undefined && source !== "") yield { path: `volumes[${i}].hostPath`, source };
  }
}

const hostPath = both("host-path", function* (subject) {
  for (const { path } of hostPaths(subject)) yield { path };
  for (const [i] of listOf(subject.props.devices).entries())
    yield { path: `devices[${i}]`, what: "a device of the host" };
});

const runtimeSocket = both("runtime-socket", function* (subject) {
  for (const { path, source } of hostPaths(subject)) if (reachesRuntime(source)) yield { path };
});

/** An address that only this host reaches. */
const LOOPBACK = /^(127\.|\[?::1\]?$)/;

const hostPort = both("host-port", function* ({ props, isService }) {
  if (isOn(props.publishAllPorts)) yield { path: "publishAllPorts" };
  for (const [i, port] of listOf(isService ? at(props, "endpointSpec", "ports") : props.ports).entries()) {
    if (isService) {
      if (at(port, "publishMode") === "host") yield { path: `endpointSpec.ports[${i}].publishMode` };
    } else {
      const [external, ip] = [at(port, "external"), at(port, "ip")];
      if (isKnown(external) && !isAbsent(external) && isKnown(ip) && !LOOPBACK.test(textOf(ip) ?? ""))
        yield { path: `ports[${i}].external`, what: "it is open on every address of the host" };
    }
  }
});

const words = (value: unknown): string[] =>
  listOf(value).flatMap((each) =>
    typeof each === "string" ? [each.toUpperCase().replace(/^CAP_/, "")] : [],
  );

/** The list of capabilities that are added or dropped, and its path. */
const listed = ({ props, isService, path, value }: Subject, verb: "Adds" | "Drops") =>
  isService
    ? { path: path(`cap${verb}`), value: value(`cap${verb}`) }
    : {
        path: `capabilities.${verb.toLowerCase()}`,
        value: at(props, "capabilities", verb.toLowerCase()),
      };

const addedCapabilities = both("added-capabilities", function* (subject) {
  const { path, value } = listed(subject, "Adds");
  if (words(value).some((each) => !RUNTIME_CAPABILITIES.has(each))) yield { path };
});

const capabilities = both("capabilities", function* (subject) {
  const [add, drop] = [listed(subject, "Adds"), listed(subject, "Drops")];
  if (words(add.value).some((each) => each !== "NET_BIND_SERVICE"))
    yield { path: add.path, what: "more than NET_BIND_SERVICE is added" };
  const unknown =
    !isKnown(drop.value) ||
    !isKnown(subject.props.capabilities) ||
    listOf(drop.value).some((each) => !isKnown(each));
  if (!unknown && !words(drop.value).includes("ALL")) yield { path: drop.path, what: "ALL is not dropped" };
});

/** Options such as `seccomp=unconfined`, by the word before the sign. */
const options = ({ props }: Subject, name: string): { path: string; value: string }[] =>
  listOf(props.securityOpts).flatMap((each, i) => {
    const [, key, value = "true"] = /^([^:=]+)(?:[:=](.*))?$/.exec(textOf(each) ?? "") ?? [];
    return key === name ? [{ path: `securityOpts[${i}]`, value }] : [];
  });

const unconfined = (control: string, option: string): Addition =>
  lone(control, function* (subject) {
    for (const { path, value } of options(subject, option)) {
      if (value === "unconfined" || (option === "label" && value === "disable")) yield { path };
    }
  });

const privilegeEscalation = lone("privilege-escalation", function* (subject) {
  const all = subject.props.securityOpts;
  if (!isKnown(all) || listOf(all).some((each) => !isKnown(each))) return;
  if (!options(subject, "no-new-privileges").some(({ value }) => value === "true"))
    yield { path: "securityOpts", what: "no-new-privileges:true is missing" };
});

const runAsNonRoot = both("run-as-non-root", function* ({ path, value }) {
  const user = value("user");
  if (!isKnown(user)) return;
  const name = textOf(user)?.split(":")[0] ?? "";
  if (name === "" || name === "root" || /^0+$/.test(name)) yield { path: path("user") };
});

const readOnlyRoot = both("read-only-root", function* ({ path, value }) {
  const read = value("readOnly");
  if (isKnown(read) && !isTrue(read)) yield { path: path("readOnly") };
});

const MEBIBYTE = 2 ** 20;

const memoryLimit = both("memory-limit", function* ({ props, isService }, { maxMemory }) {
  const value = isService ? at(props, "taskSpec", "resources", "limits", "memoryBytes") : props.memory;
  yield* limited(value, isService ? "taskSpec.resources.limits.memoryBytes" : "memory", (number) =>
    isService ? number <= maxMemory : number * MEBIBYTE <= maxMemory,
  );
});

const cpuLimit = both("cpu-limit", function* ({ props, isService }, { maxCpu }) {
  if (!isService && (!isKnown(props.cpuSet) || (!isAbsent(props.cpuSet) && props.cpuSet !== ""))) return;
  if (isService) {
    const value = at(props, "taskSpec", "resources", "limits", "nanoCpus");
    yield* limited(value, "taskSpec.resources.limits.nanoCpus", (number) => number / 1e9 <= maxCpu);
  } else {
    const value = isAbsent(props.cpus) ? props.cpuQuota : props.cpus;
    const period = numberOf(props.cpuPeriod) ?? 100_000;
    yield* limited(value, "cpus", (number) => (isAbsent(props.cpus) ? number / period : number) <= maxCpu);
  }
});

function* limited(value: unknown, path: string, fits: (number: number) => boolean): Generator<Finding> {
  if (!isKnown(value)) return;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (isAbsent(value)) yield { path, what: "there is none" };
  else if (typeof number !== "number" || !(number > 0)) yield { path, what: "it limits nothing" };
  else if (!fits(number)) yield { path, what: "it is above the site's highest" };
}

const image = (control: string, isBad: (text: string, settings: Settings) => boolean): Addition =>
  both(control, function* ({ path, value }, settings) {
    const text = textOf(value("image"));
    if (text !== undefined && isBad(text, settings)) yield { path: path("image") };
  });

/** The image that a Docker daemon has already is named by its digest alone. */
const OWN_IMAGE = /^sha256:[0-9a-f]{64}$/;

const lacksDigest = (text: string): boolean =>
  !OWN_IMAGE.test(text) && parseImage(text)?.digest === undefined;

function isLatest(text: string): boolean {
  const reference = parseImage(text);
  return (
    reference !== undefined && reference.digest === undefined && (reference.tag ?? "latest") === "latest"
  );
}

function isForeign(text: string, { registries }: Settings): boolean {
  if (OWN_IMAGE.test(text)) return false;
  const reference = parseImage(text);
  return reference === undefined || !registries.some((entry) => isWithin(reference, entry));
}

/** What is built, pushed or pulled under names: where those are, and whether it is only pulled. */
interface Names {
  keys: readonly string[];
  isPulled?: boolean;
  /** Whether the names are for this computer alone. */
  isLocal?(props: Properties): boolean;
}

const BUILT: Names = { keys: ["imageName"], isLocal: ({ skipPush }) => isOn(skipPush) };

const NAMED: Readonly<Record<string, Names>> = {
  "docker:index/image:Image": BUILT,
  "docker:image:Image": BUILT,
  "docker-build:index:Image": { keys: ["tags"], isLocal: ({ push }) => !isTrue(push) },
  "docker:index/registryImage:RegistryImage": { keys: ["name"] },
  "docker:index/remoteImage:RemoteImage": {
    keys: ["name"],
    isPulled: true,
    isLocal: ({ build }) => !isAbsent(build),
  },
};

/** Names of images that are built have no digest yet. */
const names = (control: string, isBad: (text: string, settings: Settings) => boolean): Addition => {
  const types = Object.keys(NAMED).filter((type) => control !== "require-digest" || NAMED[type]!.isPulled);
  return {
    control,
    types,
    *find({ type, props }, settings) {
      if (!types.includes(type) || NAMED[type]!.isLocal?.(props)) return;
      for (const key of NAMED[type]!.keys) {
        const texts = Array.isArray(props[key])
          ? props[key].map((each, i) => [`${key}[${i}]`, each])
          : [[key, props[key]]];
        for (const [path, text] of texts)
          if (typeof text === "string" && isBad(text, settings)) yield { path };
      }
    },
  };
};

/** Arguments of a build are in the image's history. */
const secretInBuild: Addition = {
  control: "secret-in-environment",
  types: ["docker:index/image:Image", "docker-build:index:Image", "docker:index/remoteImage:RemoteImage"],
  *find({ type, props }) {
    if (!Object.hasOwn(NAMED, type)) return;
    for (const path of ["build.args", "build.buildArgs", "buildArgs"]) {
      for (const [name, value] of Object.entries(objectOf(at(props, ...path.split(".")))))
        if (isSecretVariable(name, textOf(value) ?? "")) yield { path: `${path}.${name}` };
    }
  },
};

const secretInEnvironment = both("secret-in-environment", function* ({ props, isService, path, value }) {
  if (isService) {
    const env = value("env");
    for (const [name, text] of Object.entries(typeof env === "object" && env !== null ? env : {})) {
      if (holdsCredential(name, textOf(text))) yield { path: `${path("env")}.${name}` };
    }
  } else {
    for (const [i, each] of listOf(props.envs).entries()) {
      const [, name = "", text] = /^([^=]*)=(.*)$/s.exec(textOf(each) ?? "") ?? [];
      if (holdsCredential(name, text)) yield { path: `envs[${i}]` };
    }
  }
});

const holdsCredential = (name: string, value: string | undefined): boolean =>
  value !== undefined && (isCredential(name, value) || CREDENTIAL.test(value));

/** A volume whose driver mounts a folder of the host. */
const volumeOnHost: Addition = {
  control: "host-path",
  types: ["docker:index/volume:Volume"],
  *find({ type, props }) {
    if (
      type === "docker:index/volume:Volume" &&
      /\br?bind\b/.test(textOf(at(props, "driverOpts", "o")) ?? "")
    )
      yield { path: "driverOpts.device" };
  },
};

const insecurePush: Addition = {
  control: "disabled-verification",
  types: ["docker:index/registryImage:RegistryImage"],
  *find({ type, props }) {
    if (type === "docker:index/registryImage:RegistryImage" && isOn(props.insecureSkipVerify))
      yield { path: "insecureSkipVerify" };
  },
};

const livenessProbe = both("liveness-probe", function* ({ path, value }) {
  const check = value("healthcheck");
  if (!isKnown(check)) return;
  const tests = at(check, "tests");
  if (isAbsent(check) || (isKnown(tests) && (listOf(tests).length === 0 || listOf(tests)[0] === "NONE")))
    yield { path: path("healthcheck") };
});

export const docker: readonly Addition[] = [
  privileged,
  hostNamespaces,
  hostPath,
  runtimeSocket,
  hostPort,
  addedCapabilities,
  capabilities,
  unconfined("unconfined-seccomp", "seccomp"),
  unconfined("app-armor", "apparmor"),
  unconfined("selinux", "label"),
  privilegeEscalation,
  runAsNonRoot,
  readOnlyRoot,
  memoryLimit,
  cpuLimit,
  ...[image, names].flatMap((of) => [
    of("require-digest", lacksDigest),
    of("no-latest", isLatest),
    of("allowed-registries", isForeign),
  ]),
  secretInEnvironment,
  secretInBuild,
  volumeOnHost,
  insecurePush,
  livenessProbe,
];
