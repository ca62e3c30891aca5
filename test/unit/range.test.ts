import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatAddress,
  overlap,
  parseAddress,
  parseRange,
  rangeAround,
} from "../../components/model/range.ts";

describe("ranges", () => {
  test("read back as written", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), (number) => {
        expect(parseAddress(formatAddress(number))).toBe(number);
      }),
    );
  });

  test("overlap exactly when one holds the first address of the other", () => {
    const range = fc.tuple(fc.nat(2 ** 32 - 1), fc.integer({ min: 1, max: 32 }));
    fc.assert(
      fc.property(range, range, ([one, long], [other, short]) => {
        const a = rangeAround(one, long);
        const b = rangeAround(other, short);
        const holds =
          rangeAround(b.first, long).first === a.first || rangeAround(a.first, short).first === b.first;
        expect(overlap(a, b)).toBe(holds);
      }),
    );
  });

  test.each(["10.0.0.1/24", "10.0.0.0/33", "10.0.0/24", "010.0.0.0/24", "10.0.0.0/24/1", "999.0.0.0/24", ""])(
    "are not %j",
    (text) => expect(parseRange(text)).toBeUndefined(),
  );
});
