import { describe, expect, test } from "vitest";
import { parsePaths } from "../../components/ssh/path-mtu.ts";
import { parseHostFacts, preflight } from "../../components/ssh/preflight.provider.ts";
import type { Requirements } from "../../components/ssh/preflight.ts";
import { type HostFacts, preflightProblems } from "../../components/ssh/preflight-problems.ts";

const fit: HostFacts = {
  host: "a",
  os: "debian",
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
  ).map(({ path }) => path);

describe("preflight", () => {
  test("refuses the change of what is fixed, before anything else, in the words of the argument", () => {
    const inputs = (mode: string) => ({
      hosts: [],
      require,
      fixed: { of: 'KubernetesCluster "paris"', facts: { "network.mode": mode, apiPort: "6443" } },
    });
    const change = (from: string, to: string) =>
      preflight.diff!({ id: "", inputs: inputs(from), outputs: {} }, inputs(to));
    expect(change("bridge", "bridge").paths).toEqual([]);
    expect(() => change("bridge", "overlay")).toThrow(
      'KubernetesCluster "paris": network.mode: "bridge" cannot become "overlay" as long as it lives; put the former',
    );
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

  test("takes a host of ours with its ports and its cluster", () => {
    expect(paths({ owner: "ours", ports: [6443], cluster: ["/etc/kubernetes/admin.conf"] })).toEqual([]);
  });

  test("names a host that lacks the interface", () => {
    const look = (interface_: string) => preflightProblems([fit], { ...require, interface: interface_ });
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
    const problems = (...ways: [string, string, number][]) =>
      preflightProblems(
        [],
        { ...require, packets },
        ways.map(([from, to, bytes]) => ({ from, to, bytes })),
      );
    expect(problems(["a", "b", 1500], ["b", "a", 1500])).toEqual([]);
    const found = (bytes: number) => `between a and b at most ${bytes} bytes pass unfragmented, not 1500`;
    const mend = "mend what carries less on the path between them";
    expect(problems(["b", "a", 1450], ["a", "b", 1400])).toEqual([
      { path: "hosts.b.mtu", found: found(1400), remedy: `give the site \`mtu: 1400\`, or ${mend}` },
    ]);
    expect(problems(["a", "b", 1329])).toEqual([
      { path: "hosts.a.mtu", found: found(1329), remedy: `${mend}: 1330 is the least that serves` },
    ]);
    expect(problems(["a", "b", 0], ["a", "c", 1400]).map(({ found }) => found)).toEqual([
      "between a and b no ping comes back, not even a small one",
      "between a and c at most 1400 bytes pass unfragmented, not 1500",
    ]);
  });

  test("says what was found and what to do", () => {
    const [problem] = preflightProblems([{ ...fit, memoryMiB: 512 }], require);
    expect(problem).toEqual({
      path: "hosts.a.memory",
      found: "512 MiB of memory",
      remedy: "give it at least 1700 MiB",
    });
  });

  test("sees no change in how hosts are reached", () => {
    const host = { host: "a", address: "192.0.2.1", privateKey: "one", hostKey: "" };
    const old = { id: "preflight", inputs: { hosts: [host], require }, outputs: {} };
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
