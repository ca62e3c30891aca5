import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import {
  asFound,
  CLAIM,
  JOINED,
  type NodeInputs,
  nodeState,
  type ObservedNode,
  PRELUDE,
  settling,
} from "../../components/kubeadm/node.ts";
import type { Context } from "../../components/provider/resource.ts";
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

describe("what a host notes of its node", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-node-"));
  const notes = join(folder, "notes");
  const programs = join(folder, "programs");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true });
    for (const path of [notes, programs, join(folder, "kubernetes")]) mkdirSync(path, { recursive: true });
    put("systemctl", "exit 0");
  });

  const put = (name: string, text: string) =>
    writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const run = (text: string, values: Record<string, string> = {}) =>
    spawnSync(
      "sh",
      [
        "-euc",
        text.replaceAll("/var/lib/spillway", notes).replaceAll("/etc/kubernetes", `${folder}/kubernetes`),
      ],
      { env: { ...values, PATH: `${programs}:${process.env.PATH}` }, encoding: "utf8" },
    );
  const values = { OWNER: "o", CLUSTER: "c", SELF: "worker w1", ADDRESS: "10.0.0.21" };
  const joined = "worker w1 at 10.0.0.21";
  const note = (name: string, text: string) => writeFileSync(join(notes, name), text);
  const state = async () => {
    const session = {
      run: async ({ text, values }: { text: string; values: Record<string, string> }) =>
        run(text, values).stdout,
    };
    return (await nodeState(session as never, inputs, "worker", {} as Context)).state;
  };

  test("is written as a whole, and asked of the disk before anything goes on", () => {
    expect(run(`${CLAIM}${JOINED}`, values)).toMatchObject({ status: 0, stderr: "" });
    const found = readdirSync(notes).map((name) => [name, readFileSync(join(notes, name), "utf8")]);
    expect(Object.fromEntries(found)).toEqual({ owner: "o", cluster: "c", joined });
    put("sync", "exit 1");
    rmSync(join(notes, "owner"));
    expect(run(`${CLAIM}`, values).status).not.toBe(0);
    expect(readdirSync(notes)).not.toContain("owner");
  });

  test("counts as absent where a loss of power left it empty", async () => {
    writeFileSync(join(folder, "kubernetes", "kubelet.conf"), "");
    for (const [name, text] of Object.entries({ owner: "o", cluster: "c", joined })) note(name, text);
    expect(await state()).toBe("joined");
    note("joined", "");
    expect(await state()).toBe("unfinished");
    note("joined", joined);
    note("owner", "");
    // One of the two tells whose it is.
    expect(await state()).toBe("joined");
    expect(run(`${PRELUDE}claimed && ! foreign`, values).status).toBe(0);
    note("owner", "o");
    note("cluster", "");
    expect(await state()).toBe("joined");
    note("cluster", "another");
    expect(await state()).toBe("foreign");
    for (const name of ["owner", "cluster", "joined"]) note(name, "");
    expect(await state()).toBe("foreign");
    rmSync(join(folder, "kubernetes", "kubelet.conf"));
    expect(await state()).toBe("absent");
    expect(run(CLAIM, values)).toMatchObject({ status: 0 });
  });
});
