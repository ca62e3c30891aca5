import fc from "fast-check";
import { expect, test } from "vitest";
import { parseQuantity } from "../../../components/policies/quantity.ts";

test.each([
  ["0", 0],
  ["1", 1],
  ["+1", 1],
  ["-1", -1],
  ["0.5", 0.5],
  [".5", 0.5],
  ["5.", 5],
  ["007", 7],
  ["500m", 0.5],
  ["1u", 1e-6],
  ["1n", 1e-9],
  ["2k", 2000],
  ["2M", 2e6],
  ["2G", 2e9],
  ["2T", 2e12],
  ["2P", 2e15],
  ["2E", 2e18],
  ["1Ki", 1024],
  ["1Mi", 1024 ** 2],
  ["1Gi", 1024 ** 3],
  ["1Ti", 1024 ** 4],
  ["1Pi", 1024 ** 5],
  ["1Ei", 1024 ** 6],
  ["1.5Gi", 1.5 * 1024 ** 3],
  ["1e3", 1000],
  ["1E3", 1000],
  ["1e-3", 0.001],
  ["1E+2", 100],
  ["-1.5e1", -15],
  [2, 2],
  [0.25, 0.25],
  [-1, -1],
])("%j is %d", (text, number) => {
  expect(parseQuantity(text)).toBeCloseTo(number, 12);
});

test.each([
  "",
  " ",
  ".",
  "+",
  "-",
  "m",
  "Gi",
  "e3",
  "1 Gi",
  " 1",
  "1 ",
  "1\n",
  "1K",
  "1ki",
  "1KI",
  "1GB",
  "1GiB",
  "1Mib",
  "1mi",
  "1g",
  "1,5",
  "1_000",
  "0x10",
  "0b1",
  "1e",
  "1e1.5",
  "1e3Gi",
  "1eGi",
  "1mm",
  "--1",
  "+-1",
  "1.2.3",
  "NaN",
  "Infinity",
  "1\u0661",
  Number.NaN,
  Infinity,
  -Infinity,
  true,
  null,
  undefined,
  [],
  ["1"],
  {},
  Symbol("1"),
  1n,
])("%s is none", (value) => {
  expect(parseQuantity(value)).toBeUndefined();
});

const units = { "": 1, k: 1e3, M: 1e6, Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };

test("a whole number and a unit are their product", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1_000_000, max: 1_000_000 }),
      fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
      (number, unit) => parseQuantity(`${number}${unit}`) === number * units[unit],
    ),
  );
});

test("more of a unit is more, and thousandths are a thousandth", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.constantFrom("", "m", "k", "Mi", "E"), (a, b, unit) => {
      expect(Math.sign(parseQuantity(`${a}${unit}`)! - parseQuantity(`${b}${unit}`)!)).toBe(Math.sign(a - b));
      expect(parseQuantity(`${a}m`)).toBeCloseTo(a / 1000, 6);
    }),
  );
});

test("no text throws, and none that is read has other characters than a quantity has", () => {
  const parts = fc.array(fc.constantFrom(..."0159.+-eEmkKMGTi nu_x"), { maxLength: 8 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        parts.map((each) => each.join("")),
      ),
      (text) => {
        const number = parseQuantity(text);
        if (number === undefined) return;
        expect(number).not.toBeNaN();
        expect(text).toMatch(/^[+-]?[0-9.]*[0-9][0-9.]*([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$/);
      },
    ),
    { numRuns: 2000 },
  );
});
