import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import * as control from "../../components/lab/control.ts";
import { labPackages } from "../../components/lab/image.provider.ts";
import { computerOf } from "../../components/lab/range.ts";
import { until } from "../../components/local/until.ts";
import type { NetworkArgs } from "../../components/model/network.ts";
import { contains, parseAddress, parseRange } from "../../components/model/range.ts";
import { UNDERLAY_LABEL } from "../../components/render/underlay.ts";
import { freeRange } from "./lab.ts";
import { type Measure, said } from "./measure.ts";
import { type Endpoint, iperf3, lighttpdFiles, type Tool, toolPackages, tools } from "./network-tools.ts";
import { rounds } from "./options.ts";
import { benchStack, pulumi, UP } from "./stack.ts";
import { interrupted } from "./tidy.ts";

/** A network that a cluster may have, and how it is called in the table. */
interface Subject {
  name: string;
  network: NetworkArgs;
}

const subjects = (underlay: string): Subject[] => [
  { name: "none", network: { mode: "none" } },
  { name: "host", network: { mode: "host" } },
  { name: "bridge (Cilium)", network: { mode: "bridge" } },
  { name: "bridge (host routes)", network: { mode: "bridge", policies: "unenforced" } },
  { name: "overlay (Cilium)", network: { mode: "overlay" } },
  { name: "overlay (Flannel)", network: { mode: "overlay", policies: "unenforced" } },
  { name: "underlay (beside Cilium)", network: { mode: "underlay", underlay: { range: underlay } } },
  {
    name: "underlay (beside host routes)",
    network: { mode: "underlay", policies: "unenforced", underlay: { range: underlay } },
  },
];

const lab = "bench-network";

const program = (range: string, { network }: Subject) => `
import { KubernetesCluster, Registry, Site } from "spillway/lab";
const site = new Site("${lab}", {
  hosts: ${JSON.stringify(Object.keys(hostsOf(range)))},
  range: "${range}",
  addresses: ${JSON.stringify(hostsOf(range))},
  packages: ${JSON.stringify([...labPackages, ...toolPackages])},
});
const registry = new Registry("registry", { site, host: "h1" });
const pools = { general: { hosts: ["h2"] } };
const network = ${JSON.stringify(network)} as const;
const cluster = new KubernetesCluster("bench", { site, version: "1.36", controlPlane: ["h1"], pools, network, registry });
export const hello = registry.image("hello", cluster.image("hello")).reference;
`;

/** Addresses by name. The last two are in no cluster. */
const hostsOf = (range: string) =>
  Object.fromEntries(
    ["h1", "h2", "h3", "h4"].map((host, i) => [host, range.replace("0/24", String(11 + i))]),
  );

/**
 * A cluster of two hosts for each network, one after the other, and two hosts beside it. Pods of the cluster, its hosts
 * and those beside have a path each, which are measured by turns: a network costs its hosts as well, so only those
 * beside are a measure for all. The programs are the hosts', and enter the network namespace of a pod for its path.
 */
export async function network(): Promise<Measure[]> {
  const range = await freeRange(lab);
  const measures: Measure[] = [];
  for (const subject of subjects(range.replace("0/24", "64/28")))
    measures.push(...(await measureOne(range, subject)));
  return measures;
}

async function measureOne(range: string, subject: Subject): Promise<Measure[]> {
  // What a signal took away would count as a network that leads nowhere.
  if (interrupted()) throw new Error("interrupted");
  const stack = benchStack({ name: lab, program: program(range, subject), labs: [lab] });
  said(`cluster, ${subject.name}`, await pulumi(stack, ...UP));
  const { hello } = await stack.outputs<{ hello: string }>();
  const [server, client] = await startPods(subject.network, hello);
  const [h1, h2, h3, h4] = Object.entries(hostsOf(range)).map(place) as [Place, Place, Place, Place];
  const paths = {
    beside: { start: h4, end: h3 },
    hosts: { start: h2, end: h1 },
    pods: { start: client, end: server },
  };
  const measures = await measurePaths(subject, range, paths);
  await stack.remove();
  return measures;
}

/** A network namespace on a host, by a process that is in it. */
interface Place extends Endpoint {
  host: string;
  process: number;
}

interface Path {
  start: Place;
  end: Place;
}

/** What pods on the site's network are to have of what their hosts have there. */
const OF_OWN_HOSTS = "throughput beside its own hosts";

type Paths = Record<"beside" | "hosts" | "pods", Path>;

const place = ([host, address]: [string, string]): Place => ({ host, address, process: 1, port: 5200 });

async function measurePaths(subject: Subject, range: string, paths: Paths): Promise<Measure[]> {
  const common = { bench: "network", subject: subject.name };
  const { beside, hosts, pods } = paths;
  for (const path of [beside, hosts]) await open(path);
  if (subject.network.mode === "none") {
    const note = await noPath(pods.start, [pods.end, hosts.end]);
    return tools.map(({ what, unit }) => ({ ...common, what, unit, ours: [], absent: "no path", note }));
  }
  await open(pods);
  const note = await seenFromOutside(range, pods.start);
  const values = await byTurns(subject, paths);
  return tools.flatMap(({ what, unit }, i): Measure[] => {
    const other = { what: "hosts in no cluster", values: values.beside[i]! };
    const [pods, hosts] = [values.pods[i]!, values.hosts[i]!];
    const measures: Measure[] = [
      { ...common, what, unit, ours: pods, other, note },
      { ...common, what: `${what} of its hosts`, unit, ours: hosts, other },
    ];
    if (what === iperf3.what && subject.network.mode === "underlay") {
      const own = { what: "its own hosts", values: hosts };
      measures.push({
        ...common,
        what: OF_OWN_HOSTS,
        unit,
        ours: pods,
        other: own,
        limit: { leastTimes: 0.95 },
      });
    }
    return measures;
  });
}

/** Values of each path by tool; within a round each path has its turn before the next tool. */
async function byTurns({ name }: Subject, paths: Paths): Promise<Record<keyof Paths, number[][]>> {
  const none = () => tools.map((): number[] => []);
  const values = { beside: none(), hosts: none(), pods: none() };
  for (let round = 0; round < rounds(5); round++) {
    for (const [i, tool] of tools.entries()) {
      for (const key of ["beside", "hosts", "pods"] as const)
        values[key][i]!.push(said(`${name}, ${tool.what}, ${key}`, await once(tool, paths[key]), tool.unit));
    }
  }
  return values;
}

async function once(tool: Tool, { start, end }: Path): Promise<number> {
  return tool.read(await within(start, tool.client(start, end)));
}

/** Starts the servers at the end of a path. */
async function open(path: Path): Promise<void> {
  const { end } = path;
  await inside(end.host, lighttpdFiles(end));
  for (const tool of tools) {
    const unit = `--unit=bench-${tool.name}-${end.port}`;
    await inside(end.host, ["systemd-run", "--quiet", "--collect", unit, ...enter(end), ...tool.server(end)]);
  }
  await mustReach(path);
}

const enter = ({ process }: Place) => ["nsenter", "--net", "--target", String(process)];

/** Runs a program in a place, as a process of its host's own control groups. */
function within(at: Place, argv: readonly string[]): Promise<string> {
  return inside(at.host, ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", ...enter(at), ...argv]);
}

/** Runs an argument list, or shell text, on a host. */
async function inside(host: string, what: readonly string[] | string): Promise<string> {
  const argv = typeof what === "string" ? ["/bin/sh", "-euc", what] : what;
  const { code, stdout, stderr } = await control.exec(lab, host, argv);
  if (code !== 0)
    throw new Error(`on ${host}: \`${argv.join(" ")}\` ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

const kubectl = (words: string) =>
  inside("h1", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl --request-timeout=30s ${words}`);

/** Fetches a page from a place, bound to its address. */
function fetchFrom(at: Place, url: string): Promise<string> {
  const curl = ["curl", "--silent", "--show-error", "--max-time", "5", "--interface", at.address, url];
  return within(at, curl);
}

const page = ({ address, port }: Endpoint) => `http://${address}:${port + 2}/empty`;

/** Waits until a path leads somewhere and all servers at its end listen. */
async function mustReach({ start, end }: Path): Promise<void> {
  let last: unknown;
  const ports = tools.map((tool) => `:${tool.port(end)} `).join("|");
  const reached = await until(60, async () => {
    try {
      await fetchFrom(start, page(end));
      const listening = await within(end, ["ss", "-Hltn"]);
      return (listening.match(new RegExp(ports, "g"))?.length ?? 0) >= tools.length || undefined;
    } catch (error) {
      last = error;
      await sleep(1000);
      return undefined;
    }
  });
  if (!reached) throw new Error(`no path from ${start.address} to ${end.address}`, { cause: last });
}

/** What is said in a pod that tries to reach others and must not. */
async function noPath(start: Place, ends: readonly Endpoint[]): Promise<string> {
  const errors: string[] = [];
  for (const { address } of ends) {
    const said = await within(start, ["sh", "-c", `iperf3 --client ${address} --json || :`]);
    const { error } = JSON.parse(said) as { error?: string };
    if (!error) throw new Error(`a pod without a network reached ${address}:\n${said}`);
    errors.push(`to ${address}: ${error}`);
  }
  return `iperf3 in a pod ${errors.join("; ")}`;
}

/** As whom a pod comes to this computer, which is on the site's network and no node, and whether it is reached. */
async function seenFromOutside(range: string, pod: Place): Promise<string> {
  const site = parseRange(range)!;
  const seen = await callerOf(computerOf(site), (url) => fetchFrom(pod, url));
  const host = await inside(pod.host, "hostname -I");
  const whose =
    seen === pod.address ? "the pod's own" : host.split(" ").includes(seen) ? "its host's" : "another";
  const calls = `a pod with ${pod.address} calls a machine beside the cluster from ${seen}, ${whose} address`;
  if (!contains(site, parseAddress(pod.address)!)) return calls;
  const answer = await (await fetch(`http://${pod.address}:8080`)).text();
  return `${calls}, and answers it at ${pod.address}: ${answer.trim()}`;
}

/** Who calls a server at an address of this computer. */
async function callerOf(address: string, call: (url: string) => Promise<string>): Promise<string> {
  const server = createServer((request, response) => response.end(request.socket.remoteAddress));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  try {
    return await call(`http://${address}:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.close();
  }
}

/** Starts a pod on each host; the first is the server's. */
async function startPods({ mode }: NetworkArgs, hello: string): Promise<[Place, Place]> {
  const underlay = mode === "underlay";
  const annotations = underlay ? { "k8s.v1.cni.cncf.io/networks": "kube-system/site" } : {};
  const pod = (host: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: host, namespace: "bench", annotations },
    spec: {
      nodeName: host,
      hostNetwork: mode === "host",
      tolerations: [{ operator: "Exists" }],
      containers: [{ name: "hello", image: hello }],
    },
  });
  const labels = { "pod-security.kubernetes.io/enforce": "privileged", [UNDERLAY_LABEL]: "allowed" };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "bench", labels } };
  const list = { apiVersion: "v1", kind: "List", items: [namespace, pod("h1"), pod("h2")] };
  await kubectl(`apply -f - <<'END'\n${JSON.stringify(list)}\nEND`);
  await kubectl("-n bench wait --for=condition=Ready pod/h1 pod/h2 --timeout=180s --request-timeout=0");
  return [await placeOf("h1"), await placeOf("h2")];
}

interface Pod {
  metadata: { annotations?: Record<string, string> };
  status: { podIP: string; containerStatuses: { containerID: string }[] };
}

async function placeOf(host: string): Promise<Place> {
  const pod = JSON.parse(await kubectl(`-n bench get pod ${host} -o json`)) as Pod;
  const id = pod.status.containerStatuses[0]!.containerID.replace("containerd://", "");
  const process = await inside(host, `ctr -n k8s.io task ls | awk '$1 == "${id}" { print $2 }'`);
  return { host, address: addressOf(pod), process: Number(process), port: 5300 };
}

/** The one on the site's network, where the pod has one. */
function addressOf({ metadata, status }: Pod): string {
  const networks = JSON.parse(metadata.annotations?.["k8s.v1.cni.cncf.io/network-status"] ?? "[]");
  const site = (networks as { name: string; ips?: string[] }[]).find(
    ({ name }) => name === "kube-system/site",
  );
  return site?.ips?.[0] ?? status.podIP;
}
