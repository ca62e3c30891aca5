import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkFiles, type FileViolation } from "../../../components/policies/check.ts";
import { documentsOf, Unreadable } from "../../../components/policies/files.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "policies-"));
});

afterAll(() => rm(folder, { recursive: true }));

async function check(text: string | Buffer, configuration: unknown = {}) {
  const file = join(folder, "manifest.yaml");
  await writeFile(file, text);
  const found: FileViolation[] = [];
  const summary = await checkFiles([file], configuration, (violation) => found.push(violation));
  return { ...summary, found, controls: [...new Set(found.map(({ control }) => control))] };
}

const HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
const POD = `${HEAD}spec:\n  containers: [{name: a}]\n`;
const BAD = `${POD}  hostNetwork: true\n`;
const JSON_BAD = JSON.stringify({ apiVersion: "v1", kind: "Pod", spec: { hostNetwork: true } });

/** Texts in which kubectl sees a pod of the host's network. */
const SEEN: [name: string, text: string][] = [
  ["plain", BAD],
  ["CR LF", BAD.replaceAll("\n", "\r\n")],
  ["a mark of the byte order", `\uFEFF${BAD}`],
  ["JSON", JSON_BAD],
  ["JSON after a mark of the byte order", `\uFEFF${JSON_BAD}`],
  ["a list of JSON", `[${JSON_BAD}]`],
  ["JSON among YAML", `${JSON_BAD}\n---\n${POD}`],
  ["the second document", `${POD}---\n${BAD}`],
  ["after documents that hold nothing", `---\n# nothing\n---\n\n---\n${BAD}`],
  ["after the end of a document", `${POD}...\n${BAD}`],
  ["beside the mark of a document", `--- ${JSON_BAD}\n`],
  ["on", `${POD}  hostNetwork: on\n`],
  ["Yes", `${POD}  hostNetwork: Yes\n`],
  ["a tag of YAML", `${POD}  hostNetwork: !!bool "true"\n`],
  ["an anchor", `${POD}  x: &on true\n  hostNetwork: *on\n`],
  ["a merge", `${POD}  <<: {hostNetwork: true}\n`],
  ["a merge of an alias", `${POD}  x: &x {hostNetwork: true}\n  <<: *x\n`],
  ["a merge of a list", `${POD}  <<: [{hostNetwork: true}, {hostNetwork: false}]\n`],
  ["a key in quotes", `${POD}  "host\\u004Eetwork": true\n`],
  ["a list", `apiVersion: v1\nkind: List\nitems: [${JSON_BAD}]\n`],
  [
    "a list of lists",
    `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: [${JSON_BAD}]}\n`,
  ],
  ["a list of another name", `apiVersion: apps/v1\nkind: Whatever\nitems: [${JSON_BAD}]\n`],
  ["a typed list", "apiVersion: v1\nkind: PodList\nitems: [{spec: {hostNetwork: true}}]\n"],
  ["an empty group", BAD.replace("v1", "/v1")],
  ["another object beside it", `${BAD}type: Opaque\nprops: {}\n`],
  ["what Pulumi has", '{"type": "kubernetes:core/v1:Pod", "props": {"spec": {"hostNetwork": true}}}'],
  [
    "what Pulumi has, beside an object",
    `type: kubernetes:core/v1:Pod\nprops: {spec: {hostNetwork: true}}\napiVersion: v1\nkind: ConfigMap\n`,
  ],
  [
    "properties of two resources",
    "- {type: 'other:index:Thing', props: &p {spec: {hostNetwork: true}}}\n- {type: 'kubernetes:core/v1:Pod', props: *p}\n",
  ],
];

test.each(SEEN)("the host network is seen: %s", async (_, text) => {
  expect((await check(text)).controls).toContain("host-namespaces");
});

const LAUGHS = `a0: &a0 [x, x, x, x, x, x, x, x, x]\n${Array.from(
  { length: 9 },
  (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]\n`,
).join("")}`;

/** Texts that are refused; each names a value, which no message may. */
const REFUSED: [name: string, text: string][] = [
  ["a comment that a CR ends for kubectl", `${POD}  # hunter2\r  hostNetwork: true\n`],
  ["a comment that U+2028 ends for kubectl", `${POD}  # hunter2\u2028  hostNetwork: true\n`],
  ["a comment that U+2029 ends for kubectl", `${POD}  # hunter2\u2029  hostNetwork: true\n`],
  ["a comment that U+0085 ends for kubectl", `${POD}  # hunter2\u0085  hostNetwork: true\n`],
  [
    "a merge after what it overrides with kubectl",
    `${POD}  hostNetwork: false\n  <<: {hostNetwork: true, x: hunter2}\n`,
  ],
  [
    "merges that override each other",
    `${POD}  <<: {hostNetwork: false}\n  <<: {hostNetwork: true, x: hunter2}\n`,
  ],
  [
    "a merge of a merge after what it overrides",
    `${POD}  x: &x {<<: {hostNetwork: hunter2}}\n  hostNetwork: false\n  <<: *x\n`,
  ],
  [
    "a merge of a list after what it overrides",
    `${POD}  hostNetwork: false\n  <<: [{a: 1}, {hostNetwork: hunter2}]\n`,
  ],
  ["a merge of a text", `${POD}  <<: hunter2\n`],
  ["a key twice", `${POD}  hostNetwork: hunter2\n  hostNetwork: false\n`],
  ["a key twice in JSON", `{"apiVersion": "v1", "kind": "Pod", "spec": {"a": "hunter2", "a": 1}}`],
  ["a key twice in JSON, escaped", `{"apiVersion": "v1", "kind": "Pod", "a": "hunter2", "\\u0061": 1}`],
  ["bytes", `${POD}  hostname: !!binary aHVudGVyMg==\n  x: hunter2\n`],
  ["a tag of its own", `${POD}  hostname: !hunter2 x\n`],
  ["a set", `${POD}  x: !!set {hunter2}\n`],
  ["an alias of nothing", `${POD}  x: *hunter2\n`],
  ["an alias of itself", `${POD}  x: &hunter2 [*hunter2]\n`],
  ["laughs", `${HEAD}${LAUGHS}hunter2: 1\n`],
  ["a tab", `${HEAD}spec:\n\thostname: hunter2\n`],
  ["a brace too many", `${POD}  x: [hunter2]}\n`],
  ["a brace too few", `${POD}  x: {hunter2: hunter2\n`],
  ["a quote too few", `${POD}  x: "hunter2\n`],
  ["an escape that there is not", `${POD}  x: "\\qhunter2"\n`],
  ["a header of a block that there is not", `${POD}  x: |hunter2\n`],
  ["a directive that there is not", `%HUNTER hunter2\n---\n${POD}`],
  ["a key within a key", `${POD}  x: hunter2: hunter2\n`],
  ["a line that begins with a percent sign", `${POD}  x: %hunter2\n`],
  ["a text", "hunter2"],
  ["a number", "17"],
  ["another object", "hunter2: hunter2\n"],
  ["an object without a kind", "apiVersion: hunter2\n"],
  ["a kind that is none", "apiVersion: v1\nkind: hunter2 hunter2\n"],
  ["a group that is none", "apiVersion: a/hunter2/v1\nkind: Pod\n"],
  ["objects of JSON, one a line", `{"a": "hunter2"}\n{"b": 1}`],
  ["texts of JSON", '["hunter2"]'],
];

test.each(["List", "PodList", "DeploymentList"])(
  "an empty %s is nothing, and what stands beside it is judged",
  async (kind) => {
    const { controls } = await check(`apiVersion: v1\nkind: ${kind}\nitems: []\n---\n${BAD}`);
    expect(controls).toContain("host-namespaces");
    expect(controls).not.toContain("readable");
    expect((await check(`apiVersion: v1\nkind: ${kind}\nitems: []\n`)).found).toEqual([]);
  },
);

test.each(REFUSED)("is refused, and quoted nowhere: %s", async (_, text) => {
  const { found, controls } = await check(text);
  expect(controls).toEqual(["readable"]);
  expect(JSON.stringify(found)).not.toMatch(/hunter2/);
});

test("UTF-16 is refused", async () => {
  expect((await check(Buffer.from(`\uFEFF${BAD}`, "utf16le"))).controls).toEqual(["readable"]);
});

test("a file that is not there, and a folder, are refused", async () => {
  const found: string[] = [];
  await checkFiles([join(folder, "none"), folder], {}, ({ control }) => found.push(control));
  expect(found).toEqual(["readable", "readable"]);
});

/** What good files hold, as kubectl reads it. */
const READ: [name: string, text: string, documents: unknown[]][] = [
  ["nothing", "", []],
  ["comments", "# a\n\n# b\n", []],
  [
    "days, times and numbers",
    "a: 2024-01-01\nb: 1:30\nc: 1_000\nd: 010\ne: 0x1F\nf: 1e3\n",
    [{ a: "2024-01-01", b: "1:30", c: 1000, d: 8, e: 31, f: 1000 }],
  ],
  [
    "words of YAML 1.1",
    "a: yes\nb: NO\nc: 'yes'\nd: ~\ne:\n",
    [{ a: true, b: false, c: "yes", d: null, e: null }],
  ],
  ["a merge before what overrides it", "a:\n  <<: {p: 1, q: 1}\n  p: 2\n", [{ a: { p: 2, q: 1 } }]],
  ["a merge after other keys", "a: {p: 0, <<: {q: 1}, r: 2}\n", [{ a: { p: 0, q: 1, r: 2 } }]],
  [
    "a merge of a list, the first of which wins",
    "a: {<<: [{p: 1}, {p: 2, q: 2}]}\n",
    [{ a: { p: 1, q: 2 } }],
  ],
  ["a merge in quotes", 'a: {p: 1, "<<": {p: 2}}\n', [{ a: { p: 1, "<<": { p: 2 } } }]],
  [
    "many aliases",
    `a: &a {p: 1}\nb: [${"*a, ".repeat(300)}]\n`,
    [{ a: { p: 1 }, b: Array(300).fill({ p: 1 }) }],
  ],
  ["line breaks in quotes", '{"a": "\u2028\\r"}', [{ a: "\u2028\r" }]],
  [
    "keys twice in different objects of JSON",
    '{"a": {"b": 1}, "c": [{"b": 1}, {"b": "\\"b\\":"}]}',
    [{ a: { b: 1 }, c: [{ b: 1 }, { b: '"b":' }] }],
  ],
  ["YAML in braces", "{a: b} # c\n", [{ a: "b" }]],
  ["tabs in JSON", '{\n\t"a":\t1\n}', [{ a: 1 }]],
];

test.each(READ)("is read: %s", (_, text, documents) => {
  expect(documentsOf(text)).toEqual(documents);
});

test("a key named after a prototype is a key", () => {
  const [yaml, json] = [documentsOf("__proto__: {a: 1}\n"), documentsOf('{"__proto__": {"a": 1}}')];
  for (const [document] of [yaml, json]) {
    expect(Object.keys(document as object)).toEqual(["__proto__"]);
    expect((document as { a?: number }).a).toBeUndefined();
  }
});

test("a text that is too deep is refused, and does not end the program", async () => {
  expect((await check("[".repeat(100_000))).controls).toEqual(["readable"]);
  expect(() => documentsOf("a: *b")).toThrow(Unreadable);
});

const GROUP = "kubernetes:yaml:ConfigGroup";

test.each([
  ["a text", GROUP, { yaml: BAD }],
  ["texts", GROUP, { yaml: [POD, BAD] }],
  ["a text of the second version", "kubernetes:yaml/v2:ConfigGroup", { yaml: BAD }],
  ["objects", GROUP, { objs: [JSON.parse(JSON_BAD)] }],
  ["an object", GROUP, { objs: JSON.parse(JSON_BAD) }],
])("what a group is made of is judged: %s", async (_, type, props) => {
  expect((await check(JSON.stringify({ type, name: "g", props }))).controls).toContain("host-namespaces");
  const good = await check(JSON.stringify({ type, name: "g", props: { yaml: POD } }));
  expect(good.controls).not.toContain("host-namespaces");
});

const command = (more: object) =>
  JSON.stringify({ type: "command:local:Command", name: "c", props: {}, ...more });

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const NOT_KNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

test.each([
  ["a secret", { [SIGNATURE]: SECRET, value: "hunter22" }, ["secret-in-command"]],
  ["a sealed secret", { [SIGNATURE]: SECRET, ciphertext: "v1:aaaa" }, []],
  ["what is not known yet", NOT_KNOWN, []],
  ["a text", "hunter22", ["secret-in-command"]],
])("a value as an engine writes it: %s", async (_, value, controls) => {
  const props = { create: "true", environment: { DB_PASSWORD: value } };
  expect((await check(command({ props }))).controls).toEqual(controls);
  const whole = { create: "curl -k https://example.com", environment: value };
  expect((await check(command({ props: whole }))).controls).toEqual(["disabled-verification"]);
});

test("a group whose text cannot be read is refused", async () => {
  const props = { yaml: "a: [" };
  expect((await check(JSON.stringify({ type: GROUP, name: "g", props }))).controls).toEqual(["readable"]);
});

test("times that options name are judged, where there are options", async () => {
  const slow = { options: { customTimeouts: { create: "0s" } } };
  expect((await check(command({}))).controls).toEqual([]);
  expect((await check(command({ opts: { customTimeouts: { create: "1h30m" } } }))).controls).toEqual([]);
  expect((await check(command(slow))).controls).toEqual(["bounded-time"]);
});

test("a cluster in a file may have its verifier in another", async () => {
  const cluster = { type: "spillway:onprem:KubernetesCluster", name: "c", props: { version: "1.36" } };
  expect((await check(JSON.stringify(cluster))).controls).toEqual([]);
});

test.each([
  [{ "host-path": "advise" }, 1],
  [{ "host-path": { enforcementLevel: "off" } }, 1],
  [{ all: true }, 1],
  [{ "host-path": "advisory", all: "mandatory", settings: { enforcementLevel: "mandatory" } }, 0],
])("a level that is none is told with those there are: %o", async (configuration, count) => {
  const { found } = await check("[]", configuration);
  expect(found).toHaveLength(count);
  for (const { control, message } of found) {
    expect(control).toBe("settings");
    expect(message).toContain('"mandatory", nor "advisory", nor "disabled"');
    expect(message).not.toMatch(/advise|off/);
  }
});

test("items of a list are waived by their own names", async () => {
  const list = (item: string) => `apiVersion: v1\nkind: List\nmetadata: {name: web}\nitems:\n- ${item}\n`;
  const waiver = { control: "host-namespaces", resource: "web", reason: "r", until: "9999-12-31" };
  const configuration = { settings: { waivers: [waiver] } };
  const named = (name: string) => list(JSON_BAD.replace('"spec"', `"metadata": {"name": "${name}"}, "spec"`));
  expect((await check(named("web"), configuration)).controls).not.toContain("host-namespaces");
  const { found } = await check(named("other"), configuration);
  expect(found).toContainEqual(
    expect.objectContaining({
      control: "host-namespaces",
      resource: "kubernetes:core/v1:Pod::other",
      path: "spec.hostNetwork",
    }),
  );
});

test.each([
  [{ "host-namespaces": "disabled" }, false, []],
  [{ "host-namespaces": { enforcementLevel: "disabled" } }, false, []],
  [{ all: "disabled" }, false, []],
  [{ all: "disabled", "host-namespaces": "mandatory" }, true, []],
  [{ all: "mandatory", "host-namespaces": "disabled" }, false, []],
  [{ settings: { enforcementLevel: "mandatory" } }, true, []],
  [{ "host-namespaces": "disable" }, true, ["settings"]],
  [{ "host-namespace": "disabled" }, true, ["settings"]],
  [[{ all: "disabled" }], true, ["settings"]],
  ["disabled", true, ["settings"]],
  [null, true, []],
])("the configuration %j", async (configuration, isJudged, problems) => {
  const { controls } = await check(BAD, configuration);
  expect(controls.includes("host-namespaces")).toBe(isJudged);
  expect(controls.filter((each) => each === "settings")).toEqual(problems);
});
