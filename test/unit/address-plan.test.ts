import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AddressPlanArgs,
  addressPlan,
  addressPlanProblems,
  apiAddressProblems,
  hostAddressProblems,
  type PlannedRanges,
} from "../../components/model/address-plan.ts";
import { formatAddress, formatRange, overlap, parseRange } from "../../components/model/range.ts";

const plan = { site: "10.0.0.0/24", pods: "10.244.0.0/16", services: "10.96.0.0/16" };

/** Sites of /20 to /28 with some hosts in them, and a pod range that is large enough. */
const anyPlan: fc.Arbitrary<AddressPlanArgs> = fc.integer({ min: 20, max: 28 }).chain((prefix) => {
  const size = 2 ** (32 - prefix);
  return fc
    .uniqueArray(fc.integer({ min: 1, max: size - 2 }), { minLength: 1, maxLength: 12 })
    .map((places) => ({
      site: formatRange({ first: 0x0a000000, prefix }),
      pods: formatRange({ first: 0x0b000000, prefix: Math.min(prefix - 8, 16) }),
      services: "10.96.0.0/16",
      hosts: Object.fromEntries(places.map((place, i) => [`h${i}`, formatAddress(0x0a000000 + place)])),
    }));
});

describe("the address plan", () => {
  test("gives each node the range that its place in the site says", () => {
    const { podRanges, dnsService } = addressPlan({ ...plan, hosts: { w1: "10.0.0.21", cp1: "10.0.0.11" } });
    expect(podRanges).toEqual({ w1: "10.244.21.0/24", cp1: "10.244.11.0/24" });
    expect(dnsService).toBe("10.96.0.10");
  });

  test("never lets two nodes' ranges meet, and stays inside the pods' range", () => {
    fc.assert(
      fc.property(anyPlan, (args) => {
        expect(addressPlanProblems(args)).toEqual([]);
        const ranges = Object.values(addressPlan(args).podRanges).map((range) => parseRange(range)!);
        const pods = parseRange(args.pods)!;
        for (const [i, a] of ranges.entries()) {
          expect(a.first >= pods.first && a.first + a.size <= pods.first + pods.size).toBe(true);
          for (const b of ranges.slice(i + 1)) expect(overlap(a, b)).toBe(false);
        }
      }),
    );
  });

  test("moves no node when another one goes", () => {
    fc.assert(
      fc.property(anyPlan, (args) => {
        const [gone, ...stay] = Object.keys(args.hosts);
        const hosts = Object.fromEntries(stay.map((name) => [name, args.hosts[name]!]));
        const { [gone!]: _, ...before } = addressPlan(args).podRanges;
        expect(addressPlan({ ...args, hosts }).podRanges).toEqual(before);
      }),
    );
  });
});

describe("the API's virtual address", () => {
  /** A plan, and any address of its site. */
  const anyAddress = anyPlan.chain((args) => {
    const { first, size } = parseRange(args.site)!;
    return fc.nat(size - 1).map((place) => ({ args, place, size, apiAddress: formatAddress(first + place) }));
  });

  test("is any that no host has, but the site's first and last; VRRP gets a number that it takes", () => {
    fc.assert(
      fc.property(anyAddress, ({ args, place, size, apiAddress }) => {
        const isFree = place > 0 && place < size - 1 && !Object.values(args.hosts).includes(apiAddress);
        const problems = apiAddressProblems(apiAddress, { site: args.site, taken: args.hosts, parts: {} });
        expect(problems).toHaveLength(isFree ? 0 : 1);
        const { api } = addressPlan({ ...args, apiAddress });
        expect(api!.address).toBe(apiAddress);
        expect(api!.routerId).toBeGreaterThanOrEqual(1);
        expect(api!.routerId).toBeLessThanOrEqual(255);
      }),
    );
  });

  test("meets no pod and no service, and stays as it is when a host goes", () => {
    fc.assert(
      fc.property(anyAddress, ({ args, apiAddress }) => {
        const { api, podRanges } = addressPlan({ ...args, apiAddress });
        for (const range of [args.services, ...Object.values(podRanges)])
          expect(overlap(parseRange(range)!, parseRange(`${apiAddress}/32`)!)).toBe(false);
        const [, ...stay] = Object.entries(args.hosts);
        expect(addressPlan({ ...args, apiAddress, hosts: Object.fromEntries(stay) }).api).toEqual(api);
      }),
    );
  });

  test.each([
    ["10.0.0", '"10.0.0" is no IPv4 address'],
    ["10.0.1.5", "10.0.1.5 is no host address of the site's range 10.0.0.0/24"],
    ["10.0.0.0", "10.0.0.0 is no host address of the site's range 10.0.0.0/24"],
    ["10.0.0.255", "10.0.0.255 is no host address of the site's range 10.0.0.0/24"],
    ["10.0.0.11", "10.0.0.11 is host cp1's already"],
    ["10.0.0.200", "10.0.0.200 is in network.loadBalancers 10.0.0.192/28"],
  ])("is not %s", (apiAddress, found) => {
    const taken = { "host cp1": "10.0.0.11" };
    const parts = { "network.loadBalancers": "10.0.0.192/28" };
    const problems = apiAddressProblems(apiAddress, { site: plan.site, taken, parts });
    expect(problems.map((problem) => `${problem.path}: ${problem.found}`)).toEqual([`apiAddress: ${found}`]);
  });
});

describe("problems of the address plan", () => {
  const found = (change: Partial<AddressPlanArgs> & Partial<PlannedRanges>) =>
    [
      ...addressPlanProblems({ ...plan, ...change }),
      ...hostAddressProblems(plan.site, change.hosts ?? { a: "10.0.0.2" }),
    ].map(({ path, found }) => `${path}: ${found}`);

  test.each<[string, Partial<AddressPlanArgs> & Partial<PlannedRanges>, string[]]>([
    ["nothing", {}, []],
    [
      "services of more than twenty bits",
      { services: "172.0.0.0/11" },
      ["network.services: 172.0.0.0/11 is too large"],
    ],
    ["services of twenty bits", { services: "172.16.0.0/12" }, []],
    ["services of seven bits", { services: "10.96.0.0/25" }, ["network.services: 10.96.0.0/25 is too small"]],
    ["one address a node, where pods need none", { pods: "10.244.0.0/24", smallest: 32 }, []],
    [
      "less than one",
      { pods: "10.244.0.0/25", smallest: 32 },
      ["network.pods: 10.244.0.0/25 has fewer addresses than 10.0.0.0/24"],
    ],
    ["bits behind the prefix", { pods: "10.244.0.1/16" }, ['network.pods: "10.244.0.1/16" is no IPv4 range']],
    [
      "two malformed ranges",
      { pods: "x", services: "10.96.0.0/33" },
      ['network.pods: "x" is no IPv4 range', 'network.services: "10.96.0.0/33" is no IPv4 range'],
    ],
    [
      "pods in the site",
      { pods: "10.0.0.0/16" },
      ["network.pods: 10.0.0.0/16 overlaps site.range 10.0.0.0/24"],
    ],
    [
      "too few pods a node",
      { pods: "10.244.0.0/20" },
      ["network.pods: 10.244.0.0/20 leaves a node of 10.0.0.0/24 a /28"],
    ],
    [
      "one address twice",
      { hosts: { a: "10.0.0.2", b: "10.0.0.2" } },
      ["hosts.b.address: 10.0.0.2 is host a's already"],
    ],
    [
      "an address outside",
      { hosts: { a: "10.0.1.2" } },
      ["hosts.a.address: 10.0.1.2 is no host address of the site's range 10.0.0.0/24"],
    ],
    [
      "the range's last address",
      { hosts: { a: "10.0.0.255" } },
      ["hosts.a.address: 10.0.0.255 is no host address of the site's range 10.0.0.0/24"],
    ],
  ])("%s", (_, change, expected) => {
    expect(found(change)).toEqual(expected);
  });
});
