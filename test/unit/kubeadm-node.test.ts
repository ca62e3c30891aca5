import { describe, expect, test } from "vitest";
import { asFound, type NodeInputs, type ObservedNode, settling } from "../../components/kubeadm/node.ts";
import type { Taint } from "../../components/render/kubeadm.ts";

const gpu: Taint = { key: "example.com/gpu", effect: "NoSchedule" };
const inputs: NodeInputs = {
  connection: { host: "w1", address: "10.0.0.21", privateKey: "", hostKey: "" },
  owner: "o",
  cluster: "c",
  endpoint: "e:6443",
  caHash: "sha256:00",
  node: { name: "w1", address: "10.0.0.21", taints: [gpu] },
  podRange: "10.244.21.0/24",
  labels: { tier: "one" },
  ignorePreflight: [],
};
/** The node as a run leaves it. */
const settled: ObservedNode = {
  metadata: {
    labels: { tier: "one", "kubernetes.io/hostname": "w1" },
    annotations: JSON.parse(settling(inputs).PATCH!).metadata.annotations,
  },
  spec: { taints: [gpu] },
};

describe("a node as the cluster shows it", () => {
  test("is as the program says after a run, whatever others have put on it", () => {
    const theirs: Taint = { key: "node.kubernetes.io/not-ready", effect: "NoExecute" };
    expect(asFound(inputs, { ...settled, spec: { taints: [theirs, gpu] } })).toEqual(inputs);
  });

  test("shows labels and taints that only a failed update said, by the node's annotations", () => {
    const more = settling({
      ...inputs,
      labels: { tier: "two", disk: "ssd" },
      node: { ...inputs.node, taints: [gpu, { ...gpu, value: "a", effect: "NoExecute" }] },
    });
    const { labels, annotations } = JSON.parse(more.PATCH!).metadata;
    const taints: Taint[] = [{ ...gpu, value: "a", effect: "NoExecute" }, gpu];
    const found = asFound(inputs, { metadata: { labels, annotations }, spec: { taints } });
    expect(found.labels).toEqual({ tier: "two", disk: "ssd" });
    expect(found.node.taints).toEqual([gpu, { ...gpu, value: "a", effect: "NoExecute" }]);
  });

  test("shows what was taken off, and a value that was changed", () => {
    const spec = { taints: [{ ...gpu, value: "theirs" }] };
    const found = asFound(inputs, { metadata: {}, spec });
    expect(found.labels).toEqual({});
    expect(found.node.taints).toEqual([{ ...gpu, value: "theirs" }]);
  });
});
