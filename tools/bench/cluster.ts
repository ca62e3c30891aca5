import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ControlPlaneMemberInputs } from "../../components/kubeadm/control-plane-member.provider.ts";
import { identity, LEAVE, PRELUDE } from "../../components/kubeadm/node.ts";
import type { WorkerInputs } from "../../components/kubeadm/worker.provider.ts";
import { joinConfig } from "../../components/render/kubeadm.ts";
import { closeAll } from "../../components/ssh/pool.ts";
import { onHost } from "../../components/ssh/session.ts";
import type { Stack } from "../../test/lab/stack.ts";
import { child } from "./child.ts";
import { context } from "./context.ts";
import { writeSshConfig } from "./lab.ts";
import { type Measure, said, seconds } from "./measure.ts";
import { rounds } from "./options.ts";
import { benchStack, mustEnd, pulumi, UP } from "./stack.ts";
import { later } from "./tidy.ts";

/** One control plane host and two workers, as in the stack `local`. */
export const clusterProgram = (lab: string) => `
import { KubernetesCluster, Registry, Site } from "spillway/lab";
const site = new Site("${lab}", { hosts: ["cp1", "w1", "w2"] });
const registry = new Registry("registry", { site, host: "cp1" });
const pools = { general: { hosts: ["w1", "w2"] } };
// With routes of the hosts, kubeadm's commands are all that a cluster takes.
const network = { mode: "bridge", policies: "unenforced" } as const;
const cluster = new KubernetesCluster("bench", { site, version: "1.36", controlPlane: ["cp1"], pools, network, registry });
export const nodes = cluster.nodes;
`;

/**
 * The same three hosts, ready each time: images in their registry, programs and settings in place, no
 * node of a cluster. By turns `pulumi up` makes the members, and a shell script runs the same kubeadm
 * commands with the same configurations. Both end when all nodes are Ready.
 */
export async function cluster(): Promise<Measure[]> {
  const lab = "bench-cluster";
  const stack = benchStack({ name: "bench-cluster", program: clusterProgram(lab), labs: [lab] });
  later(closeAll);
  await pulumi(stack, ...UP);
  const nodes = await nodesOf(stack);
  const folder = prepare(stack.folder, nodes);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds(2); round++) {
    await removeMembers(stack);
    ours.push(said("pulumi up", await pulumi(stack, ...UP)));
    await removeMembers(stack);
    bare.push(await seconds("shell script", () => runScript(folder)));
    await leaveAll(nodes);
  }
  return [
    {
      bench: "cluster",
      what: "up of the cluster on ready hosts (1 control plane, 2 workers)",
      unit: "s",
      ours,
      other: { what: "kubeadm by a parallel shell script", values: bare },
      limit: { mostTimes: 1.25 },
    },
  ];
}

interface Nodes {
  controlPlane: ControlPlaneMemberInputs;
  workers: WorkerInputs[];
}

const member = "spillway:kubeadm:ControlPlaneMember";
const worker = "spillway:kubeadm:Worker";

/** What the cluster was made from, out of the stack's state. */
async function nodesOf(stack: Stack): Promise<Nodes> {
  const { stdout } = mustEnd(await stack.run(["stack", "export", "--show-secrets"]));
  const { deployment } = JSON.parse(stdout) as {
    deployment: { resources: { type: string; inputs: unknown }[] };
  };
  const inputsOf = (type: string) =>
    deployment.resources.filter((one) => one.type === type).map(({ inputs }) => plain(inputs));
  return {
    controlPlane: inputsOf(member)[0] as ControlPlaneMemberInputs,
    workers: inputsOf(worker) as WorkerInputs[],
  };
}

/** Takes the envelopes off secrets, as the state writes them. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if ("plaintext" in value) return plain(JSON.parse(value.plaintext as string));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

function removeMembers(stack: Stack): Promise<number> {
  const targets = [member, worker].flatMap((type) => ["--target", `**${type}::*`]);
  return pulumi(stack, "destroy", "--yes", "--skip-preview", "--target-dependents", ...targets);
}

/** Writes what the shell script needs. */
function prepare(parent: string, { controlPlane, workers }: Nodes): string {
  const folder = join(parent, "bare");
  const { keys } = controlPlane;
  const files: Record<string, string> = {
    "control-plane": controlPlane.node.name,
    workers: workers.map(({ node }) => node.name).join(" "),
    ignore: controlPlane.ignorePreflight.join(","),
    "init.yaml": controlPlane.initConfig,
    "pki/ca.crt": keys.caCertificate,
    "pki/ca.key": keys.caKey,
    "pki/etcd/ca.crt": keys.etcdCaCertificate,
    "pki/etcd/ca.key": keys.etcdCaKey,
    "pki/front-proxy-ca.crt": keys.frontProxyCaCertificate,
    "pki/front-proxy-ca.key": keys.frontProxyCaKey,
    "pki/sa.key": keys.serviceAccountKey,
    "pki/sa.pub": keys.serviceAccountPublicKey,
  };
  for (const { node, endpoint, caHash } of workers)
    files[`join-${node.name}.yaml`] = joinConfig(node, { endpoint, caHash, token: "@TOKEN@" });
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, text, { mode: 0o600 });
  }
  writeSshConfig(
    folder,
    [controlPlane, ...workers].map(({ connection }) => connection),
  );
  return folder;
}

function runScript(folder: string): Promise<string> {
  return child(["bash", fileURLToPath(new URL("bare-cluster.sh", import.meta.url)), folder]);
}

/** What removing a member does on its host. */
async function leaveAll({ controlPlane, workers }: Nodes): Promise<void> {
  const script = { name: "leave", text: `${PRELUDE}${LEAVE}` };
  await Promise.all(
    [...workers, controlPlane].map((inputs) =>
      onHost(inputs.connection, context(), (session) =>
        session.run({ ...script, values: identity(inputs) }, context()),
      ),
    ),
  );
  // The next `up` has to get the hosts' locks.
  await closeAll();
}
