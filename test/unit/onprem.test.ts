import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import type { Source } from "../../components/artifacts/index.ts";
import { Site as LabSite } from "../../components/lab/index.ts";
import { quote } from "../../components/model/names.ts";
import { Refusal } from "../../components/model/problem.ts";
import {
  HostStore,
  KubernetesCluster,
  type KubernetesClusterArgs,
  type NetworkArgs,
  Registry,
  Site,
  type SiteArgs,
  type Taint,
} from "../../components/onprem/index.ts";
import { HostState, Preflight } from "../../components/ssh/resources.ts";
import { type Asked, build } from "./world.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";
const siteArgs: SiteArgs = {
  range: "10.0.0.0/24",
  ssh: { user: "ops", privateKey: "canary-ssh" },
  hosts: {
    cp1: { address: "10.0.0.11", hostKey },
    cp2: { address: "10.0.0.12", hostKey },
    cp3: { address: "10.0.0.13", hostKey },
    w1: { address: "10.0.0.21", hostKey },
    w2: { address: "10.0.0.22", hostKey, labels: { disk: "ssd" } },
  },
};

function platform(args: Partial<KubernetesClusterArgs> = {}) {
  const site = new Site("paris", siteArgs);
  const registry = new Registry("registry", { site, host: "cp1" });
  const pools = { general: { hosts: ["w1", "w2"] } };
  return new KubernetesCluster("paris", {
    site,
    registry,
    version: "1.36",
    controlPlane: ["cp1"],
    pools,
    ...args,
  });
}

const ofType = (asked: Asked[], type: string) =>
  asked.filter((resource) => resource.type === `spillway:${type}`);

const nameOf = (address: string) => address.replace(/[^a-z0-9]+/g, "-").replace(/-$/, "");

async function problemsOf(program: () => unknown): Promise<string[]> {
  const refusal = await build(program).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(Refusal);
  return (refusal as Refusal).problems.map(({ path, found }) => `${path}: ${found}`);
}

test("a program's own errors keep their stacks after resources were made, and after one was refused", async () => {
  const limit = Error.stackTraceLimit;
  await build(() => platform());
  expect(Error.stackTraceLimit).toBe(limit);
  const unnamed = () => new Preflight("", { hosts: [], require: { owner: "o" } });
  await build(() => expect(unnamed).toThrow(/name/));
  expect(Error.stackTraceLimit).toBe(limit);
});

test("a host serves one registry", async () => {
  const twice = () => {
    const site = new Site("paris", siteArgs);
    new Registry("one", { site, host: "cp1" });
    new Registry("other", { site, host: "w1" });
    new Registry("two", { site, host: "cp1", port: 5001 });
  };
  expect(await problemsOf(twice)).toEqual(["host: cp1 serves the registry one already"]);
});

describe("a cluster on own machines", () => {
  test("asks for the same resources as reviewed", async () => {
    const asked = await build(() => platform({ network: { mode: "overlay" } }));
    const list = asked.map(({ type, name }) => `${type} ${name}`).sort();
    await expect(`${list.join("\n")}\n`).toMatchFileSnapshot("../golden/resources-onprem.txt");
  });

  test("keeps the other nodes' resources as they were when a worker goes", async () => {
    const both = await build(() => platform());
    const one = await build(() => platform({ pools: { general: { hosts: ["w2"] } } }));
    const nodeOf = (asked: Asked[]) =>
      ofType(asked, "kubeadm:Worker").find(({ name }) => name === "paris-w2")!.inputs;
    expect(nodeOf(one)).toEqual(nodeOf(both));
  });

  test("gives each member of three the others as peers, and its own API first", async () => {
    const asked = await build(() => platform({ controlPlane: ["cp1", "cp2", "cp3"] }));
    const members = ofType(asked, "kubeadm:ControlPlaneMember");
    expect(members.map(({ inputs }) => Object.keys(inputs.peers as object))).toEqual([
      ["cp2", "cp3"],
      ["cp1", "cp3"],
      ["cp1", "cp2"],
    ]);
    const states = ofType(asked, "ssh:HostState").filter(({ name }) => name.startsWith("paris-cp"));
    expect(states.map(({ inputs }) => inputs.hosts)).toEqual([
      { "paris.paris.internal": ["10.0.0.11", "10.0.0.12", "10.0.0.13"] },
      { "paris.paris.internal": ["10.0.0.12", "10.0.0.11", "10.0.0.13"] },
      { "paris.paris.internal": ["10.0.0.13", "10.0.0.11", "10.0.0.12"] },
    ]);
  });

  const stateOf = async (network: NetworkArgs, host = "w1") => {
    const asked = await build(() => platform({ network }));
    return ofType(asked, "ssh:HostState").find(({ name }) => name === `paris-${host}-state`)!.inputs;
  };

  const underlay = { bgp: { as: 64512, routers: [{ address: "10.0.0.1", password: "a word" }] } };
  const announced: NetworkArgs = { mode: "underlay", underlay };

  test.each<[NetworkArgs, string[]]>([
    [{ mode: "bridge", policies: "unenforced" }, ["spillway-routes.service"]],
    [{ mode: "overlay", policies: "unenforced" }, ["flanneld.service"]],
    [{ mode: "bridge", policies: "enforced" }, ["cilium-agent.service"]],
    [{ mode: "overlay", policies: "enforced" }, ["cilium-agent.service"]],
    [announced, ["cilium-agent.service", "spillway-bgp.service"]],
    [
      { mode: "underlay", underlay, policies: "unenforced" },
      ["spillway-bgp.service", "spillway-routes.service"],
    ],
  ])("carries packets in %o by units of its own on a worker", async (network, units) => {
    const state = await stateOf(network);
    const common = ["containerd.service", "kubelet.service"];
    expect(Object.keys(state.units as object).sort()).toEqual([...common, ...units].sort());
  });

  test("has Cilium's operator on members of the control plane alone, and no kube-proxy anywhere", async () => {
    const network = { mode: "bridge", policies: "enforced", loadBalancers: "10.0.0.64/27" } as const;
    expect(Object.keys((await stateOf(network, "cp1")).units as object)).toContain("cilium-operator.service");
    const asked = await build(() => platform({ network }));
    const [member] = ofType(asked, "kubeadm:ControlPlaneMember");
    expect(member!.inputs.images).not.toHaveProperty("kubeProxy");
    expect(member!.inputs.initConfig).toContain("disabled: true");
    expect(member!.inputs.manifests).toContain("cidr: 10.0.0.64/27");
    expect(asked.map(({ name }) => name)).not.toContain("paris-kube-proxy");
  });

  test("announces a node's own pods to routers that it shares a secret with", async () => {
    const { packages, files } = await stateOf(announced);
    expect(packages).toContain("bird2");
    const file = (files as Record<string, { content: string; mode: string }>)["/etc/spillway/bgp/bird.conf"]!;
    expect(file.mode).toBe("0600");
    expect(file.content).toContain("route 10.244.21.0/24 unreachable;");
    expect(file.content).toContain('password "a word";');
  });

  test("has no address of the API that a router has", async () => {
    const found = await problemsOf(() => platform({ network: announced, apiAddress: "10.0.0.1" }));
    expect(found).toEqual([expect.stringContaining("router 1")]);
  });

  test("listens for routers on a port that is free", async () => {
    const [look] = ofType(await build(() => platform({ network: announced })), "ssh:Preflight").filter(
      ({ name }) => name === "paris-preflight",
    );
    expect(look!.inputs.require).toMatchObject({
      freePorts: { cp1: [6443, 2379, 2380, 10257, 10259, 10250, 179], w1: [10250, 179] },
    });
  });

  test("refuses addresses for pods that a host has", async () => {
    const underlay = { mode: "underlay", underlay: { range: "10.0.0.8/29" } } as const;
    const found = await problemsOf(() => platform({ network: underlay }));
    expect(found).toContain("network.underlay.range: host cp1 has the address 10.0.0.11 in 10.0.0.8/29");
  });

  test("leads nodes and its kubeconfig to the API's virtual address, which its members hold", async () => {
    const apiAddress = "10.0.0.10";
    let kubeconfig = "";
    const asked = await build(() => {
      const cluster = platform({ controlPlane: ["cp1", "cp2", "cp3"], apiAddress });
      cluster.kubeconfig.apply((text) => {
        kubeconfig = text;
      });
    });
    expect(kubeconfig).toContain("server: https://10.0.0.10:6443\n");
    const states = ofType(asked, "ssh:HostState").filter(({ name }) => name.startsWith("paris-"));
    const of = (host: string) => states.find(({ name }) => name === `paris-${host}-state`)!.inputs;
    const members = ["10.0.0.11", "10.0.0.12", "10.0.0.13"];
    expect(of("w1").hosts).toEqual({ "paris.paris.internal": [apiAddress, ...members] });
    expect(of("cp2").hosts).toEqual({
      "paris.paris.internal": ["10.0.0.12", apiAddress, "10.0.0.11", "10.0.0.13"],
    });
    const holders = states.filter(({ inputs }) => (inputs.packages as string[]).includes("keepalived"));
    expect(holders.map(({ name }) => name)).toEqual([
      "paris-cp1-state",
      "paris-cp2-state",
      "paris-cp3-state",
    ]);
    expect(Object.keys(of("cp1").units as object)).toContain("spillway-api-address.service");
  });

  test("lists its artifacts with what was obtained of each", async () => {
    let artifacts: string[] = [];
    await build(() => {
      platform({ network: { mode: "bridge", policies: "unenforced" } }).artifacts.apply((lines) => {
        artifacts = lines;
      });
    });
    expect(artifacts[0]).toBe("Kubernetes 1.36.3: built");
    expect(artifacts).toContain("binary   kubelet 1.36.3  built on this computer  sha256:kubelet");
    expect(artifacts).toContain("image    etcd:3.6.16-0  built on this computer  sha256:etcd");
    expect(artifacts.join()).not.toContain("not known");
  });

  test("keeps its kubeconfig and the site's key secret", async () => {
    await build(async () => {
      const cluster = platform();
      expect(await pulumi.isSecret(cluster.kubeconfig)).toBe(true);
      const site = new Site("other", siteArgs);
      expect(await pulumi.isSecret(site.connection("cp1"))).toBe(true);
    });
  });
});

describe("bad arguments", () => {
  test("are refused all at once, before any resource of the cluster", async () => {
    const problems = await problemsOf(() =>
      platform({
        version: "1.12",
        controlPlane: ["cp1", "cq2"],
        pools: { general: { hosts: ["w1", "cp1"] }, empty: { hosts: [] } },
        network: { mode: "bridge", pods: "10.0.0.0/16", services: "10.96.0.0/16" },
        apiAddress: "10.0.0.21",
      }),
    );
    expect(problems).toEqual([
      'version: "1.12" is not supported',
      "controlPlane: 2 hosts",
      'controlPlane[1]: "cq2" is no host of the site',
      "pools.general.hosts[1]: cp1 is controlPlane[0] already",
      "pools.empty.hosts: no hosts",
      "network.pods: 10.0.0.0/16 overlaps site.range 10.0.0.0/24",
      "apiAddress: 10.0.0.21 is host w1's already",
    ]);
  });

  describe("of a site, a registry and what is on them", () => {
    const taken = { ...siteArgs, hosts: { ...siteArgs.hosts, w3: { address: "10.0.0.22", hostKey } } };
    const ofAll = [
      "hosts.w3.address: 10.0.0.22 is host w2's already",
      'host: "cp9" is no host of the site',
      'version: "1.12" is not supported',
      "controlPlane: 2 hosts",
    ];
    const onTaken = (use: (site: Site, registry: Registry) => unknown) => () => {
      const site = new Site("paris", taken);
      return use(site, new Registry("registry", { site, host: "cp9" }));
    };
    const onBoth = (site: Site, registry: Registry) =>
      new KubernetesCluster("paris", { site, registry, version: "1.12", controlPlane: ["cp1", "cp2"] });

    test("are told together, each with what it is of, and the engine is asked for nothing", async () => {
      const asked: Asked[] = [];
      const refused = build(onTaken(onBoth), asked);
      await expect(refused).rejects.toThrow(
        [
          "4 problems",
          `Site "paris": hosts.w3.address: 10.0.0.22 is host w2's already; give every host an address of its own`,
          'Registry "registry": host: "cp9" is no host of the site; did you mean "cp1"?',
          'KubernetesCluster "paris": version: "1.12" is not supported; give one of 1.36',
        ].join("\n  "),
      );
      expect(asked).toEqual([]);
      expect(await problemsOf(onTaken(onBoth))).toEqual(ofAll);
    });

    test("fail a program that catches them", async () => {
      const caught = onTaken((site, registry) => expect(() => onBoth(site, registry)).toThrow(Refusal));
      expect(await problemsOf(caught)).toEqual(ofAll);
    });

    test("fail a program that has nothing on them, or something of its own", async () => {
      const asked: Asked[] = [];
      const program = onTaken((site, registry) => {
        registry.image("shop", {
          repository: "shop",
          tag: "1",
          digest: "sha256:0",
          source: { layout: "/l" },
        });
        const state = { connection: site.connection("cp1"), name: "motd" };
        new HostState("motd", state);
        new HostState("secret", { ...state, files: { "/etc/p": { content: registry.password } } });
      });
      await expect(build(program, asked)).rejects.toThrow(
        /^2 problems\n {2}Site "paris": [^\n]*\n {2}Registry/,
      );
      expect(asked).toEqual([]);
    });

    test("are of a store as well, and of a shape that is not theirs", async () => {
      const program = () => {
        const site = new Site("paris", { ...siteArgs, range: 10, hosts: null } as never);
        new HostStore("scratch", { site, directories: { w1: "srv" } });
      };
      expect(await problemsOf(program)).toEqual([
        "range: 10 is a number",
        "hosts: nothing is given",
        'directories.w1: "srv" is no plain absolute path',
      ]);
      const cluster = () => {
        const site = new Site("paris", { ...siteArgs, range: 10, mtu: 100 } as never);
        const registry = new Registry("registry", { site, host: "cp1" });
        new KubernetesCluster("paris", { site, registry, version: "1.12", controlPlane: ["cp1"] });
      };
      expect(await problemsOf(cluster)).toEqual([
        "range: 10 is a number",
        expect.stringMatching(/^mtu: /),
        'version: "1.12" is not supported',
      ]);
    });

    test("are those of a registry alone where the site is well, which stays", async () => {
      const asked: Asked[] = [];
      const program = () =>
        new Registry("registry", { site: new Site("paris", siteArgs), host: "cp9", port: 0 });
      await expect(build(program, asked)).rejects.toThrow('Registry "registry": 2 problems');
      expect(asked.map(({ name }) => name).sort()).toEqual(["paris", "paris-authority"]);
      await expect(build(() => new Registry("registry", { host: "cp1" } as never))).rejects.toThrow("site:");
    });
  });

  test("of a port that another part of a node has, or the registry", async () => {
    const ofPort = (apiPort: number) => problemsOf(() => platform({ apiPort }));
    for (const port of [2379, 2380, 10250, 10257, 10259, 179])
      expect(await ofPort(port)).toEqual([`apiPort: ${port} is the port of another part of a node`]);
    expect(await ofPort(5000)).toEqual(["apiPort: the registry has 5000 on cp1"]);
    const ofRegistry = (host: string, port: number) => () => {
      const site = new Site("paris", siteArgs);
      const registry = new Registry("registry", { site, host, port });
      const pools = { general: { hosts: ["w1"] } };
      new KubernetesCluster("paris", { site, registry, version: "1.36", controlPlane: ["cp1"], pools });
    };
    const found = (host: string, port: number) => [
      `registry: its port ${port} on ${host} is that of another part of a node`,
    ];
    for (const port of [2379, 2380, 2381, 10248, 10249, 10250, 10256, 10257, 10259, 179])
      expect(await problemsOf(ofRegistry("cp1", port))).toEqual(found("cp1", port));
    for (const port of [10248, 10249, 10250, 10256, 179])
      expect(await problemsOf(ofRegistry("w1", port))).toEqual(found("w1", port));
    await build(ofRegistry("w1", 2379));
    await build(ofRegistry("w2", 10250));
  });

  test("of an address that a router has, and none that pods never get", async () => {
    const network: NetworkArgs = {
      mode: "underlay",
      underlay: { range: "10.0.0.64/26", exclude: ["10.0.0.70"], gateway: "10.0.0.1" },
    };
    const ofAddress = (apiAddress: string) => problemsOf(() => platform({ network, apiAddress }));
    expect(await ofAddress("10.0.0.1")).toEqual(["apiAddress: 10.0.0.1 is the gateway's already"]);
    expect(await ofAddress("10.0.0.71")).toEqual([
      "apiAddress: 10.0.0.71 is in network.underlay.range 10.0.0.64/26",
    ]);
    await build(() => platform({ network, apiAddress: "10.0.0.70" }));
  });

  test("of taints without a key, or twice", async () => {
    const taints = [
      { key: "gpu", effect: "NoSchedule" },
      { key: "gpu", value: "big", effect: "NoSchedule" },
      { effect: "NoExecute" },
    ] as Taint[];
    expect(await problemsOf(() => platform({ pools: { general: { hosts: ["w1"], taints } } }))).toEqual([
      "pools.general.taints[1]: gpu:NoSchedule stands twice",
      'pools.general.taints[2]: "" is no label key',
    ]);
  });

  test("of two clusters at one site that meet", async () => {
    const one = { version: "1.36", controlPlane: ["cp1"], apiAddress: "10.0.0.10" };
    const underlay = { range: "10.0.0.64/26" };
    const program = () => {
      const site = new Site("paris", siteArgs);
      const registry = new Registry("registry", { site, host: "cp1" });
      new KubernetesCluster("a", { ...one, site, registry, network: { mode: "underlay", underlay } });
      const parts = { ...underlay, range: "10.0.0.0/25", exclude: ["10.0.0.0/27"] };
      const network: NetworkArgs = { mode: "underlay", underlay: parts, loadBalancers: "10.0.0.192/28" };
      new KubernetesCluster("b", { ...one, site, registry, network });
    };
    const their = 'of KubernetesCluster "a"';
    expect(await problemsOf(program)).toEqual([
      `controlPlane[0]: cp1 is a host ${their} already`,
      `apiAddress: 10.0.0.10 is that ${their} already`,
      `network.underlay.range: 10.0.0.0/25 overlaps 10.0.0.64/26 ${their}`,
    ]);
  });

  test("of an image that is none of the artifacts'", async () => {
    expect(await problemsOf(() => platform().image("helo"))).toEqual([
      `image: "helo" is none of the artifacts' images`,
    ]);
  });

  test("are none where what a configuration lacks is given as undefined", async () => {
    const nothing = { pools: undefined, apiPort: undefined, apiAddress: undefined, artifacts: undefined };
    const network = { mode: "overlay", pods: undefined, services: undefined, policies: undefined } as const;
    const asked = await build(() => {
      expect(platform({ ...nothing, network }).endpoint).toBe("paris.paris.internal:6443");
      const site = new Site("other", { ...siteArgs, mtu: undefined });
      const registry = new Registry("r", { site, host: "cp1", port: undefined, storage: undefined });
      const unsaid = { pods: "10.200.0.0/16" } as NetworkArgs;
      new KubernetesCluster("o", { site, registry, version: "1.36", controlPlane: ["cp1"], network: unsaid });
    });
    const cluster = (name: string) => asked.find((one) => one.name === name && one.type.endsWith("Cluster"))!;
    expect(cluster("paris").inputs.network).toEqual({ mode: "overlay", policies: "enforced" });
    expect(cluster("o").inputs.network).toEqual({ mode: "bridge", policies: "enforced" });
  });

  test("of a site name every host and what is wrong with it", async () => {
    const hosts = {
      "$(touch /tmp/x)": { address: "10.0.0.11", hostKey },
      b: { address: "10.0.0.11", hostKey: "" },
      c: { address: "-oProxyCommand=x", hostKey: "AAAA", port: 0, labels: { "a b": "../" } },
    };
    expect(await problemsOf(() => new Site("x\ny", { ...siteArgs, hosts }))).toEqual([
      'name: "x\\ny" is no valid name',
      'hosts.$(touch /tmp/x): "$(touch /tmp/x)" is no valid name',
      "hosts.b.hostKey: no host key",
      'hosts.c.hostKey: "AAAA" is no public host key',
      'hosts.c.labels: "a b" is no label key',
      'hosts.c.labels.a b: "../" is no label value',
      "hosts.c.port: 0 is no port",
      "hosts.b.address: 10.0.0.11 is host $(touch /tmp/x)'s already",
      'hosts.c.address: "-oProxyCommand=x" is no IPv4 address',
    ]);
  });

  test("of how hosts are reached", async () => {
    const ofSsh = (ssh: object) =>
      problemsOf(() => new Site("paris", { ...siteArgs, ssh: { ...siteArgs.ssh, ...ssh } }));
    for (const seconds of [0, -1, 0.5, 86_401, 1e12, Number.NaN, Number.POSITIVE_INFINITY]) {
      const found = await ofSsh({ dialTimeout: seconds, stepTimeout: seconds });
      expect(found.map((line) => line.split(":")[0])).toEqual(["ssh.dialTimeout", "ssh.stepTimeout"]);
    }
    expect(await ofSsh({ bastion: { hostKey } })).toEqual(["ssh.bastion.address: no address"]);
    for (const address of [
      "",
      "-oProxyCommand=x",
      "10.0.0.300",
      "a b",
      "b.example\n",
      "a..b",
      "-a.b",
      "x".repeat(64),
    ])
      expect(await ofSsh({ bastion: { address, user: "a b", port: 0, hostKey: "" } })).toEqual([
        `ssh.bastion.address: ${quote(address)} is neither`,
        "ssh.bastion.port: 0 is no port",
        'ssh.bastion.user: "a b" is no account name',
        "ssh.bastion.hostKey: no host key",
      ]);
    await build(() => {
      for (const address of ["10.0.0.1", "2001:db8::1", "bastion", "b-1.example.com", "3com.example."]) {
        const ssh = { ...siteArgs.ssh, dialTimeout: 1, stepTimeout: 86_400, bastion: { address, hostKey } };
        new Site(`to-${nameOf(address)}`, { ...siteArgs, ssh });
      }
    });
  });

  test("of ranges that no machine has addresses of", async () => {
    for (const range of ["0.0.0.0/16", "127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/16", "255.255.0.0/16"]) {
      const found = [expect.stringContaining(`${range} has addresses of`)];
      expect(await problemsOf(() => platform({ network: { mode: "bridge", pods: range } }))).toEqual(found);
      expect(await problemsOf(() => platform({ network: { mode: "bridge", services: range } }))).toEqual(
        found,
      );
      const hosts = { w1: { address: range.replace(/0\/\d+$/, "9"), hostKey } };
      expect(await problemsOf(() => new Site("paris", { ...siteArgs, range, hosts }))).toEqual(found);
    }
  });

  test("of artifacts, without the password that an address has", async () => {
    const of = async (artifacts: object) => {
      const found = await problemsOf(() => platform({ artifacts: artifacts as Source }));
      expect(found.join()).not.toContain("canary");
      return found;
    };
    const mirror = { kind: "mirror", files: "https://m.example/f", images: "m.example:5000/p" };
    const { images: _, ...noImages } = mirror;
    expect(await of(noImages)).toEqual(["artifacts.images: nothing is given"]);
    expect(await of({ ...mirror, files: undefined, images: 5 })).toEqual([
      "artifacts.images: 5 is a number",
      "artifacts.files: nothing is given",
    ]);
    const secret = "it carries a user or a password";
    expect(
      await of({ ...mirror, files: "https://u:canary@m.example/f", images: "u:canary@m.example/p" }),
    ).toEqual([`artifacts.files: ${secret}`, `artifacts.images: ${secret}`]);
    expect(await of({ ...mirror, files: "https:u:canary@m.example/f" })).toEqual([
      `artifacts.files: ${secret}`,
    ]);
    expect(await of({ ...mirror, files: "https://m.example/f?token=canary" })).toEqual([
      "artifacts.files: it has a query or a fragment",
    ]);
    expect(
      await of({ kind: "upstream", files: "x", hosts: { kubernetes: "ftp://k", etcd: "u:canary@e" } }),
    ).toEqual([
      "artifacts.files: the source upstream has no such argument",
      'artifacts.hosts.kubernetes: "ftp://k/" is no HTTP URL',
      `artifacts.hosts.etcd: ${secret}`,
    ]);
    expect(await of({ kind: "miror" })).toEqual(['artifacts.kind: "miror" is no source']);
    expect(await of({ ...mirror, caCertficate: "x" })).toEqual([
      "artifacts.caCertficate: there is no such argument",
    ]);
    await build(() => platform({ artifacts: mirror as Source }));
  });

  test("a registry's host is proposed when its name is nearly right", async () => {
    const refused = build(() => new Registry("r", { site: new Site("paris", siteArgs), host: "cp4" }));
    await expect(refused).rejects.toThrow('host: "cp4" is no host of the site; did you mean "cp1"?');
  });
});

describe("a lab site", () => {
  test.each([
    ["10.77.1.1", "the lab's gateway"],
    ["10.77.1.254", "this computer"],
  ])("keeps %s from being an API's virtual address: it is %s's", async (apiAddress, whose) => {
    const program = () => {
      const site = new LabSite("lab", { hosts: ["cp1"], range: "10.77.1.0/24" });
      const registry = new Registry("registry", { site, host: "cp1" });
      new KubernetesCluster("c", { site, registry, version: "1.36", controlPlane: ["cp1"], apiAddress });
    };
    expect(await problemsOf(program)).toEqual([`apiAddress: ${apiAddress} is ${whose}'s already`]);
  });

  test("keeps its gateway's and this computer's addresses from hosts, pods and services", async () => {
    const args = { hosts: ["cp1", "w1"], range: "10.77.1.0/24" };
    const taken = { ...args, addresses: { cp1: "10.77.1.1", w1: "10.77.1.254" } };
    const misspelt = { ...args, labels: { w2: { disk: "ssd" } }, disks: { w1: { sdb: 1 }, w3: { sdb: 1 } } };
    expect(await problemsOf(() => new LabSite("lab", misspelt))).toEqual([
      "labels.w2: no such host",
      "disks.w3: no such host",
    ]);
    expect(await problemsOf(() => new LabSite("lab", taken))).toEqual([
      "hosts[0]: 10.77.1.1 is the lab's gateway's",
      "hosts[1]: 10.77.1.254 is this computer's",
    ]);
    const program = (network: NetworkArgs) => () => {
      const site = new LabSite("lab", { ...args, addresses: { cp1: "10.77.1.21", w1: "10.77.1.22" } });
      const registry = new Registry("registry", { site, host: "cp1" });
      new KubernetesCluster("c", { site, registry, version: "1.36", controlPlane: ["cp1"], network });
    };
    const underlay = (range: string): NetworkArgs => ({ mode: "underlay", underlay: { range } });
    expect(await problemsOf(program(underlay("10.77.1.0/28")))).toEqual([
      "network.underlay.range: the lab's gateway has the address 10.77.1.1 in 10.77.1.0/28",
    ]);
    expect(await problemsOf(program(underlay("10.77.1.240/28")))).toEqual([
      "network.underlay.range: this computer has the address 10.77.1.254 in 10.77.1.240/28",
    ]);
    expect(await problemsOf(program({ mode: "bridge", loadBalancers: "10.77.1.1/32" }))).toEqual([
      "network.loadBalancers: the lab's gateway has the address 10.77.1.1 in 10.77.1.1/32",
    ]);
  });

  test("gives hosts addresses that follow from their names alone", async () => {
    const addresses: Record<string, string>[] = [];
    for (const hosts of [["cp1", "w1", "w2"], ["w2"]]) {
      await build(() => {
        const site = new LabSite("lab", { hosts });
        addresses.push(
          Object.fromEntries(Object.entries(site.hosts).map(([name, { address }]) => [name, address])),
        );
      });
    }
    expect(new Set(Object.values(addresses[0]!)).size).toBe(3);
    expect(addresses[1]!.w2).toBe(addresses[0]!.w2);
  });
});
