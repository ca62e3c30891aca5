import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UNKNOWN } from "../../components/provider/wire.ts";
import { importedInputs, observed } from "../../tools/stand-ins/kubernetes/drift.ts";
import { named } from "../../tools/stand-ins/kubernetes/naming.ts";
import { type KubernetesObject, kindOf, tokenOf } from "../../tools/stand-ins/kubernetes/objects.ts";
import { changeOf } from "../../tools/stand-ins/kubernetes/replacement.ts";
import { asWritten, manifestOf } from "../../tools/stand-ins/kubernetes/secrets.ts";

const object = (fields: object): KubernetesObject => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "one" },
  ...fields,
});

describe("drift", () => {
  test("what the server spells in another way is none", () => {
    const inputs = object({ cpu: "0.5", none: [] });
    const canonical = object({ cpu: "500m" });
    expect(observed(inputs, canonical, canonical)).toEqual(inputs);
  });

  test("fields, labels and list items of others are left alone", () => {
    const inputs = object({ spec: { containers: [{ name: "web", image: "a" }] } });
    const live = object({
      metadata: { name: "one", labels: { injected: "x" } },
      spec: {
        containers: [
          { name: "side", image: "b" },
          { name: "web", image: "c" },
        ],
        hostNetwork: true,
      },
    });
    expect(observed(inputs, inputs, live)).toEqual(
      object({ spec: { containers: [{ name: "web", image: "c" }] } }),
    );
  });

  test("what is gone in the cluster is gone from the inputs", () => {
    const inputs = object({ data: { a: "1", b: "2" } });
    expect(observed(inputs, inputs, object({ data: { b: "2" } }))).toEqual(object({ data: { b: "2" } }));
  });

  test("a list of plain items is taken as found", () => {
    const inputs = object({ args: ["-v"] });
    expect(observed(inputs, inputs, object({ args: ["-v", "-q"] }))).toEqual(object({ args: ["-v", "-q"] }));
  });

  test("the same object never drifts", () => {
    void fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const same = object(fields);
        expect(observed(same, structuredClone(same), structuredClone(same))).toEqual(same);
      }),
    );
  });

  test("an import leaves out what the server adds", () => {
    const metadata = { name: "one", uid: "u", resourceVersion: "1", managedFields: [], labels: { a: "b" } };
    expect(importedInputs(object({ metadata, status: {}, data: {} }))).toEqual(
      object({ metadata: { name: "one", labels: { a: "b" } }, data: {} }),
    );
  });
});

describe("replacement", () => {
  const change = (kind: string, before: object, after: object, settings = {}) => {
    const [apiVersion, name] = [kind.slice(0, kind.lastIndexOf("/")), kind.split("/").at(-1)];
    const common = { apiVersion, kind: name, metadata: { name: "one", namespace: "default" } };
    return changeOf({ ...common, ...before }, { ...common, ...after }, settings);
  };

  test.each([
    ["apps/v1/Deployment", { spec: { selector: { a: 1 } } }, { spec: { selector: { a: 2 } } }],
    ["v1/Service", { spec: { clusterIP: "10.0.0.1" } }, { spec: { clusterIP: "None" } }],
    ["batch/v1/Job", { spec: { template: { a: 1 } } }, { spec: { template: { a: 2 } } }],
    ["v1/ConfigMap", { data: { a: "1" } }, { data: { a: "2" } }],
    ["v1/Secret", { type: "a" }, { type: "b" }],
    ["v1/Pod", { spec: { containers: [{ args: ["1"] }] } }, { spec: { containers: [{ args: ["2"] }] } }],
    ["v1/PersistentVolumeClaim", { spec: { volumeName: "a" } }, { spec: { volumeName: "b" } }],
    ["rbac.authorization.k8s.io/v1/RoleBinding", { roleRef: { name: "a" } }, { roleRef: { name: "b" } }],
    ["v1/Any", { metadata: { name: "one" } }, { metadata: { name: "two" } }],
  ])("%s needs a new object for what it cannot change", (kind, before, after) => {
    expect(change(kind, before, after).replace).toHaveLength(1);
  });

  test.each([
    ["apps/v1/Deployment", { spec: { replicas: 1 } }, { spec: { replicas: 2 } }],
    ["v1/Service", { spec: { ports: [] } }, { spec: { ports: [{ port: 1 }] } }],
    ["v1/Pod", { spec: { containers: [{ image: "1" }] } }, { spec: { containers: [{ image: "2" }] } }],
    ["v1/PersistentVolumeClaim", { spec: { resources: { a: 1 } } }, { spec: { resources: { a: 2 } } }],
    ["v1/Any", { metadata: { labels: { a: "1" } } }, { metadata: { labels: { a: "2" } } }],
  ])("%s changes the rest in place", (kind, before, after) => {
    const { paths, replace } = change(kind, { ...before }, { ...after });
    expect(paths).toHaveLength(1);
    expect(replace).toEqual([]);
  });

  test("config maps and secrets change in place when the provider allows it", () => {
    const [before, after] = [{ data: { a: "1" } }, { data: { a: "2" } }];
    expect(change("v1/ConfigMap", before, after, { enableConfigMapMutable: true }).replace).toEqual([]);
    expect(change("v1/Secret", before, after, { enableSecretMutable: true }).replace).toEqual([]);
  });

  test("the old one goes first only when both would have one name", () => {
    const autonamed = (name: string) => ({
      metadata: { name, annotations: { "pulumi.com/autonamed": "true" } },
    });
    expect(change("v1/ConfigMap", { data: {} }, { data: { a: "1" } }).deleteBeforeReplace).toBe(true);
    const made = change(
      "v1/ConfigMap",
      { ...autonamed("a"), data: {} },
      { ...autonamed("a"), data: { a: "1" } },
    );
    expect(made).toMatchObject({ replace: ["data.a"], deleteBeforeReplace: false });
  });
});

describe("names", () => {
  const seed = Buffer.from("seed");

  test("a given or not yet known name stays", () => {
    const given = { metadata: { name: "mine" } };
    expect(named(given, {}, "x", seed)).toBe(given);
    expect(named({ metadata: { name: UNKNOWN } }, {}, "x", seed)).toEqual({ metadata: { name: UNKNOWN } });
    expect(named({ metadata: UNKNOWN }, {}, "x", seed)).toEqual({ metadata: UNKNOWN });
  });

  test("a name once given by the user is not taken for one made up", () => {
    const { metadata } = named({}, { metadata: { name: "given" } }, "x", seed) as {
      metadata: { name: string };
    };
    expect(metadata.name).toMatch(/^x-[0-9a-f]{8}$/);
  });

  test("the engine's proposal is taken, and its refusal too", () => {
    expect(named({}, {}, "x", seed, { proposed: "p" })).toMatchObject({ metadata: { name: "p" } });
    expect(named({}, {}, "x", seed, { disabled: true })).toEqual({});
  });

  test("the kind is read from the type token", () => {
    expect(tokenOf("urn:pulumi:s::p::a:b:C$kubernetes:core/v1:Pod::n")).toBe("kubernetes:core/v1:Pod");
    expect(kindOf("kubernetes:core/v1:Pod")).toEqual({ apiVersion: "v1", kind: "Pod" });
    expect(kindOf("kubernetes:apps/v1:Deployment")).toEqual({ apiVersion: "apps/v1", kind: "Deployment" });
  });
});

describe("secrets", () => {
  test("text becomes data on the way in and text again on the way out", () => {
    const text = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string());
    void fc.assert(
      fc.property(text, (stringData) => {
        const inputs = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData };
        expect(asWritten(inputs, { ...manifestOf(inputs) })).toEqual(inputs);
      }),
    );
  });
});
