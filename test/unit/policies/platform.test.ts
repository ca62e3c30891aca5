import { expect, test } from "vitest";
import { clusterFacts } from "../../../components/onprem/cluster-problems.ts";
import { controlIds, judge } from "../../../components/policies/judge.ts";
import { settingsOf } from "../../../components/policies/settings.ts";
import { type Properties, UNKNOWN } from "../../../components/policies/value.ts";
import { found } from "./world.ts";

const CLUSTER = "spillway:onprem:KubernetesCluster";

test.each<[Properties, string[]]>([
  [clusterFacts({ version: "1.36" }), []],
  [clusterFacts({ version: "1.36", network: { mode: "overlay" } }), []],
  [clusterFacts({ version: "1.36", network: { mode: "host" } }), ["network.mode"]],
  [
    clusterFacts({ version: "1.36", network: { mode: "bridge", policies: "unenforced" } }),
    ["network.policies"],
  ],
  [{ network: { mode: UNKNOWN, policies: "unenforced" } }, ["network.policies"]],
])("the network of a cluster that says %o", (facts, paths) => {
  expect(found("network-mode", CLUSTER, facts)).toEqual(paths);
});

test.each<[Properties, string[]]>([
  [clusterFacts({ version: "1.36" }), []],
  [{ version: "1.29" }, ["version"]],
  [{ version: "new" }, ["version"]],
  [{ version: UNKNOWN }, []],
])("the version of a cluster that says %o", (facts, paths) => {
  expect(found("supported-version", CLUSTER, facts)).toEqual(paths);
});

test("a store keeps its data, in production", () => {
  const type = "spillway:ceph:FileSystem";
  expect(found("data-loss", type, { allowDataLoss: false })).toEqual([]);
  expect(found("data-loss", type, { allowDataLoss: true })).toEqual(["allowDataLoss"]);
  const tried = settingsOf(
    { environments: { dev: "development" } },
    { stack: "dev", known: controlIds, today: "2026-06-01" },
  );
  expect(judge({ type, name: "shared", props: { allowDataLoss: true } }, tried)).toEqual([]);
});
