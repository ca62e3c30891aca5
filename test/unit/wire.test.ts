import fc from "fast-check";
import { expect, test } from "vitest";
import { differenceOf, differingPaths } from "../../components/provider/difference.ts";
import { fromStruct, toStruct, UNKNOWN, unknownNames } from "../../components/provider/wire.ts";

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.boolean(),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

test("what goes over the wire comes back as it was", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]+$/), plain.value, { noNullPrototype: true }),
      (values) => {
        expect(fromStruct(toStruct(values), { unknown: "keep" })).toEqual(values);
      },
    ),
  );
});

test("a secret is unwrapped and an unknown value is dropped, kept or named", () => {
  const struct = toStruct({ key: "x", later: { deep: [UNKNOWN] }, plain: 1 }, ["key"]);
  expect(JSON.stringify(struct.toJavaScript())).toContain("1b47061264138c4ac30d75fd1eb44270");
  expect(fromStruct(struct, { unknown: "keep" })).toEqual({ key: "x", later: { deep: [UNKNOWN] }, plain: 1 });
  expect(fromStruct(struct, { unknown: "drop" })).toEqual({
    key: "x",
    later: { deep: [undefined] },
    plain: 1,
  });
  expect([...unknownNames(struct)]).toEqual(["later"]);
});

test("a difference names the deepest path in Pulumi's words", () => {
  const before = { files: { "/etc/hosts": { content: "a", mode: "0644" } }, list: [1, 2], same: true };
  const after = { files: { "/etc/hosts": { content: "b", mode: "0644" } }, list: [1], same: true };
  expect(differingPaths(before, after)).toEqual(['files["/etc/hosts"].content', "list[1]"]);
});

test("how a host is reached is no difference of what is on it", () => {
  const before = { connection: { privateKey: "old" }, name: "a" };
  const after = { connection: { privateKey: "new" }, name: "b" };
  expect(differenceOf(before, after, { replaceOn: ["name"] })).toEqual({
    paths: ["name"],
    replace: ["name"],
  });
});
