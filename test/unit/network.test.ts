import { expect, test } from "vitest";
import {
  type NetworkArgs,
  networkFacts,
  networkOf,
  networkProblems,
} from "../../components/model/network.ts";

const site = { range: "10.0.0.0/24", taken: { cp1: "10.0.0.11", w1: "10.0.0.21" } };
/** As it comes from configuration, where no compiler looks. */
const problems = (network: object) =>
  networkProblems(network as NetworkArgs, site).map(
    ({ path, found, remedy }) => `${path}: ${found}; ${remedy}`,
  );

test("wrong combinations do not compile, and are refused where they come from configuration", () => {
  const wrong: NetworkArgs[] = [
    // @ts-expect-error nobody announces addresses where no policy is enforced
    { mode: "bridge", policies: "unenforced", loadBalancers: "10.0.0.64/27" },
    // @ts-expect-error only pods on the site's own network have addresses of it
    { mode: "overlay", underlay: { range: "10.0.0.64/27" } },
    // @ts-expect-error a pod without a network has no policies
    { mode: "none", policies: "enforced" },
    // @ts-expect-error the network of the host knows no policies of pods
    { mode: "host", policies: "enforced" },
    // @ts-expect-error pods get addresses of the site, or routes lead to theirs
    { mode: "underlay", underlay: { range: "10.0.0.64/27", bgp: { as: 64512, routers: [] } } },
    // @ts-expect-error no such mode
    { mode: "tunnel" },
  ];
  expect(wrong.map((network) => problems(network)[0])).toEqual([
    'network.loadBalancers: only a network that enforces policies announces addresses; take it out, or give policies "enforced"',
    "network.underlay: mode overlay has no such argument; take it out, or give mode underlay",
    "network.policies: mode none has no such argument; take it out, or give mode bridge or overlay or underlay",
    "network.policies: mode host has no such argument; take it out, or give mode bridge or overlay or underlay",
    "network.underlay.range: pods are routed to by BGP; take it out, or leave bgp out: pods get addresses of the site's network, or routes lead to them",
    'network.mode: "tunnel" is no mode; give one of none, host, bridge, overlay, underlay',
  ]);
});

test("everything wrong with a network is said at once", () => {
  const network = { mode: "overlay", policies: "ignored", pods: "10.0.0.0/16", loadBalancers: "10.1.0.0/28" };
  expect(problems(network)).toEqual([
    'network.policies: "ignored" is neither; give "enforced" or "unenforced"',
    "network.loadBalancers: 10.1.0.0/28 is no part of the site's range 10.0.0.0/24; give a part of it that no host is in",
    "network.pods: 10.0.0.0/16 overlaps site.range 10.0.0.0/24; give ranges that do not meet",
  ]);
  expect(problems({ mode: "underlya" })).toEqual([
    'network.mode: "underlya" is no mode; did you mean "underlay"?',
  ]);
});

test.each([
  ["10.0.0.64/27", []],
  ["10.0.0.64", ['network.loadBalancers: "10.0.0.64" is no IPv4 range']],
  ["10.0.0.16/28", ["network.loadBalancers: w1 has the address 10.0.0.21 in 10.0.0.16/28"]],
  ["10.0.0.0/29", ["network.loadBalancers: 10.0.0.0/29 holds the first address of the site's range"]],
  ["10.0.0.252/30", ["network.loadBalancers: 10.0.0.252/30 holds the last address of the site's range"]],
])("addresses of services in %s", (loadBalancers, expected) => {
  const network = { mode: "bridge", policies: "enforced", loadBalancers };
  expect(problems(network).map((line) => line.split("; ")[0])).toEqual(expected);
});

test("whether policies are enforced is told with the mode, as clusters know it from before there was a choice", () => {
  expect(networkFacts(networkOf({ mode: "overlay", policies: "unenforced" }))).toEqual({
    "network.mode": "overlay",
    "network.pods": "10.244.0.0/16",
    "network.services": "10.96.0.0/16",
  });
  const enforced = networkFacts(networkOf({ mode: "bridge", policies: "enforced" }));
  expect(enforced["network.mode"]).toBe("bridge, policies enforced");
  expect(networkFacts(networkOf({ mode: "host" }))["network.mode"]).toBe("host");
});

const routed = (bgp: object) => ({ mode: "underlay", underlay: { bgp } }) as NetworkArgs;

test("whether routes lead to pods is told with the mode: a running cluster keeps it", () => {
  const by = (network: NetworkArgs) => networkFacts(networkOf(network))["network.mode"];
  expect(by(routed({ as: 64512, routers: [] }))).toBe("underlay by routes, policies enforced");
  expect(by({ mode: "underlay", underlay: { range: "10.0.0.64/26" } })).toBe("underlay, policies enforced");
});

test.each<[string, object, string[]]>([
  [
    "routers of another system",
    { as: 64512, routers: [{ address: "10.0.0.1", as: 64513, password: "x y" }] },
    [],
  ],
  [
    "routers of their own",
    { as: 4200000000, routers: [{ address: "10.0.0.1" }, { address: "10.0.0.2" }] },
    [],
  ],
  ["nothing", {}, ["as: nothing is given", "routers: no routers"]],
  [
    "all else, at once",
    {
      as: 65535,
      routers: [
        { address: "10.0.1.1", as: 0 },
        { address: "10.0.0.0" },
        { address: "10.0.0.1", password: "" },
        { address: "10.0.0.1", password: 'a"b' },
        { address: "10.0.0.21", as: 1.5 },
        { password: "x".repeat(81) },
        { address: "10.0.0.3", password: 123 },
        { address: "10.0.0.4", password: null },
        { address: "10.0.0.5", password: Promise.resolve("") },
      ],
    },
    [
      "as: 65535 is none",
      "routers[0].address: 10.0.1.1 is no host address of the site's range 10.0.0.0/24",
      "routers[0].as: 0 is none",
      "routers[1].address: 10.0.0.0 is no host address of the site's range 10.0.0.0/24",
      "routers[2].password: it has 0 characters",
      "routers[3].address: 10.0.0.1 is named twice",
      "routers[3].password: a character is not ASCII, or a quotation mark",
      "routers[4].as: 1.5 is none",
      "routers[5].address: nothing is given",
      "routers[5].password: it has 81 characters",
      "routers[6].password: it is no string",
      "routers[7].password: it is no string",
    ],
  ],
])("BGP with %s", (_, bgp, expected) => {
  const found = networkProblems(routed(bgp), site).map(
    ({ path, found }) => `${path.replace("network.underlay.bgp.", "")}: ${found}`,
  );
  expect(found).toEqual(expected);
});

test.each<[string, NetworkArgs["mode"], object, string]>([
  ["a router", "underlay", { bgp: { as: 64512, routers: [{ address: "10.0.0.66" }] } }, "router 1"],
  ["a gateway", "underlay", { range: "10.0.0.128/26", gateway: "10.0.0.66" }, "the gateway"],
])("services do not get the address of %s", (_, mode, underlay, who) => {
  expect(problems({ mode, underlay, loadBalancers: "10.0.0.64/27" })).toEqual([
    `network.loadBalancers: ${who} has the address 10.0.0.66 in 10.0.0.64/27; give a part of it that no host is in`,
  ]);
});
