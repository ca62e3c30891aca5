import { expect, test } from "vitest";
import { type Properties, UNKNOWN } from "../../../components/policies/value.ts";
import { DIGEST, found } from "./world.ts";

const image = `registry.example.com/team/app@${DIGEST}`;

const lone: Properties = {
  image,
  user: "1000:1000",
  readOnly: true,
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges:true"],
  memory: 512,
  cpus: "1.5",
  envs: ["LOG=info", "PASSWORD_FILE=/run/secrets/password"],
  ports: [{ internal: 80, external: 8080, ip: "127.0.0.1" }],
  healthcheck: { tests: ["CMD", "true"] },
  mounts: [{ type: "volume", source: "data", target: "/data" }],
};

const service: Properties = {
  taskSpec: {
    containerSpec: {
      image,
      user: "1000",
      readOnly: true,
      capDrops: ["ALL"],
      env: { LOG: "info" },
      healthcheck: { tests: ["CMD", "true"] },
    },
    resources: { limits: { nanoCpus: 1_000_000_000, memoryBytes: 2 ** 29 } },
  },
  endpointSpec: { ports: [{ targetPort: 80, publishedPort: 80 }] },
};

const CONTAINER = "docker:index/container:Container";
const SERVICE = "docker:index/service:Service";

const ids = [
  "added-capabilities",
  "allowed-registries",
  "app-armor",
  "capabilities",
  "cpu-limit",
  "host-namespaces",
  "host-path",
  "host-port",
  "liveness-probe",
  "memory-limit",
  "no-latest",
  "privilege-escalation",
  "privileged",
  "read-only-root",
  "require-digest",
  "run-as-non-root",
  "runtime-socket",
  "unconfined-seccomp",
  "secret-in-environment",
  "selinux",
];

test.each(ids)("%s is met by a container and a service as they should be", (id) => {
  expect(found(id, CONTAINER, lone)).toEqual([]);
  expect(found(id, SERVICE, service)).toEqual([]);
});

const socket = { type: "bind", source: "/var/run/docker.sock", target: "/s" };

test.each<[string, Properties, string[]]>([
  ["privileged", { privileged: true }, ["privileged"]],
  ["host-namespaces", { networkMode: "host" }, ["networkMode"]],
  ["host-namespaces", { pidMode: "container:abc" }, ["pidMode"]],
  ["host-namespaces", { networksAdvanced: [{ name: "host" }] }, ["networksAdvanced[0].name"]],
  ["host-path", { mounts: [{ type: "bind", source: "/etc" }] }, ["mounts[0].source"]],
  ["host-path", { volumes: [{ hostPath: "/etc", containerPath: "/x" }] }, ["volumes[0].hostPath"]],
  ["host-path", { devices: [{ hostPath: "/dev/kmsg" }] }, ["devices[0]"]],
  ["runtime-socket", { mounts: [socket] }, ["mounts[0].source"]],
  ["host-port", { ports: [{ internal: 80, external: 80 }] }, ["ports[0].external"]],
  ["host-port", { publishAllPorts: true }, ["publishAllPorts"]],
  ["capabilities", { capabilities: { drops: ["ALL"], adds: ["CAP_SYS_ADMIN"] } }, ["capabilities.adds"]],
  [
    "added-capabilities",
    { capabilities: { drops: ["ALL"], adds: ["CAP_SYS_ADMIN"] } },
    ["capabilities.adds"],
  ],
  ["capabilities", { capabilities: undefined }, ["capabilities.drops"]],
  ["unconfined-seccomp", { securityOpts: ["seccomp=unconfined"] }, ["securityOpts[0]"]],
  ["app-armor", { securityOpts: ["apparmor:unconfined"] }, ["securityOpts[0]"]],
  ["selinux", { securityOpts: ["label=disable"] }, ["securityOpts[0]"]],
  ["privilege-escalation", { securityOpts: [] }, ["securityOpts"]],
  ["run-as-non-root", { user: undefined }, ["user"]],
  ["run-as-non-root", { user: "0:0" }, ["user"]],
  ["read-only-root", { readOnly: false }, ["readOnly"]],
  ["memory-limit", { memory: undefined }, ["memory"]],
  ["memory-limit", { memory: 64 * 1024 }, ["memory"]],
  ["cpu-limit", { cpus: undefined }, ["cpus"]],
  ["cpu-limit", { cpus: "64" }, ["cpus"]],
  ["require-digest", { image: "registry.example.com/team/app:1" }, ["image"]],
  ["no-latest", { image: "registry.example.com/team/app" }, ["image"]],
  ["allowed-registries", { image: `registry.example.com/team-b/app@${DIGEST}` }, ["image"]],
  ["allowed-registries", { image: "nginx" }, ["image"]],
  ["secret-in-environment", { envs: ["DB_PASSWORD=hunter2"] }, ["envs[0]"]],
  ["secret-in-environment", { command: ["run", "--password", "hunter22"] }, ["command[2]"]],
  ["liveness-probe", { healthcheck: { tests: ["NONE"] } }, ["healthcheck"]],
])("%s is broken by a container with %o", (id, change, paths) => {
  expect(found(id, CONTAINER, { ...lone, ...change })).toEqual(paths);
});

const IMAGE = "docker:index/image:Image";
const BUILD = "docker-build:index:Image";
const REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage";
const PUSHED = "docker:index/registryImage:RegistryImage";
const tagged = "registry.example.com/team/app:1";

test.each<[string, string, Properties, string[]]>([
  ["no-latest", IMAGE, { imageName: tagged }, []],
  ["no-latest", IMAGE, { imageName: "registry.example.com/team/app:latest" }, ["imageName"]],
  ["no-latest", IMAGE, { imageName: "app", skipPush: true }, []],
  ["no-latest", BUILD, { push: true, tags: [tagged, "registry.example.com/team/app"] }, ["tags[1]"]],
  ["no-latest", BUILD, { push: false, tags: ["app"] }, []],
  ["no-latest", PUSHED, { name: "registry.example.com/team/app:latest" }, ["name"]],
  ["no-latest", REMOTE_IMAGE, { name: "registry.example.com/team/app" }, ["name"]],
  ["no-latest", REMOTE_IMAGE, { name: "app", build: { context: "." } }, []],
  ["allowed-registries", IMAGE, { imageName: tagged }, []],
  ["allowed-registries", IMAGE, { imageName: "evil.example/app:1" }, ["imageName"]],
  ["allowed-registries", BUILD, { push: true, tags: ["evil.example/app:1", UNKNOWN] }, ["tags[0]"]],
  ["require-digest", REMOTE_IMAGE, { name: image }, []],
  ["require-digest", REMOTE_IMAGE, { name: tagged }, ["name"]],
  ["require-digest", IMAGE, { imageName: tagged }, []],
  ["secret-in-environment", IMAGE, { build: { args: { NODE_VERSION: "20" } } }, []],
  ["secret-in-environment", IMAGE, { build: { args: { NPM_TOKEN: "hunter22" } } }, ["build.args.NPM_TOKEN"]],
  ["secret-in-environment", BUILD, { buildArgs: { NPM_TOKEN: "hunter22" } }, ["buildArgs.NPM_TOKEN"]],
  ["secret-in-environment", BUILD, { secrets: { npm: "hunter22" } }, []],
])("%s of %s with %o", (id, type, props, paths) => expect(found(id, type, props)).toEqual(paths));

test("a volume is no folder of the host", () => {
  const type = "docker:index/volume:Volume";
  const driverOpts = { type: "none", o: "bind", device: "/etc" };
  expect(found("host-path", type, { driver: "local", driverOpts })).toEqual(["driverOpts.device"]);
  expect(found("host-path", type, { driverOpts: { type: "nfs", o: "addr=h" } })).toEqual([]);
});

const changed = (change: Properties): Properties => {
  const spec = service.taskSpec as { containerSpec: Properties };
  return { ...service, taskSpec: { ...spec, containerSpec: { ...spec.containerSpec, ...change } } };
};

test.each<[string, Properties, string[]]>([
  [
    "host-path",
    changed({ mounts: [{ type: "bind", source: "/etc" }] }),
    ["taskSpec.containerSpec.mounts[0].source"],
  ],
  ["runtime-socket", changed({ mounts: [socket] }), ["taskSpec.containerSpec.mounts[0].source"]],
  ["run-as-non-root", changed({ user: "root" }), ["taskSpec.containerSpec.user"]],
  [
    "capabilities",
    changed({ capDrops: [], capAdds: ["NET_ADMIN"] }),
    ["taskSpec.containerSpec.capAdds", "taskSpec.containerSpec.capDrops"],
  ],
  ["require-digest", changed({ image: "nginx:1" }), ["taskSpec.containerSpec.image"]],
  ["secret-in-environment", changed({ env: { API_KEY: "abc" } }), ["taskSpec.containerSpec.env.API_KEY"]],
  ["memory-limit", { taskSpec: { containerSpec: {} } }, ["taskSpec.resources.limits.memoryBytes"]],
  [
    "host-port",
    { ...service, endpointSpec: { ports: [{ publishMode: "host" }] } },
    ["endpointSpec.ports[0].publishMode"],
  ],
  [
    "host-namespaces",
    { ...service, taskSpec: { networksAdvanceds: [{ name: "host" }] } },
    ["taskSpec.networksAdvanceds[0].name"],
  ],
])("%s is broken by a service", (id, props, paths) => {
  expect(found(id, SERVICE, props)).toEqual(paths);
});
