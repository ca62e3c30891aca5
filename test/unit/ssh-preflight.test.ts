import { describe, expect, test, vi } from "vitest";
import type { Connection } from "../../components/model/connection.ts";
import type { Context } from "../../components/provider/resource.ts";
import { ConnectionError } from "../../components/ssh/error.ts";
import { parsePaths } from "../../components/ssh/path-mtu.ts";
import { changesOf, parseHostFacts, preflight } from "../../components/ssh/preflight.provider.ts";
import type { Requirements } from "../../components/ssh/preflight.ts";
import { type HostFacts, preflightProblems } from "../../components/ssh/preflight-problems.ts";

/** What hosts print of themselves, by name; others do not answer. */
const answers: Record<string, string> = {};
vi.mock("../../components/ssh/session.ts", async (original) => ({
  ...(await original<object>()),
  onHost: async ({ host }: Connection, _context: unknown, use: (session: object) => unknown) => {
    if (answers[host] === undefined)
      throw new ConnectionError(host, "connecting", "no answer", "unreachable");
    return use({ connect: async () => {}, run: async () => answers[host] });
  },
}));

const said: string[] = [];
const context: Context = {
  urn: "test",
  preview: true,
  progress: () => {},
  info: () => {},
  warn: (message) => void said.push(message),
  signal: new AbortController().signal,
  timeoutSeconds: 0,
};

const fit: HostFacts = {
  host: "a",
  os: "debian",
  release: "12",
  machine: "x86_64",
  kernel: "6.1.0-18-amd64",
  memoryMiB: 4000,
  diskGiB: 50,
  ports: [22],
  interfaces: ["lo", "eth0"],
  swap: [],
  cluster: [],
  owner: "",
  clockSeconds: 0,
  clockUncertainty: 0.1,
};
const require: Requirements = {
  memoryMiB: 1700,
  diskGiB: 10,
  freePorts: { a: [6443], b: [10250] },
  noSwap: true,
  noForeignCluster: true,
  owner: "ours",
};
const paths = (...hosts: Partial<HostFacts>[]) =>
  preflightProblems(
    hosts.map((facts) => ({ ...fit, ...facts })),
    require,
    [],
    [],
    "ours#1",
  ).problems.map(({ path }) => path);

describe("preflight", () => {
  const silent: Connection = { host: "a", address: "192.0.2.1", privateKey: "key", hostKey: "" };
  const inputs = (mode: string, hosts: Connection[]) => ({
    hosts,
    require,
    fixed: {
      of: 'KubernetesCluster "paris"',
      facts: { "network.mode": mode, apiPort: "6443" },
      mark: { file: "/var/lib/spillway/joined", begins: "control plane member " },
    },
  });
  const change = (from: string, to: string, hosts: Connection[]) =>
    preflight.previewUpdate!(
      context,
      { id: "", inputs: inputs(from, hosts), outputs: { owner: "ours" } },
      inputs(to, hosts),
    );

  test("refuses the change of what is fixed where it may live, in the words of the argument", async () => {
    await expect(change("bridge", "overlay", [silent])).rejects.toThrow(
      'KubernetesCluster "paris": network.mode: "bridge" cannot become "overlay" as long as it lives; put the former',
    );
  });

  test("knows its own by what they were called first, and no other name is a change", async () => {
    const renamed = { ...inputs("bridge", []), require: { ...require, owner: "renamed" } };
    const old = { id: "", inputs: inputs("bridge", []), outputs: { owner: "ours" } };
    expect(preflight.diff!(old, renamed).paths).toEqual([]);
    expect(await preflight.update!(context, old, renamed)).toEqual({ owner: "ours" });
  });

  test("lets what lives nowhere be told otherwise", async () => {
    await change("bridge", "overlay", []);
    expect(changesOf(inputs("bridge", []).fixed, inputs("bridge", []).fixed)).toEqual([]);
    expect(changesOf(undefined, inputs("bridge", []).fixed)).toEqual([]);
  });

  test("warns of hosts that were fit once, also of one that does not answer, and refuses new ones", async () => {
    const facts = [
      { ...fit, diskGiB: 2, clockSeconds: 30 },
      { ...fit, host: "b", memoryMiB: 512 },
      { ...fit, host: "c", unreachable: "no answer" },
      { ...fit, host: "d", owner: "theirs" },
    ];
    const { problems, warnings } = preflightProblems(facts, require, [], ["a", "c", "d"]);
    expect(problems.map(({ path }) => path)).toEqual(["hosts.b.memory", "hosts.d.cluster", "hosts"]);
    expect(warnings.map(({ path }) => path)).toEqual(["hosts.a.disk", "hosts.a.clock", "hosts.c"]);
    said.length = 0;
    await change("bridge", "bridge", [silent]);
    expect(said.join()).toContain("hosts.a: ");
    const moved = {
      id: "",
      inputs: inputs("bridge", [{ ...silent, address: "192.0.2.2" }]),
      outputs: { owner: "ours" },
    };
    await expect(preflight.previewUpdate!(context, moved, inputs("bridge", [silent]))).rejects.toThrow(
      "hosts.a: ",
    );
  });

  test("warns that running pods keep the size of their packets", async () => {
    const of = (bytes: number) => ({
      ...inputs("bridge", []),
      require: { ...require, packets: { bytes, least: 1330 } },
    });
    said.length = 0;
    await preflight.previewUpdate!(
      context,
      { id: "", inputs: of(1500), outputs: { owner: "ours" } },
      of(1400),
    );
    expect(said).toEqual([expect.stringContaining("packets of 1400 bytes, 1500 before")]);
  });

  test("finds nothing wrong with fit hosts", () => {
    expect(paths({}, { host: "b", os: "ubuntu" })).toEqual([]);
  });

  test("tells every problem of every host", () => {
    expect(
      paths(
        {
          os: "alpine",
          memoryMiB: 500,
          diskGiB: 2,
          ports: [22, 6443],
          swap: ["/dev/vdb"],
          cluster: ["/etc/kubernetes/admin.conf"],
        },
        { host: "b", clockSeconds: -30 },
        { host: "c", unreachable: "no answer" },
      ),
    ).toEqual([
      "hosts.a.os",
      "hosts.a.memory",
      "hosts.a.disk",
      "hosts.a.swap",
      "hosts.a.ports",
      "hosts.a.cluster",
      "hosts.b.clock",
      "hosts.c",
      "hosts",
    ]);
  });

  test("names a release that is too old, and takes one that tells none", () => {
    const releases = { debian: "12", ubuntu: "24.04" };
    const look = (os: string, release: string) =>
      preflightProblems([{ ...fit, os, release }], { ...require, releases }).problems;
    expect(look("ubuntu", "22.04")).toEqual([
      { path: "hosts.a.os", found: "it runs ubuntu 22.04", remedy: "install ubuntu 24.04 or newer" },
    ]);
    expect(look("debian", "9").map(({ found }) => found)).toEqual(["it runs debian 9"]);
    for (const [os, release] of [
      ["ubuntu", "24.10"],
      ["debian", "12"],
      ["debian", "13"],
      ["debian", ""],
    ])
      expect(look(os!, release!)).toEqual([]);
  });

  test("names a machine that cannot run the programs, and a kernel that is too old", () => {
    const look = (facts: Partial<HostFacts>) =>
      preflightProblems([{ ...fit, ...facts }], { ...require, machine: "x86_64", kernel: "5.10" }).problems;
    expect(look({})).toEqual([]);
    expect(look({ kernel: "5.10.0-1-amd64" })).toEqual([]);
    expect(look({ machine: "aarch64", kernel: "5.4.0-150-generic" }).map(({ found }) => found)).toEqual([
      "its processor is aarch64",
      "it runs Linux 5.4.0-150-generic",
    ]);
  });

  test("takes a host of ours with its ports and its cluster", () => {
    expect(paths({ owner: "ours#1", ports: [6443], cluster: ["/etc/kubernetes/admin.conf"] })).toEqual([]);
  });

  test("names a host that lacks the interface", () => {
    const look = (name: string) => preflightProblems([fit], { ...require, interface: name }).problems;
    expect(look("eth0")).toEqual([]);
    expect(look("eth1")).toEqual([
      {
        path: "hosts.a.interface",
        found: "it has no network interface eth1, but lo, eth0",
        remedy: "name one that all hosts have",
      },
    ]);
  });

  test("refuses another owner's host, even without a cluster on it", () => {
    expect(paths({ owner: "theirs" })).toEqual(["hosts.a.cluster"]);
    expect(paths({ owner: "ours#2", ports: [6443] })).toEqual(["hosts.a.ports", "hosts.a.cluster"]);
  });

  test("knows a cluster by its state, and not by a name that another state may have as well", async () => {
    const host = { host: "a", address: "192.0.2.1", privateKey: "", hostKey: "" };
    const args = { hosts: [host], require: { ...require, memoryMiB: 0, diskGiB: 0 } };
    const says = (owner: string) => `os debian\nport 192B\nowner ${owner}\nclock ${Date.now() / 1000}\n`;
    answers.a = says("").replace(/^port.*\nowner.*\n/m, "");
    const { id, outputs } = await preflight.create(context, args);
    const state = { id, inputs: args, outputs };
    // Goes on after a cut, with hosts that have joined meanwhile.
    answers.a = says(outputs.owner);
    expect(await preflight.update!(context, state, args)).toEqual(outputs);
    // A state of the same name elsewhere, or one that was begun anew.
    for (const look of [preflight.preview!(context, args), preflight.create(context, args)])
      await expect(look).rejects.toThrow(
        /hosts\.a\.ports: TCP port 6443 is in use;[\s\S]*hosts\.a\.cluster: the cluster ours \(.*\) is there, and this state does not know it; nothing was touched; bring back the state/,
      );
    // One that had other hosts before.
    const other = await preflight.create(context, { ...args, hosts: [] });
    const grown = { id, inputs: { ...args, hosts: [] }, outputs: other.outputs };
    await expect(preflight.previewUpdate!(context, grown, args)).rejects.toThrow("hosts.a.cluster");
    delete answers.a;
  });

  test("looks only at the ports asked for on that host", () => {
    expect(paths({ ports: [10250] }, { host: "b", ports: [6443] })).toEqual([]);
  });

  test("measures clocks among hosts too, and forgives what the measuring may have cost", () => {
    expect(paths({ clockSeconds: 4 }, { host: "b", clockSeconds: -4 })).toEqual(["hosts"]);
    expect(paths({ clockSeconds: 8, clockUncertainty: 4 })).toEqual([]);
  });

  test("names two hosts between which too little passes, once, with what would do", () => {
    const packets = { bytes: 1500, least: 1330 };
    const findings = (...ways: [string, string, number][]) =>
      preflightProblems(
        [],
        { ...require, packets },
        ways.map(([from, to, bytes]) => ({ from, to, bytes })),
      );
    const problems = (...ways: [string, string, number][]) => findings(...ways).problems;
    expect(problems(["a", "b", 1500], ["b", "a", 1500])).toEqual([]);
    const found = (bytes: number) => `between a and b at most ${bytes} bytes pass unfragmented, not 1500`;
    const mend = "mend what carries less on the path between them";
    expect(problems(["b", "a", 1450], ["a", "b", 1400])).toEqual([
      { path: "hosts.b.mtu", found: found(1400), remedy: `give the site \`mtu: 1400\`, or ${mend}` },
    ]);
    expect(problems(["a", "b", 1329])).toEqual([
      { path: "hosts.a.mtu", found: found(1329), remedy: `${mend}: 1330 is the least that serves` },
    ]);
    const walled = findings(["a", "b", 0], ["a", "c", 1400]);
    expect(walled.problems.map(({ found }) => found)).toEqual([
      "between a and c at most 1400 bytes pass unfragmented, not 1500",
    ]);
    expect(walled.warnings.map(({ found }) => found)).toEqual([
      "between a and b no ping comes back, not even a small one, and nobody knows what size passes",
    ]);
  });

  test("says what was found and what to do", () => {
    const [problem] = preflightProblems([{ ...fit, memoryMiB: 512 }], require).problems;
    expect(problem).toEqual({
      path: "hosts.a.memory",
      found: "512 MiB of memory",
      remedy: "give it at least 1700 MiB",
    });
  });

  test("sees no change in how hosts are reached", () => {
    const host = { host: "a", address: "192.0.2.1", privateKey: "one", hostKey: "" };
    const old = { id: "preflight", inputs: { hosts: [host], require }, outputs: { owner: "ours" } };
    expect(preflight.diff!(old, { hosts: [{ ...host, privateKey: "two" }], require }).paths).toEqual([]);
    expect(preflight.diff!(old, { hosts: [host, { ...host, host: "b" }], require }).paths).toEqual([
      "hosts[1]",
    ]);
  });
});

test("what passes is read from what a host printed, also from one that cannot ask", () => {
  expect(parsePaths("a", "b 1500\nc 0\n")).toEqual([
    { from: "a", to: "b", bytes: 1500 },
    { from: "a", to: "c", bytes: 0 },
  ]);
  expect(parsePaths("a", "missing\n")).toBeUndefined();
});

test("a host's facts are read from what it printed", () => {
  const printed = `os "debian"
release "12"
machine x86_64
kernel 6.1.0-18-amd64
memory 2048000
disk 10485760
swap /dev/vdb
port 0016
port 192B
port 192B
link lo
link eth0
cluster /etc/kubernetes/admin.conf
owner a b
clock 1010.5
`;
  expect(parseHostFacts("a", printed, 1000, 1001)).toEqual({
    host: "a",
    os: "debian",
    release: "12",
    machine: "x86_64",
    kernel: "6.1.0-18-amd64",
    memoryMiB: 2000,
    diskGiB: 10,
    ports: [22, 6443],
    interfaces: ["lo", "eth0"],
    swap: ["/dev/vdb"],
    cluster: ["/etc/kubernetes/admin.conf"],
    owner: "a b",
    clockSeconds: 10,
    clockUncertainty: 0.5,
  });
});
