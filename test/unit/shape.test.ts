import { describe, expect, test } from "vitest";
import { webServiceProblems } from "../../components/kubernetes/web-service-problems.ts";
import { Site as LabSite } from "../../components/lab/index.ts";
import { describe as line, type Problem, Refusal } from "../../components/model/problem.ts";
import { clusterProblems } from "../../components/onprem/cluster-problems.ts";
import { registryProblems } from "../../components/onprem/registry.ts";
import { type SiteArgs, siteProblems } from "../../components/onprem/site.ts";

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
      () => ofCluster({ pools: { general: { hosts: ["w1"], lables: {} } } }),
      ["pools.general.lables: there is no such argument; did you mean labels?"],
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
      ["replica: there is no such argument; did you mean replicas?"],
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

  test("in a lab", () => {
    expect(() => new LabSite("lab", { hosts: "w1" } as never)).toThrow(Refusal);
    expect(() => new LabSite("lab", { hosts: "w1" } as never)).toThrow("hosts:");
  });
});
