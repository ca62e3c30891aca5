import fc from "fast-check";
import { expect, test } from "vitest";
import { isWithin, parseImage } from "../../../components/policies/image.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

test.each([
  ["nginx", "docker.io", "library/nginx"],
  ["team/app", "docker.io", "team/app"],
  ["docker.io/nginx", "docker.io", "library/nginx"],
  ["index.docker.io/nginx", "docker.io", "library/nginx"],
  ["registry-1.docker.io/team/app", "docker.io", "team/app"],
  ["Docker.IO/team/app", "docker.io", "team/app"],
  ["localhost/app", "localhost", "app"],
  ["localhost:5000/app", "localhost:5000", "app"],
  ["r.example/app", "r.example", "app"],
  ["r.example:443/a/b/c", "r.example:443", "a/b/c"],
  ["R.Example/app", "r.example", "app"],
  ["Host/app", "host", "app"],
  ["host/app", "docker.io", "host/app"],
  ["[::1]:5000/app", "[::1]:5000", "app"],
  ["10.0.0.1/app", "10.0.0.1", "app"],
  ["a__b/c.d-e--f_g", "docker.io", "a__b/c.d-e--f_g"],
])("%s lies in %s as %s", (text, registry, repository) => {
  expect(parseImage(text)).toEqual({ registry, repository });
  expect(parseImage(`${text}:1.0`)).toEqual({ registry, repository, tag: "1.0" });
  expect(parseImage(`${text}@${DIGEST}`)).toEqual({ registry, repository, digest: DIGEST });
  expect(parseImage(`${text}:1.0@${DIGEST}`)).toEqual({ registry, repository, tag: "1.0", digest: DIGEST });
});

test.each([
  "",
  " ",
  "/",
  ":",
  "@",
  "a/",
  "/a",
  "a//b",
  "a:",
  "a@",
  ":tag",
  `@${DIGEST}`,
  "A",
  "a/B",
  "r.example/",
  "r.example/A",
  "r.example./a",
  ".r.example/a",
  "-r.example/a",
  "r.example:/a",
  "r.example:port/a",
  "r_x.example/a",
  "https://r.example/a",
  "r.example/a/../b",
  "r.example/a/./b",
  "r.example/a%2fb",
  "a b",
  "a\n",
  "\ta",
  "a:b:c",
  "a:-x",
  "a:.x",
  `a:${"x".repeat(129)}`,
  "a___b",
  "a-",
  "-a",
  "_a",
  "a..b",
  "r.example/a?b",
  "r.example/a#b",
  "user@r.example/a",
  "a@sha256:abc",
  `a@sha256:${HEX.toUpperCase()}`,
  `a@sha256:${HEX}0`,
  `a@sha512:${HEX}`,
  `a@md5:${HEX.slice(32)}`,
  `a@${DIGEST}@${DIGEST}`,
  `a@${DIGEST}:1`,
  `a@ ${DIGEST}`,
  "а",
])("%j is refused", (text) => {
  expect(parseImage(text)).toBeUndefined();
});

test.each([
  ["r.example", "r.example/app", true],
  ["r.example/", "r.example/app", true],
  ["https://r.example/team/", "r.example/team/app", true],
  ["r.example/team/*", "r.example/team/app", true],
  ["r.example/team/**", "r.example/team/a/b", true],
  ["R.EXAMPLE/team", "r.example/team/app", true],
  ["r.example/team", "r.example/team", true],
  ["r.example/team", "r.example/team-b/app", false],
  ["r.example/team", "r.example/teams", false],
  ["r.example/team", "r.example/a/team/app", false],
  ["r.example/team", "r.example/app", false],
  ["r.example", "r.example.evil.com/app", false],
  ["r.example", "evil.r.example/app", false],
  ["r.example", "rxexample.com/app", false],
  ["r.example", "rxexample:1/app", false],
  ["r.example", "r.example:5000/app", false],
  ["r.example:5000", "r.example:5000/app", true],
  ["r.example:5000", "r.example/app", false],
  ["*.r.example", "a.r.example/app", true],
  ["*.r.example", "r.example/app", false],
  ["*.r.example", "a.b.r.example/app", false],
  ["1.*.r.example", "1.2.r.example/app", true],
  ["docker.io", "nginx", true],
  ["docker.io/library", "nginx", true],
  ["docker.io/library", "team/app", false],
  ["index.docker.io/team", "team/app", true],
  ["registry-1.docker.io", "docker.io/team/app", true],
  ["team", "team/app", false],
  ["", "nginx", false],
  ["/", "nginx", false],
  ["[a-z.]+", "r.example/app", false],
  ["r.example|.*", "evil.example/app", false],
])("in %j lies %s: %j", (entry, text, isIn) => {
  expect(isWithin(parseImage(text)!, entry)).toBe(isIn);
});

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const host = fc.tuple(word, word).map((parts) => parts.join("."));

test("a reference is what it was put together of, and lies in each part of its path", () => {
  const tags = fc.option(fc.stringMatching(/^\w[\w.-]{0,10}$/), { nil: undefined });
  fc.assert(
    fc.property(host, path, tags, fc.boolean(), (registry, repository, tag, hasDigest) => {
      const text = `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${hasDigest ? `@${DIGEST}` : ""}`;
      const image = parseImage(text)!;
      expect([image.registry, image.repository]).toEqual([registry, repository]);
      expect([image.tag, image.digest]).toEqual([tag, hasDigest ? DIGEST : undefined]);
      const parts = repository.split("/");
      for (let i = 0; i <= parts.length; i++)
        expect(isWithin(image, [registry, ...parts.slice(0, i)].join("/"))).toBe(true);
    }),
  );
});

test("whatever lies in an entry begins with it and a slash", () => {
  const near = fc.tuple(host, path, fc.constantFrom("", "-b", "b", ".b", "_b", "/b"), path);
  fc.assert(
    fc.property(near, ([registry, repository, end, more]) => {
      const entry = `${registry}/${repository}`;
      const image = parseImage(`${entry}${end}/${more}`)!;
      expect(isWithin(image, entry)).toBe(end === "" || end === "/b");
      expect(isWithin(parseImage(`${registry}.evil/${repository}/${more}`)!, entry)).toBe(false);
      expect(isWithin(parseImage(`evil.example/${entry}/${more}`)!, entry)).toBe(false);
    }),
  );
});

test("no text throws, and none with a character of another kind is read", () => {
  const signs = fc.array(fc.constantFrom(..."ab0A.:/@-_ %*\n[]\\"), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        signs.map((each) => each.join("")),
      ),
      (text) => {
        const image = parseImage(text);
        if (!image) return;
        expect(text).toMatch(/^[\w.:/@[\]-]+$/);
        expect(image.repository).not.toMatch(/\.\.|\/\/|^\/|\/$/);
      },
    ),
    { numRuns: 2000 },
  );
});

// What grows by the square takes longer than a test may.
test("a text that is made to take long does not", () => {
  for (const text of [
    "a-".repeat(200_000),
    "a.".repeat(200_000),
    `${"a-".repeat(200_000)}!/b`,
    "/".repeat(400_000),
  ]) {
    parseImage(text);
  }
});

test("a star stands for one part of a host's name or address, before its port", () => {
  const isIn = (text: string) => isWithin(parseImage(text)!, "10.0.*.*:5000");
  expect(isIn("10.0.3.4:5000/app")).toBe(true);
  expect(isIn("10.0.3.4/app")).toBe(false);
  expect(isIn("10.0.3.4:5001/app")).toBe(false);
  expect(isIn("10.1.3.4:5000/app")).toBe(false);
  expect(isIn("10.0.3.4.example.com:5000/app")).toBe(false);
});

test.each([
  ["team/", "team/app", true],
  ["team/*", "team/a/b", true],
  ["team/", "docker.io/team/app", true],
  ["team/", "teams/app", false],
  ["team/", "r.example/team/app", false],
  ["team/app", "team/app:1", true],
  ["localhost/team", "localhost/team/app", true],
  ["localhost/team", "docker.io/localhost/team/app", false],
  ["team", "team/app", false],
])("a path without a host, %s, is Docker's: %s", (entry, text, isIn) => {
  expect(isWithin(parseImage(text)!, entry)).toBe(isIn);
});
