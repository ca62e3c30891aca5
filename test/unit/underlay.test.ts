import fc from "fast-check";
import { expect, test } from "vitest";
import { type NetworkArgs, networkProblems } from "../../components/model/network.ts";
import {
  contains,
  formatAddress,
  formatRange,
  parseAddress,
  parseRange,
} from "../../components/model/range.ts";
import { type UnderlayArgs, underlayPlan, underlayProblems } from "../../components/model/underlay.ts";

const site = { range: "10.0.0.0/24", taken: { cp1: "10.0.0.11", w1: "10.0.0.21" } };
const lines = (underlay: object | undefined, more: object = {}) =>
  underlayProblems(underlay as UnderlayArgs, { ...site, ...more }).map(
    ({ path, found, remedy }) => `${path.replace("network.underlay.", "")}: ${found}; ${remedy}`,
  );

test.each<[string, object | undefined, string[]]>([
  ["a part of the site", { range: "10.0.0.64/26", gateway: "10.0.0.1", parent: "eth0.100" }, []],
  [
    "nothing",
    undefined,
    ["range: nothing is given; give one such as 10.0.0.0/16, no bits set behind the prefix"],
  ],
  [
    "another network",
    { range: "10.0.1.64/26" },
    ["range: 10.0.1.64/26 is no part of the site's range 10.0.0.0/24; give a part of it"],
  ],
  [
    "more than the site",
    { range: "10.0.0.0/23" },
    ["range: 10.0.0.0/23 is no part of the site's range 10.0.0.0/24; give a part of it"],
  ],
  [
    "a host's place",
    { range: "10.0.0.16/28" },
    [
      "range: w1 has the address 10.0.0.21 in 10.0.0.16/28; give a part that no host is in, or exclude the address",
    ],
  ],
  ["a host's place, excluded", { range: "10.0.0.16/28", exclude: ["10.0.0.20/31"] }, []],
  [
    "too little",
    { range: "10.0.0.64/30", exclude: ["10.0.0.65"] },
    ["range: 10.0.0.64/30 leaves 3 addresses to pods; give a range that leaves 4 or more, or exclude less"],
  ],
  [
    "the router's place counted once",
    { range: "10.0.0.64/30", gateway: "10.0.0.65", exclude: ["10.0.0.64/31"] },
    ["range: 10.0.0.64/30 leaves 2 addresses to pods; give a range that leaves 4 or more, or exclude less"],
  ],
  [
    "all else, at once",
    { range: "10.0.0.64/26", gateway: "10.0.1.1", exclude: ["10.0.0.1", "x"], parent: "eth0; reboot" },
    [
      "exclude[0]: 10.0.0.1 is not in 10.0.0.64/26; take it out",
      'exclude[1]: "x" is neither an IPv4 address nor a range; give one such as 10.0.0.70 or 10.0.0.72/29',
      "gateway: 10.0.1.1 is no host address of the site's range 10.0.0.0/24; give the address that the router has in it",
      'parent: "eth0; reboot" is no interface; give its name on the hosts, such as eth0',
    ],
  ],
])("addresses of pods in %s", (_, underlay, expected) => {
  expect(lines(underlay)).toEqual(expected);
});

test("addresses of services are nobody else's", () => {
  expect(lines({ range: "10.0.0.64/26" }, { loadBalancers: "10.0.0.96/28" })).toEqual([
    "range: 10.0.0.64/26 overlaps network.loadBalancers 10.0.0.96/28; give ranges that do not meet",
  ]);
  const network = { mode: "underlay", underlay: { range: "10.0.0.16/28" } } as NetworkArgs;
  expect(networkProblems(network, site).map(({ path }) => path)).toEqual(["network.underlay.range"]);
});

/** A site of /22 to /28, a part of it, what is taken there, and a router somewhere. */
const anyUnderlay = fc
  .record({ prefix: fc.integer({ min: 22, max: 28 }), less: fc.integer({ min: 0, max: 3 }), seed: fc.nat() })
  .chain(({ prefix, less, seed }) => {
    const network = { first: 0x0a000000, prefix };
    const partPrefix = Math.min(prefix + less, 30);
    const size = 2 ** (32 - partPrefix);
    const first = network.first + (seed % 2 ** (partPrefix - prefix)) * size;
    return fc.record({
      site: fc.constant(formatRange(network)),
      range: fc.constant(formatRange({ first, prefix: partPrefix })),
      exclude: fc.array(
        fc.nat(size - 1).map((place) => formatAddress(first + place)),
        { maxLength: 6 },
      ),
      gateway: fc.nat(2 ** (32 - prefix) - 3).map((place) => formatAddress(network.first + 1 + place)),
    });
  });

test("pods get addresses of the site that nobody else has, and as many as the problems count", () => {
  fc.assert(
    fc.property(anyUnderlay, ({ site: whole, ...underlay }) => {
      const plan = underlayPlan(underlay, whole);
      const excluded = plan.exclude.map((text) => parseRange(text)!);
      const given: string[] = [];
      for (let address = parseAddress(plan.first)!; address <= parseAddress(plan.last)!; address++) {
        if (!excluded.some((range) => contains(range, address))) given.push(formatAddress(address));
      }
      const network = parseRange(whole)!;
      const part = parseRange(underlay.range)!;
      const ends = [network.first, network.first + network.size - 1].map(formatAddress);
      for (const address of given) expect(contains(part, parseAddress(address)!)).toBe(true);
      for (const taken of [...underlay.exclude, underlay.gateway, ...ends])
        expect(given).not.toContain(taken);
      const problems = underlayProblems(underlay, { range: whole, taken: {} });
      const short = problems.map(({ found }) => /leaves (\d+) addresses/.exec(found)?.[1]);
      expect(short).toEqual(given.length < 4 ? [String(given.length)] : []);
    }),
  );
});
