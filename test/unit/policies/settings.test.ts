import fc from "fast-check";
import { expect, test } from "vitest";
import { isWaived, type Settings, settingsOf } from "../../../components/policies/settings.ts";

const known = new Set(["privileged", "seccomp"]);
const TODAY = "2026-06-15";
const read = (given: unknown, stack?: string): Settings => settingsOf(given, { stack, known, today: TODAY });

const waiver = (more: object = {}) => ({
  control: "privileged",
  resource: "agent",
  reason: "reads the host's logs",
  until: "2026-12-31",
  ...more,
});

test("nothing said is production, no registries and no problem", () => {
  expect(read(undefined)).toMatchObject({
    environment: "production",
    registries: [],
    maxCpu: 8,
    maxMemory: 32 * 2 ** 30,
    maxGroupSize: 100,
    kubernetesVersions: expect.arrayContaining(["1.36"]),
    waivers: [],
    problems: [],
  });
});

test.each([
  [null],
  [[]],
  ["x"],
  [1],
  [{ registry: ["r.example"] }],
  [{ constructor: 1 }],
  [{ toString: 1 }],
  [JSON.parse('{"__proto__": {}}')],
  [{ registries: "r.example" }],
  [{ registries: [""] }],
  [{ registries: [1] }],
  [{ registries: null }],
  [{ registries: {} }],
  [{ registries: ["mycorp"] }],
  [{ maxCpu: "0" }],
  [{ maxCpu: "-1" }],
  [{ maxCpu: "many" }],
  [{ maxCpu: null }],
  [{ maxMemory: "32GB" }],
  [{ maxMemory: Number.NaN }],
  [{ maxGroupSize: true }],
  [{ kubernetesVersions: "1.36" }],
  [{ kubernetesVersions: [1.36] }],
  [{ environments: "development" }],
  [{ environments: ["development"] }],
  [{ environments: { own: "test" } }],
  [{ environments: { own: null } }],
  [{ waivers: {} }],
  [{ waivers: null }],
])("%j is told, and changes nothing", (given) => {
  const { problems, ...settings } = read(given, "own");
  expect(problems).toHaveLength(1);
  expect({ ...settings, problems: [] }).toEqual(read(undefined));
});

test("what is right is taken", () => {
  const given = {
    registries: ["r.example"],
    maxCpu: "500m",
    maxMemory: "1Gi",
    maxGroupSize: 3,
    kubernetesVersions: ["1.40"],
  };
  expect(read(given)).toMatchObject({ ...given, maxCpu: 0.5, maxMemory: 2 ** 30, problems: [] });
});

test.each([
  ["own", "development"],
  ["other", "production"],
  ["unnamed", "production"],
  [undefined, "production"],
  ["constructor", "production"],
  ["__proto__", "production"],
  ["OWN", "production"],
  ["own ", "production"],
])("the stack %s is for %s", (stack, environment) => {
  const environments = { own: "development", other: "production" };
  expect(read({ environments }, stack)).toMatchObject({ environment, problems: [] });
});

test.each(["2026-06-15", "2026-06-16", "2026-12-31", "2028-02-29", "9999-12-31"])("%s waives", (until) => {
  expect(read({ waivers: [waiver({ until })] })).toMatchObject({
    waivers: [waiver({ until })],
    problems: [],
  });
});

test.each([
  ["no object", null],
  ["a text", "privileged"],
  ["a list", []],
  ...["control", "resource", "reason", "until"].flatMap((key): [string, unknown][] => [
    [`no ${key}`, waiver({ [key]: undefined })],
    [`an empty ${key}`, waiver({ [key]: " \n" })],
    [`a ${key} of another kind`, waiver({ [key]: ["privileged"] })],
  ]),
  ["a control that there is not", waiver({ control: "Privileged" })],
  ["all controls", waiver({ control: "*" })],
  ["a control that an object has by itself", waiver({ control: "constructor" })],
  ["a key more", waiver({ stack: "own" })],
  ["all resources", waiver({ resource: "*" })],
  ["all resources twice", waiver({ resource: "**" })],
  ...["2026-06-14", "2025-12-31", "0001-01-01"].map((until): [string, unknown] => [
    `the past ${until}`,
    waiver({ until }),
  ]),
  ...[
    "2026-02-30",
    "2026-02-29",
    "2026-13-01",
    "2026-06-31",
    "2026-00-10",
    "2026-06-00",
    "2026-7-1",
    "26-07-01",
    "20260701",
    "01-07-2026",
    "2026-07",
    "2027",
    "never",
    "tomorrow",
    "2026-07-01T00:00:00Z",
    " 2026-07-01",
    "2026-07-01 ",
    "2026-07-01\n",
    "+2026-07-01",
    "２０２６-07-01",
  ].map((until): [string, unknown] => [`the day ${JSON.stringify(until)}`, waiver({ until })]),
])("a waiver of %s waives nothing, and is told", (_, given) => {
  const settings = read({ waivers: [waiver({ resource: "other" }), given] });
  expect(settings.waivers).toEqual([waiver({ resource: "other" })]);
  expect(settings.problems.length).toBeGreaterThan(0);
  for (const problem of settings.problems) expect(problem).toMatch(/^waivers\[1\]: /);
});

test.each([
  ["agent", "agent", true],
  ["agent", "Agent", false],
  ["agent", "agents", false],
  ["agent", "an-agent", false],
  ["agent", "", false],
  ["agent-*", "agent-a", true],
  ["agent-*", "agent-", true],
  ["agent-*", "agent", false],
  ["*-agent", "an-agent", true],
  ["*-agent", "an-agent-b", false],
  ["a*b*c", "abc", true],
  ["a*b*c", "a-b-c", true],
  ["a*b*c", "acb", false],
  ["a*", "a\nb", true],
  ["agent", "agent\n", false],
  ["a.c", "abc", false],
  ["a.c", "a.c", true],
  ["a+", "aa", false],
  ["a|b", "a", false],
  ["a|b", "a|b", true],
  ["(a)", "a", false],
  ["[ab]", "a", false],
  ["[ab]", "[ab]", true],
  ["a?", "a", false],
  ["a{1}", "a", false],
  ["^a$", "a", false],
  ["^a$", "^a$", true],
  ["\\w", "a", false],
  ["\\w", "\\w", true],
  [".*", "anything", false],
  [".*", ".anything", true],
])("a waiver of %j lets %j: %j", (resource, name, isLet) => {
  const settings = read({ waivers: [waiver({ resource })] });
  expect(settings.problems).toEqual([]);
  expect(isWaived(settings, "privileged", name)).toBe(isLet);
  expect(isWaived(settings, "seccomp", name)).toBe(false);
});

test("a waiver without a star lets its own name alone", () => {
  const names = fc.string({ minLength: 1 }).filter((name) => name.trim() !== "" && !name.includes("*"));
  fc.assert(
    fc.property(names, fc.string(), (resource, other) => {
      const settings = read({ waivers: [waiver({ resource })] });
      expect(isWaived(settings, "privileged", resource)).toBe(true);
      expect(isWaived(settings, "privileged", other)).toBe(other === resource);
      expect(isWaived(settings, "privileged", `${resource}x`)).toBe(false);
    }),
  );
});

test("a star stands for any characters, and for nothing else", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z.+(]{1,5}$/),
      fc.string(),
      fc.stringMatching(/^[a-z.+(]{1,5}$/),
      (head, middle, end) => {
        const settings = read({ waivers: [waiver({ resource: `${head}*${end}` })] });
        expect(isWaived(settings, "privileged", `${head}${middle}${end}`)).toBe(true);
        expect(isWaived(settings, "privileged", `0${head}${middle}${end}`)).toBe(false);
        expect(isWaived(settings, "privileged", `${head}${middle}${end}0`)).toBe(false);
      },
    ),
  );
});

test("whatever is given, it is read, and what is not known to be right allows nothing", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        fc.dictionary(fc.constantFrom("registries", "maxCpu", "environments", "waivers", "x"), fc.anything()),
      ),
      (given) => {
        const settings = read(given, "own");
        expect(settings.maxCpu).toBeGreaterThan(0);
        expect(settings.registries.every((each) => typeof each === "string" && each !== "")).toBe(true);
        expect(settings.waivers).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});
