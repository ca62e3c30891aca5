import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { webServiceProblems } from "../../components/kubernetes/web-service-problems.ts";
import { Site as LabSite } from "../../components/lab/index.ts";
import { describe as line, type Problem, Refusal } from "../../components/model/problem.ts";
import { cephStoreProblems } from "../../components/onprem/ceph-problems.ts";
import type { CephStoreArgs } from "../../components/onprem/ceph-store.ts";
import { clusterProblems } from "../../components/onprem/cluster-problems.ts";
import { type GlusterStoreArgs, glusterStoreProblems } from "../../components/onprem/gluster-store.ts";
import { type HostStoreArgs, hostStoreProblems } from "../../components/onprem/host-store.ts";
import { registryProblems } from "../../components/onprem/registry.ts";
import { type SiteArgs, siteProblems } from "../../components/onprem/site.ts";
import { build } from "./world.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";
const site: SiteArgs = {
  range: "10.0.0.0/24",
  ssh: { privateKey: "key" },
  hosts: { w1: { address: "10.0.0.21", hostKey, labels: { disk: "ssd" } } },
};
const place = {
  siteName: "paris",
  range: site.range,
  mtu: 1500,
  hosts: site.hosts,
  reservedAddresses: () => ({}),
};
const cluster = { site: place, registry: place, version: "1.36", controlPlane: ["w1"] };

const lines = (problems: Problem[]) => problems.map(line);
const ofSite = (args: object) => lines(siteProblems("paris", { ...site, ...args } as SiteArgs));
const ofHost = (host: object | undefined | null) => ofSite({ hosts: { w1: host } });
const ofCluster = (args: object) => lines(clusterProblems("paris", { ...cluster, ...args } as never));

test("arguments as they should be have no problem", () => {
  expect(ofSite({})).toEqual([]);
  expect(ofCluster({})).toEqual([]);
});

describe("what configuration easily gets wrong is told with its place and remedy", () => {
  test.each<[string, () => string[], string[]]>([
    [
      "a number for a string",
      () => ofCluster({ version: 1.36 }),
      ['version: 1.36 is a number; give a string, in quotes: "1.36"'],
    ],
    [
      "a string for a number",
      () => ofHost({ address: "10.0.0.21", hostKey, port: "22" }),
      ['hosts.w1.port: "22" is a string; give a number, without quotes'],
    ],
    [
      "one name for a list",
      () => ofCluster({ controlPlane: "w1" }),
      ['controlPlane: "w1" is a string; give a list: [w1]'],
    ],
    [
      "a label that YAML takes for something else",
      () => ofHost({ address: "10.0.0.21", hostKey, labels: { gpu: true, rack: 7 } }),
      [
        'hosts.w1.labels.gpu: true is a boolean; give a string, in quotes: "true"',
        'hosts.w1.labels.rack: 7 is a number; give a string, in quotes: "7"',
      ],
    ],
    [
      "a misspelt argument",
      () => ofHost({ adress: "10.0.0.21", hostKey }),
      ["hosts.w1.adress: there is no such argument; did you mean address?"],
    ],
    [
      "a misspelt argument of a pool",
      () => ofCluster({ pools: { general: { hosts: ["w2"], lables: {} } } }),
      [
        "pools.general.lables: there is no such argument; did you mean labels?",
        'pools.general.hosts[0]: "w2" is no host of the site; did you mean "w1"?',
      ],
    ],
    [
      "nothing behind a name",
      () => ofHost(null),
      ["hosts.w1: nothing is given; give named values, such as { name: value }"],
    ],
    [
      "a list for a map",
      () => ofSite({ hosts: ["w1"] }),
      ["hosts: it is a list; give named values, such as { name: value }"],
    ],
    [
      "several at once",
      () => ofSite({ range: 10, ssh: { user: 0, privateKey: "key" } }),
      [
        'range: 10 is a number; give a string, in quotes: "10"',
        'ssh.user: 0 is a number; give a string, in quotes: "0"',
      ],
    ],
    [
      "a number for a host key",
      () => ofHost({ address: "10.0.0.21", hostKey: 5 }),
      [
        'hosts.w1.hostKey: "5" is no public host key; give the line that ssh-keyscan prints, without the address: ssh-ed25519 AAAA...',
      ],
    ],
    [
      "no site",
      () => lines(registryProblems("registry", { host: "w1" } as never)),
      ["site: nothing is given; give one"],
    ],
    [
      "an argument of a service",
      () => lines(webServiceProblems("shop", { image: "a", replica: 2 } as never)),
      [
        "replica: there is no such argument; did you mean replicas?",
        'image: "a" has no digest; name it by digest, such as registry.example.com/shop@sha256:<64 hex digits>',
      ],
    ],
  ])("%s", (_what, problems, expected) => {
    expect(problems()).toEqual(expected);
  });

  test("what is missing is told by what it means, all of it", () => {
    expect(ofHost({})).toEqual([
      "hosts.w1.hostKey: no host key; give the line that ssh-keyscan prints, without the address: ssh-ed25519 AAAA...",
      "hosts.w1.address: no address; give one such as 10.0.0.21",
    ]);
    expect(ofCluster({ version: undefined })).toHaveLength(1);
    expect(ofSite({ range: undefined })).toEqual([
      "range: nothing is given; give one such as 10.0.0.0/16, no bits set behind the prefix",
    ]);
  });

  test("what has its shape is judged beside what has none, and nothing is said of the latter twice", () => {
    const hosts = { w1: { address: 5, hostKey: "AAAA" }, w2: null, "W 3": { adress: "10.0.0.300", hostKey } };
    expect(ofSite({ range: "10.0.0.0/33", hosts }).map((line) => line.split(";")[0])).toEqual([
      "hosts.w1.address: 5 is a number",
      "hosts.w2: nothing is given",
      "hosts.W 3.adress: there is no such argument",
      'range: "10.0.0.0/33" is no IPv4 range',
      'hosts.w1.hostKey: "AAAA" is no public host key',
      'hosts.W 3: "W 3" is no valid name',
    ]);
    const pools = { general: { hosts: "w1", labels: { "a b": "c" } } };
    expect(
      ofCluster({ version: 1.36, controlPlane: ["w1", 2], pools }).map((line) => line.split(";")[0]),
    ).toEqual([
      "version: 1.36 is a number",
      "controlPlane[1]: 2 is a number",
      'pools.general.hosts: "w1" is a string',
      "controlPlane: 2 hosts",
      'pools.general.labels: "a b" is no label key',
    ]);
  });

  test("whatever a configuration has in the place of an argument is no error of another kind", () => {
    const anything = fc.oneof(fc.constant(undefined), fc.anything({ maxDepth: 2 }));
    const places = (value: unknown, path: string[] = []): string[][] => [
      path,
      ...(typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, inside]) => places(inside, [...path, key]))
        : []),
    ];
    const put = (value: unknown, [key, ...rest]: string[], other: unknown): unknown => {
      if (key === undefined) return other;
      const copy = Array.isArray(value) ? [...value] : { ...(value as object) };
      return Object.assign(copy, { [key]: put((value as Record<string, unknown>)[key], rest, other) });
    };
    const underlay = { range: "10.0.0.64/26", gateway: "10.0.0.1", exclude: ["10.0.0.70"], parent: "eth0" };
    const whole: [(args: never) => Problem[], object][] = [
      [
        (args) => siteProblems("paris", args),
        { ...site, mtu: 1500, ssh: { ...site.ssh, bastion: { address: "b.example", hostKey } } },
      ],
      [
        (args) =>
          clusterProblems("paris", { ...(args as typeof cluster), site: place, registry: place } as never),
        {
          ...{ version: "1.36", controlPlane: ["w1"], apiPort: 6443, apiAddress: "10.0.0.10" },
          pools: { a: { hosts: ["w2"], labels: { b: "c" }, taints: [{ key: "d", effect: "NoSchedule" }] } },
          network: { mode: "underlay", pods: "10.244.0.0/16", underlay },
          artifacts: { kind: "mirror", files: "https://m.example/f", images: "m.example/p" },
        },
      ],
      [
        (args) => cephStoreProblems("shared", { ...(args as CephStoreArgs), site: place as never }),
        { monitors: ["w1"], osds: { w1: ["/dev/sdb", { device: "/dev/sdc", wipe: true }] }, replicas: 1 },
      ],
      [
        (args) => glusterStoreProblems("shared", { ...(args as GlusterStoreArgs), site: place as never }),
        { bricks: { w1: "/srv/a", w2: "/srv/a", w3: "/srv/a" }, arbiter: "w3" },
      ],
      [
        (args) => hostStoreProblems("scratch", { ...(args as HostStoreArgs), site: place as never }),
        { directories: { w1: "/srv/a" } },
      ],
    ];
    for (const [problems, good] of whole) {
      fc.assert(
        fc.property(fc.constantFrom(...places(good)), anything, (path, other) => {
          expect(() => problems(put(good, path, other) as never)).not.toThrow();
        }),
        { numRuns: 400 },
      );
    }
  });

  test("in a lab", async () => {
    const refused = build(() => new LabSite("lab", { hosts: "w1" } as never));
    await expect(refused).rejects.toThrow(Refusal);
    await expect(refused).rejects.toThrow("hosts:");
  });
});
