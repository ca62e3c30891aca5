import { afterAll, beforeAll, expect, test } from "vitest";
import { UNKNOWN } from "../../components/provider/wire.ts";
import { PluginClient, type PluginError } from "./stand-in.client.ts";
import { type ControlPlane, startControlPlane, until } from "./stand-in.cluster.ts";

let plane: ControlPlane;
let plugin: PluginClient;

beforeAll(async () => {
  plane = await startControlPlane();
  plugin = await PluginClient.start();
  await plugin.configure({ kubeconfig: plane.kubeconfig });
  await until("the default service account", async () => {
    return (await plane.call("GET", "/api/v1/namespaces/default/serviceaccounts/default")).code === 200;
  });
}, 120_000);

afterAll(async () => {
  await plugin?.stop();
  await plane?.stop();
});

const urn = (type: string, name = "one"): string => `urn:pulumi:stack::project::kubernetes:${type}::${name}`;
const failing = (work: Promise<unknown>): Promise<PluginError> =>
  work.then(
    () => expect.fail("it should have been refused"),
    (error: PluginError) => error,
  );

const configMap = (name: string, data: Record<string, string>, more: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ...more },
  data,
});

const labels = (app: string) => ({ app });
const deployment = (name: string, more: { replicas?: number; cpu?: string; annotations?: object } = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default", annotations: more.annotations ?? {} },
  spec: {
    replicas: more.replicas ?? 2,
    selector: { matchLabels: labels(name) },
    template: {
      metadata: { labels: labels(name) },
      spec: {
        containers: [
          {
            name: "web",
            image: "web:1",
            resources: { limits: { cpu: more.cpu ?? "0.5", memory: "1024Mi" } },
          },
        ],
      },
    },
  },
});

test("says that it stands in, once", async () => {
  await until("its first line", () => plugin.lines.length > 0);
  expect(plugin.lines.filter((line) => line.includes("stand-in"))).toHaveLength(1);
});

test("a config map is previewed, made, changed in place when allowed, found, and deleted", async () => {
  const type = urn("core/v1:ConfigMap");
  const { inputs, failures } = await plugin.check(type, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings" },
    data: { a: "1" },
  });
  expect(failures).toEqual([]);
  expect(inputs).toEqual(configMap("settings", { a: "1" }));
  const previewed = await plugin.create(type, inputs, { preview: true });
  expect(previewed.outputs).toMatchObject({ data: { a: "1" }, metadata: { name: "settings", uid: UNKNOWN } });
  expect((await plugin.read(type, "default/settings", inputs)).id).toBe("");

  const made = await plugin.create(type, inputs);
  expect(made.id).toBe("default/settings");
  expect(made.outputs).toMatchObject({ data: { a: "1" }, metadata: { uid: expect.stringMatching(/-/) } });
  expect(await plugin.read(type, made.id, inputs)).toMatchObject({ id: made.id, inputs });

  const changed = configMap("settings", { b: "2" });
  expect(await plugin.update(type, made.id, inputs, changed)).toMatchObject({ data: { b: "2" } });
  const { body } = await plane.call("GET", "/api/v1/namespaces/default/configmaps/settings");
  expect((body as { data: object }).data).toEqual({ b: "2" });

  await plugin.delete(type, made.id, changed);
  expect((await plane.call("GET", "/api/v1/namespaces/default/configmaps/settings")).code).toBe(404);
  await plugin.delete(type, made.id, changed);
});

test("a name is made up from the seed, and kept by the next check", async () => {
  const type = urn("core/v1:ConfigMap", "cfg");
  const bare = { apiVersion: "v1", kind: "ConfigMap", data: {} };
  const { inputs } = await plugin.check(type, bare);
  const again = await plugin.check(type, bare);
  expect(inputs.metadata).toMatchObject({
    name: expect.stringMatching(/^cfg-[0-9a-f]{8}$/),
    namespace: "default",
    annotations: { "pulumi.com/autonamed": "true" },
  });
  expect(again.inputs).toEqual(inputs);
  const later = await plugin.check(type, { ...bare, data: { a: "1" } }, inputs, "another seed");
  expect(later.inputs.metadata).toEqual(inputs.metadata);
  expect(await plugin.diff(type, inputs, later.inputs)).toMatchObject({
    replaces: ["data"],
    deleteBeforeReplace: false,
  });
});

test("an object that exists already is not taken over", async () => {
  const type = urn("core/v1:ConfigMap");
  await plane.call("POST", "/api/v1/namespaces/default/configmaps", configMap("foreign", { a: "1" }));
  const error = await failing(plugin.create(type, configMap("foreign", { b: "2" })));
  expect(error.message).toContain("ConfigMap default/foreign exists already");
});

test("an import takes everything but what the server adds", async () => {
  await plane.call("POST", "/api/v1/namespaces/default/configmaps", configMap("imported", { a: "1" }));
  const found = await plugin.read(urn("core/v1:ConfigMap"), "default/imported");
  expect(found.inputs).toEqual(configMap("imported", { a: "1" }));
});

test("what another manager changed is drift, and taken over only when told", async () => {
  const type = urn("core/v1:ConfigMap");
  const inputs = configMap("drifting", { a: "1" });
  const { id } = await plugin.create(type, inputs);
  const path = "/api/v1/namespaces/default/configmaps/drifting?fieldManager=kubectl-edit";
  await plane.call("PATCH", path, { data: { a: "9", own: "x" } }, "application/merge-patch+json");
  const found = await plugin.read(type, id, inputs);
  expect(found.inputs).toEqual(configMap("drifting", { a: "9" }));
  const error = await failing(plugin.update(type, id, inputs, inputs, { preview: true }));
  expect(error.message).toContain("kubectl-edit");
  expect(error.message).toContain("pulumi.com/patchForce");
  const forced = configMap("drifting", { a: "1" }, { annotations: { "pulumi.com/patchForce": "true" } });
  expect(await plugin.update(type, id, inputs, forced)).toMatchObject({ data: { a: "1", own: "x" } });
});

test("a deployment is awaited, and another spelling of a quantity is no drift", async () => {
  const type = urn("apps/v1:Deployment");
  const inputs = deployment("web");
  const preview = await plugin.create(type, inputs, { preview: true });
  expect(preview.outputs.status).toBe(UNKNOWN);
  const { id, outputs } = await plugin.create(type, inputs);
  expect(outputs.status).toMatchObject({ availableReplicas: 2 });
  expect((await plugin.read(type, id, inputs)).inputs).toEqual(inputs);
  expect(plugin.lines.some((line) => line.includes("the controller has not seen"))).toBe(true);

  await plane.call(
    "PATCH",
    "/apis/apps/v1/namespaces/default/deployments/web/scale",
    { spec: { replicas: 3 } },
    "application/merge-patch+json",
  );
  await until("three replicas", async () => {
    const found = await plugin.read(type, id, inputs).catch(() => undefined);
    return (found?.inputs.spec as { replicas?: number } | undefined)?.replicas === 3;
  });

  await plugin.delete(type, id, inputs);
  const { body } = await plane.call("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb");
  expect((body as { items: unknown[] }).items).toEqual([]);
});

test("a deployment that does not come up is kept, with what its pods say", async () => {
  const type = urn("apps/v1:Deployment", "stuck");
  plane.holdPods(true);
  try {
    const inputs = deployment("stuck", { replicas: 1 });
    const error = await failing(plugin.create(type, inputs, { timeout: 4 }));
    expect(error.unready?.id).toBe("default/stuck");
    expect(error.unready?.outputs).toMatchObject({ spec: { replicas: 1 } });
    expect(error.message).toMatch(
      /Deployment default\/stuck: not ready after 4 s: .*0 of 1 replicas available/,
    );
    expect(error.message).toContain("ImagePullBackOff");
    const refreshed = await failing(plugin.read(type, "default/stuck", inputs));
    expect(refreshed.unready?.id).toBe("default/stuck");
    plane.holdPods(false);
    const outputs = await plugin.update(type, "default/stuck", inputs, inputs);
    expect(outputs.status).toMatchObject({ availableReplicas: 1 });
    await plugin.delete(type, "default/stuck", inputs);
  } finally {
    plane.holdPods(false);
  }
});

test("skipAwait does not wait", async () => {
  const type = urn("apps/v1:Deployment", "hasty");
  plane.holdPods(true);
  try {
    const inputs = deployment("hasty", { annotations: { "pulumi.com/skipAwait": "true" } });
    const { id } = await plugin.create(type, inputs);
    await plugin.delete(type, id, inputs);
  } finally {
    plane.holdPods(false);
  }
});

test("a service waits for a ready pod, a headless one does not", async () => {
  const type = urn("core/v1:Service");
  const service = (name: string, spec: object) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { selector: labels("backend"), ports: [{ name: "http", port: 80 }], ...spec },
  });
  const headless = service("headless", { clusterIP: "None" });
  await plugin.create(type, headless);
  const error = await failing(plugin.create(type, service("lonely", {}), { timeout: 2 }));
  expect(error.message).toContain("no ready pod behind the service");
  const preview = await plugin.create(type, service("backend", { type: "NodePort" }), { preview: true });
  expect(preview.outputs.spec).toMatchObject({
    clusterIP: UNKNOWN,
    ports: [{ port: 80, nodePort: UNKNOWN }],
  });
  const backend = deployment("backend", { replicas: 1 });
  await plugin.create(urn("apps/v1:Deployment", "backend"), backend);
  const made = await plugin.create(type, service("backend", { type: "NodePort" }));
  expect(made.outputs.spec).toMatchObject({ clusterIP: expect.stringMatching(/^10\.96\./) });
  expect((await plugin.read(type, made.id, service("backend", { type: "NodePort" }))).inputs).toEqual(
    service("backend", { type: "NodePort" }),
  );
});

test("a job is awaited to its end, and a failed one is an error at once", async () => {
  const type = urn("batch/v1:Job");
  const job = (name: string) => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: "default" },
    spec: {
      backoffLimit: 0,
      template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "job:1" }] } },
    },
  });
  const end = (name: string, phase: string) =>
    until(`the pod of ${name}`, async () => {
      const query = `labelSelector=job-name%3D${name}`;
      const { body } = await plane.call("GET", `/api/v1/namespaces/default/pods?${query}`);
      const [pod] = (body as { items: { metadata: { name: string } }[] }).items;
      const path = `/api/v1/namespaces/default/pods/${pod!.metadata.name}/status`;
      const patch = { status: { phase } };
      return (await plane.call("PATCH", path, patch, "application/merge-patch+json")).code === 200;
    });
  const [done] = await Promise.all([plugin.create(type, job("done")), end("done", "Succeeded")]);
  expect(done.outputs.status).toMatchObject({ succeeded: 1 });
  const [error] = await Promise.all([failing(plugin.create(type, job("doomed"))), end("doomed", "Failed")]);
  expect(error.message).toContain("Job default/doomed: will not become ready: the job failed");
});

test("a secret's data stays secret, and what was written as text drifts as text", async () => {
  const type = urn("core/v1:Secret");
  const inputs = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "credentials", namespace: "default" },
    stringData: { password: "canary-1" },
  };
  for (const preview of [true, false]) {
    const { raw } = await plugin.create(type, inputs, { preview });
    const sealed = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };
    expect(raw.data).toMatchObject(sealed);
    expect(raw.stringData).toMatchObject(sealed);
    const open = JSON.stringify({ ...raw, data: "", stringData: "" });
    expect(open).not.toContain("canary-1");
    expect(open).not.toContain(Buffer.from("canary-1").toString("base64"));
  }
  expect((await plugin.read(type, "default/credentials", inputs)).inputs).toEqual(inputs);
  const data = { password: Buffer.from("changed").toString("base64") };
  const path = "/api/v1/namespaces/default/secrets/credentials";
  await plane.call("PATCH", path, { data }, "application/merge-patch+json");
  expect((await plugin.read(type, "default/credentials", inputs)).inputs.stringData).toEqual({
    password: "changed",
  });
});

test("what cannot change in place is replaced, the old one first when the name is fixed", async () => {
  const type = urn("apps/v1:Deployment");
  const old = deployment("fixed");
  const moved = { ...old, spec: { ...old.spec, selector: { matchLabels: { app: "other" } } } };
  expect(await plugin.diff(type, old, moved)).toMatchObject({
    replaces: ["spec"],
    deleteBeforeReplace: true,
  });
  expect(await plugin.diff(type, old, deployment("fixed", { replicas: 5 }))).toEqual({
    changed: true,
    paths: ["spec.replicas"],
    replaces: [],
    deleteBeforeReplace: false,
  });
  expect(await plugin.diff(type, old, deployment("renamed"))).toMatchObject({ deleteBeforeReplace: false });
  expect((await plugin.diff(type, old, old)).changed).toBe(false);
});

test("a custom resource is previewed before its definition, and made right after it", async () => {
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
            },
          },
        },
      ],
    },
  };
  const type = urn("example.com/v1:Widget");
  const widget = {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name: "w", namespace: "default" },
    spec: { size: 3 },
  };
  const preview = await plugin.create(type, widget, { preview: true });
  expect(preview.outputs).toMatchObject({ spec: { size: 3 }, status: UNKNOWN });
  const definitionType = urn("apiextensions.k8s.io/v1:CustomResourceDefinition");
  expect((await plugin.check(definitionType, definition)).inputs).toEqual(definition);
  await plugin.create(definitionType, definition);
  const { id } = await plugin.create(type, widget);
  const misspelt = { ...widget, spec: { sise: 4 } };
  expect((await failing(plugin.update(type, id, widget, misspelt))).message).toContain("sise");
  await plugin.delete(type, id, widget);
  await plugin.delete(definitionType, "widgets.example.com", definition);
});

test("a namespace and what is in it can be previewed in one run; deleting it waits", async () => {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "demo" } };
  const inside = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "inside", namespace: "demo" },
    data: {},
  };
  const preview = await plugin.create(urn("core/v1:ConfigMap"), inside, { preview: true });
  expect(preview.outputs.metadata).toMatchObject({ namespace: "demo" });
  const { id } = await plugin.create(urn("core/v1:Namespace"), namespace);
  expect(id).toBe("demo");
  await plugin.create(urn("core/v1:ConfigMap"), inside);
  await plugin.delete(urn("core/v1:Namespace"), id, namespace);
  expect((await plane.call("GET", "/api/v1/namespaces/demo")).code).toBe(404);
});

test("a deletion that a finalizer holds names it when time is up", async () => {
  const held = configMap("held", {}, { finalizers: ["example.com/hold"] });
  const { id } = await plugin.create(urn("core/v1:ConfigMap"), held);
  const error = await failing(plugin.delete(urn("core/v1:ConfigMap"), id, held, 1));
  expect(error.message).toContain("example.com/hold");
});

test("unknown inputs stay unknown in a preview", async () => {
  const inputs = configMap("later", { a: UNKNOWN });
  const { outputs } = await plugin.create(urn("core/v1:ConfigMap"), inputs, { preview: true });
  expect(outputs.data).toEqual({ a: UNKNOWN });
});

test("YAML is decoded as Kubernetes reads it", async () => {
  const text = [
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {when: 2020-01-01, at: 10:20}\nmode: 0644",
    "# nothing here",
    "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: b}}]",
  ].join("\n---\n");
  expect(await plugin.invoke("kubernetes:yaml:decode", { text })).toEqual({
    result: [
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "a" },
        data: { when: "2020-01-01", at: "10:20" },
        mode: 420,
      },
      { apiVersion: "v1", kind: "Secret", metadata: { name: "b" } },
    ],
  });
  expect((await failing(plugin.invoke("kubernetes:yaml:decode", { text: "a: [" }))).message).toContain(
    "document 1",
  );
});

test("what it does not know is refused by name", async () => {
  const release = await plugin.check(urn("helm.sh/v3:Release"), { chart: "x" });
  expect(release.failures[0]).toContain("kubernetes:helm.sh/v3:Release is not supported by the stand-in");
  const patch = await plugin.check(urn("apps/v1:DeploymentPatch"), { metadata: { name: "x" } });
  expect(patch.failures[0]).toContain("DeploymentPatch is not supported");
  expect((await failing(plugin.invoke("kubernetes:helm:template", {}))).message).toContain(
    "kubernetes:helm:template",
  );
  expect(
    await plugin.checkConfig({ renderYamlToDirectory: "out", skipUpdateUnreachable: "true" }),
  ).toHaveLength(2);
  expect(await plugin.checkConfig({ kubeconfig: UNKNOWN, suppressDeprecationWarnings: "true" })).toEqual([]);
});

test("a bad kubeconfig is refused without quoting it", async () => {
  const [reason] = await plugin.checkConfig({ kubeconfig: "token: [canary-2" });
  expect(reason).toContain("kubeconfig is neither");
  expect(reason).not.toContain("canary-2");
  expect((await plugin.checkConfig({ kubeconfig: plane.kubeconfig, context: "nope" }))[0]).toContain(
    "it has test",
  );
});

test("only another cluster replaces the provider", async () => {
  const { kubeconfig } = plane;
  const renewed = kubeconfig.replace(/"token":"[^"]+"/, '"token":"new"');
  const elsewhere = kubeconfig.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1");
  expect(await plugin.diffConfig({ kubeconfig }, { kubeconfig: renewed })).toMatchObject({
    changed: true,
    replaces: [],
  });
  expect((await plugin.diffConfig({ kubeconfig }, { kubeconfig: elsewhere })).replaces).toEqual([
    "kubeconfig",
  ]);
  const named = (id: string, text: string) => ({ kubeconfig: text, clusterIdentifier: id });
  expect((await plugin.diffConfig(named("a", kubeconfig), named("a", elsewhere))).replaces).toEqual([]);
  expect((await plugin.diffConfig(named("a", kubeconfig), named("b", kubeconfig))).replaces).toEqual([
    "clusterIdentifier",
  ]);
  expect((await plugin.diffConfig({ kubeconfig }, { kubeconfig: UNKNOWN })).replaces).toEqual([]);
});

test("a cluster that does not answer is an error that names it, or forgotten when told", async () => {
  const kubeconfig = plane.kubeconfig.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1");
  const other = await PluginClient.start();
  try {
    await other.configure({ kubeconfig });
    const inputs = configMap("x", {});
    expect((await failing(other.create(urn("core/v1:ConfigMap"), inputs))).message).toContain(
      "https://127.0.0.1:1",
    );
    await other.configure({ kubeconfig, deleteUnreachable: "true" });
    await other.delete(urn("core/v1:ConfigMap"), "default/x", inputs);
  } finally {
    await other.stop();
  }
});

test("Ctrl-C ends an idle plugin, and a waiting one with what it waited for", async () => {
  const other = await PluginClient.start();
  plane.holdPods(true);
  try {
    await other.configure({ kubeconfig: plane.kubeconfig });
    const type = urn("apps/v1:Deployment", "cut");
    const creating = failing(other.create(type, deployment("cut", { replicas: 1 })));
    await until("the wait", () => other.lines.some((line) => line.includes("of 1 replicas")));
    other.signal("SIGINT");
    expect((await creating).unready?.id).toBe("default/cut");
    await other.interrupt();
  } finally {
    plane.holdPods(false);
    await other.stop();
  }
});
