import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Case, cutAndFinish, inventories, leftovers } from "../lab/faults.sweep.ts";
import { type Cut, comes, FaultLab, resultOf } from "../lab/faults.ts";
import { type Running, Stack } from "../lab/stack.ts";

/** Another team's program for the same hosts. */
const intruder = `
import * as pulumi from "@pulumi/pulumi";
import { KubernetesCluster, Registry, Site } from "spillway/onprem";
import { HostState } from "spillway/ssh";

const { cp1, w1 } = JSON.parse(process.env.CONNECTIONS!);
if (process.env.WHAT === "state") {
  new HostState("state", { connection: cp1, name: "registry", files: { "/etc/intruder": { content: "x" } } });
} else {
  const host = ({ address, hostKey }: { address: string; hostKey: string }) => ({ address, hostKey, container: true });
  const range = cp1.address.replace(/[0-9]+$/, "0/24");
  const site = new Site("theirs", { range, ssh: { privateKey: pulumi.secret(cp1.privateKey) }, hosts: { cp1: host(cp1), w1: host(w1) } });
  const registry = new Registry("store", { site, host: "w1" });
  const pools = { general: { hosts: ["w1"] } };
  const network = { mode: "bridge", policies: "unenforced" } as const;
  new KubernetesCluster("c", { site, version: "1.36", controlPlane: ["cp1"], pools, network, registry });
}
`;

let lab: FaultLab;
let other: Stack;
let bareHosts: Record<string, string[]>;
let bare: Record<string, string[]>;

beforeAll(async () => {
  lab = await FaultLab.make("faults");
  other = new Stack({ name: "intruder", program: intruder });
  bareHosts = await inventories(lab);
  await lab.succeed("registry");
  bare = await inventories(lab);
});

afterAll(async () => {
  await other?.remove();
  await lab?.remove();
});

/** Starts a run and waits until kubeadm is in the middle of making the cluster. */
async function initBegun(): Promise<Running> {
  const run = lab.launch("cluster");
  await comes(run, () => lab.has("cp1", "/etc/kubernetes/admin.conf"));
  return run;
}

async function mustBeWhole(): Promise<void> {
  await lab.mustBeSettled("cluster");
  await lab.mustBeReady();
}

/** Takes the cluster away, and says what is left of it. */
async function mustBeGone(): Promise<void> {
  await lab.succeed("registry");
  expect(await leftovers(lab, bare)).toEqual([]);
}

const up = (cut: Cut): Case => ({ from: "registry", to: "cluster", cut });
const down = (cut: Cut): Case => ({ from: "cluster", to: "registry", cut });

/** @returns what the engine said was being done when it was cut */
async function mustFinish(one: Case, midway?: () => void): Promise<string> {
  const { problems, step } = await cutAndFinish(lab, one, midway);
  expect(problems).toEqual([]);
  return step;
}

const kubelet = "/usr/local/bin/kubelet";

describe("a run that is interrupted while kubeadm makes the cluster", () => {
  test("ends by itself after one Ctrl-C, and the next finishes what it began", async () => {
    const run = await initBegun();
    run.signal("SIGINT");
    const { code, text } = await run.end;
    expect(code).not.toBe(0);
    expect(text).toMatch(/host cp1, enter-cp1: no longer waited for; .*the next run takes its result/);
    await lab.succeed("cluster");
    await mustBeWhole();
    await mustFinish(down({ host: "w1", at: 2, mode: "after" }));
    await mustBeGone();
  });

  test("ends at once after two, and what still runs is taken back as well", async () => {
    const run = await initBegun();
    run.signal("SIGINT");
    await sleep(200);
    run.signal("SIGINT");
    expect((await run.end).code).not.toBe(0);
    await mustBeGone();
  });

  test("may be killed: once its lock on the state is taken away the next finishes what it began", async () => {
    const run = await initBegun();
    run.child.kill("SIGKILL");
    await run.end;
    const refused = await lab.up("cluster");
    expect(refused.code).not.toBe(0);
    expect(refused.text).toMatch(/currently locked by 1 lock[\s\S]*pulumi cancel/);
    const freed = await lab.stack.run(["cancel", "--yes"]);
    expect(freed.code, freed.text).toBe(0);
    await lab.succeed("cluster");
    await mustBeWhole();
  });
});

describe("two runs at once", () => {
  test("of one stack: the second is refused and the first is not disturbed", async () => {
    const run = lab.launch("cluster");
    await comes(run, () => /updating/i.test(run.text()));
    const second = await lab.up("cluster");
    expect(second.code).not.toBe(0);
    expect(second.text).toMatch(/currently locked by 1 lock/);
    const first = await run.end;
    expect(first.code, first.text).toBe(0);
  });

  test("of two stacks: a host that one of them owns is refused to the other before anything is changed", async () => {
    const { connections } = await lab.machines();
    const env = { CONNECTIONS: JSON.stringify(connections) };
    const cluster = await other.run(["preview"], { ...env, WHAT: "cluster" });
    expect(cluster.code).not.toBe(0);
    expect(cluster.text).toMatch(/hosts are not fit: [\s\S]*cp1.*organization\/faults-faults\/t\/c/);
    const state = await other.run(["up", "--yes"], { ...env, WHAT: "state" });
    expect(state.code).not.toBe(0);
    expect(state.text).toMatch(
      /host cp1[\s\S]*the state "registry" belongs to urn:pulumi:t::faults-faults::/,
    );
    expect(cluster.text + state.text).not.toContain("PRIVATE KEY");
    await mustBeWhole();
    await mustFinish(down({ host: "cp1", at: 7, mode: "after" }));
    await mustBeGone();
  });
});

describe("a connection that is cut", () => {
  test("after kubeadm's init, before its answer came: a refresh in between loses nothing", async () => {
    const cut: Cut = { host: "cp1", at: resultOf("enter-cp1"), mode: "after" };
    await lab.arm(cut);
    const { code, text } = await lab.up("cluster");
    expect(code).not.toBe(0);
    expect(await lab.isCut(cut)).toBe(true);
    expect(lab.has("cp1", "/etc/kubernetes/admin.conf")).toBe(true);
    expect(text).toMatch(/host cp1, [^:]+: .*bring the host back and run again/);
    await lab.arm();
    expect((await lab.stack.refresh(lab.environment("cluster"))).code).toBe(0);
    expect((await lab.stack.previewNothing(lab.environment("cluster"))).code).not.toBe(0);
    await lab.succeed("cluster");
    await mustBeWhole();
    await mustFinish(down({ host: "cp1", at: 4, mode: "before" }));
    await mustBeGone();
  });

  test("while a host gets its declared state, or when it is locked: the next run goes on", async () => {
    await mustFinish(up({ host: "w1", at: kubelet, mode: "after" }), () => {
      // Its files are sent, and no unit is there to run them.
      expect(lab.has("w1", kubelet)).toBe(true);
      expect(lab.has("w1", "/etc/systemd/system/kubelet.service")).toBe(false);
    });
    const step = await mustFinish(down({ host: "w1", at: 1, mode: "before" }));
    expect(step).toBe("taking the host's lock");
    await mustBeGone();
  });

  test("after a worker's join: the next run takes the answer", async () => {
    await mustFinish(up({ host: "w1", at: resultOf("join-w1"), mode: "after" }), () =>
      expect(lab.has("w1", "/etc/kubernetes/kubelet.conf")).toBe(true),
    );
    await mustBeGone();
  });
});

describe("pulumi destroy", () => {
  test.each([
    { host: "w1", at: 2, mode: "after" },
    { host: "cp1", at: 5, mode: "before" },
    { host: "cp1", at: 3, mode: "power" },
  ] satisfies Cut[])("cut at $host's command $at ($mode) is finished by the next one", async (cut) => {
    await lab.succeed("cluster");
    await mustFinish({ from: "cluster", to: "hosts", cut });
    expect(await leftovers(lab, bareHosts)).toEqual([]);
  });
});
