import { readFileSync } from "node:fs";
import type {
  V1Deployment,
  V1Namespace,
  V1NetworkPolicy,
  V1PodDisruptionBudget,
  V1Service,
  V1ServiceAccount,
} from "@kubernetes/client-node";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { WebService, type WebServiceArgs } from "../../components/kubernetes/index.ts";
import { build } from "./world.ts";

const image = `registry.example.com/shop@sha256:${"0f".repeat(32)}`;

type Whole<T> = T extends (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Whole<T[Key]> }
    : T;

interface Kinds {
  Namespace: V1Namespace;
  ServiceAccount: V1ServiceAccount;
  Deployment: V1Deployment;
  Service: V1Service;
  NetworkPolicy: V1NetworkPolicy;
  PodDisruptionBudget: V1PodDisruptionBudget;
}
type Manifest = Whole<Kinds[keyof Kinds]>;

async function manifests(args: Partial<WebServiceArgs> = {}, name = "shop"): Promise<Manifest[]> {
  const asked = await build(() => new WebService(name, { image, ...args }));
  return asked.filter(({ type }) => type.startsWith("kubernetes:")).map(({ inputs }) => inputs as Manifest);
}

function find<Kind extends keyof Kinds>(all: Manifest[], kind: Kind, name?: string): Whole<Kinds[Kind]> {
  const found = all.find((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  return (found as Whole<Kinds[Kind]> | undefined) ?? expect.fail(`no ${kind}`);
}
const podOf = (all: Manifest[]) => find(all, "Deployment").spec.template.spec;
const containerOf = (all: Manifest[]) => podOf(all).containers[0]!;

/** Each practice: whether manifests honour it, and a change that breaks it. */
const practices: Record<string, [holds: (all: Manifest[]) => boolean, spoil: (all: Manifest[]) => unknown]> =
  {
    "the image is pinned by digest": [
      (all) => /@sha256:[0-9a-f]{64}$/.test(containerOf(all).image),
      (all) => {
        containerOf(all).image = "registry.example.com/shop:latest";
      },
    ],
    "nothing runs as root": [
      (all) => podOf(all).securityContext.runAsNonRoot === true && podOf(all).securityContext.runAsUser > 0,
      (all) => {
        podOf(all).securityContext.runAsUser = 0;
      },
    ],
    "the root file system is read-only": [
      (all) => containerOf(all).securityContext.readOnlyRootFilesystem === true,
      (all) => {
        containerOf(all).securityContext.readOnlyRootFilesystem = false;
      },
    ],
    "no capability and no way to more privilege": [
      (all) => {
        const { capabilities, allowPrivilegeEscalation } = containerOf(all).securityContext;
        return capabilities.drop.includes("ALL") && !capabilities.add && allowPrivilegeEscalation === false;
      },
      (all) => {
        containerOf(all).securityContext.capabilities.drop = ["NET_RAW"];
      },
    ],
    "the default seccomp profile": [
      (all) => podOf(all).securityContext.seccompProfile.type === "RuntimeDefault",
      (all) => {
        podOf(all).securityContext.seccompProfile.type = "Unconfined";
      },
    ],
    "requests and limits on processor and memory": [
      (all) =>
        (["limits", "requests"] as const).every((bound) =>
          ["cpu", "memory"].every((kind) => containerOf(all).resources[bound]?.[kind]),
        ),
      (all) => {
        containerOf(all).resources.limits = {};
      },
    ],
    "readiness and liveness are probed": [
      (all) => !!containerOf(all).readinessProbe?.httpGet && !!containerOf(all).livenessProbe?.httpGet,
      (all) => Object.assign(containerOf(all), { livenessProbe: undefined }),
    ],
    "no API token in the pod": [
      (all) =>
        podOf(all).automountServiceAccountToken === false &&
        podOf(all).serviceAccountName === find(all, "ServiceAccount").metadata.name &&
        find(all, "ServiceAccount").automountServiceAccountToken === false,
      (all) => {
        podOf(all).automountServiceAccountToken = true;
      },
    ],
    "traffic is denied but to the port, in a namespace under Pod Security": [
      (all) => {
        const deny = find(all, "NetworkPolicy", "shop-deny").spec;
        const closed = Object.keys(deny.podSelector).length === 0 && !deny.ingress && !deny.egress;
        const { labels } = find(all, "Namespace").metadata;
        return (
          closed &&
          deny.policyTypes.length === 2 &&
          labels["pod-security.kubernetes.io/enforce"] === "restricted"
        );
      },
      (all) => {
        Object.assign(find(all, "NetworkPolicy", "shop-deny").spec, { ingress: [{}] });
      },
    ],
    "two replicas, spread over the nodes, never all down at once": [
      (all) =>
        find(all, "Deployment").spec.replicas >= 2 &&
        podOf(all).topologySpreadConstraints[0]?.topologyKey === "kubernetes.io/hostname" &&
        find(all, "PodDisruptionBudget").spec.maxUnavailable === 1,
      (all) => {
        find(all, "Deployment").spec.replicas = 1;
      },
    ],
  };

describe("a web service", () => {
  test("has the manifests that were agreed on", async () => {
    const text = (await manifests({ env: { GREETING: "hello" }, nodePort: 30080 })).map((one) =>
      stringify(one),
    );
    await expect(text.sort().join("---\n")).toMatchFileSnapshot("golden/web-service.yaml");
  });

  test.each(Object.entries(practices))("honours: %s", async (_, [holds, spoil]) => {
    const all = await manifests();
    expect(holds(all)).toBe(true);
    spoil(all);
    expect(holds(all)).toBe(false);
  });

  test("everything but its namespace is in its namespace", async () => {
    const all = await manifests({ namespace: "market" });
    expect(find(all, "Namespace").metadata.name).toBe("market");
    const others = all.filter(({ kind }) => kind !== "Namespace");
    expect(new Set(others.map(({ metadata }) => metadata.namespace))).toEqual(new Set(["market"]));
  });

  test("names its children after itself", async () => {
    const asked = await build(() => new WebService("shop", { image }));
    expect(asked.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
      "kubernetes:apps/v1:Deployment shop-deployment",
      "kubernetes:core/v1:Namespace shop-namespace",
      "kubernetes:core/v1:Service shop-service",
      "kubernetes:core/v1:ServiceAccount shop-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy shop-allow",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy shop-deny",
      "kubernetes:policy/v1:PodDisruptionBudget shop-budget",
      "spillway:kubernetes:WebService shop",
    ]);
  });

  test("refuses with all problems at once, before any resource", async () => {
    let message = "";
    const asked = await build(() => {
      try {
        new WebService("$(touch /tmp/x)", {
          image: "shop:latest",
          replicas: 0,
          port: 80,
          nodePort: 80,
          namespace: "../up",
          resources: { cpu: "much", memory: "128MB" },
          healthPath: "no path",
          env: { "A B": "1" },
        });
      } catch (error) {
        message = (error as Error).message;
      }
    });
    expect(asked).toEqual([]);
    const paths = message
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(":")[0]);
    expect(paths).toEqual(
      "name namespace image replicas port nodePort resources.cpu resources.memory healthPath env".split(" "),
    );
    expect(message).toContain('"shop:latest" has no digest; name it by digest');
  });

  test("refuses a late image without a digest where it is used", async () => {
    const { pinned } = await import("../../components/kubernetes/web-service-problems.ts");
    expect(() => pinned("shop:latest")).toThrow("has no digest");
    const late = await manifests({ image: pulumi.output(image) });
    expect(containerOf(late).image).toBe(image);
  });

  test("its golden manifests hold all objects that the practices speak of", () => {
    const text = readFileSync(new URL("golden/web-service.yaml", import.meta.url), "utf8");
    const documents = parseAllDocuments(text);
    const golden = ("empty" in documents ? [] : documents).map((document) => document.toJS() as Manifest);
    for (const [holds] of Object.values(practices)) expect(holds(golden)).toBe(true);
    expect(golden).toHaveLength(7);
  });
});
