import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PLUGIN_LINES } from "../../components/index.ts";
import { exec, list } from "../../components/lab/control.ts";
import { cacheRoot } from "../../components/local/folders.ts";
import { checkout } from "../../tools/engine/paths.ts";
import { Stack } from "./stack.ts";

const lab = "t-package";
const program = `
import { Artifacts } from "spillway/artifacts";
import { Registry, Site } from "spillway/lab";
import { HostState } from "spillway/ssh";

const site = new Site("${lab}", { hosts: ["w1"] });
const registry = new Registry("registry", { site, host: "w1" });
// Nobody publishes the sample: it is built from the sources in the package.
const { images } = new Artifacts("sample", { kubernetes: "1.36", sample: true });
registry.image("hello", images.apply((all) => all.hello!));
new HostState("note", {
  connection: site.connection("w1"),
  name: "note",
  files: { "/etc/from-package": { content: "from the package\\n" } },
});
`;

let folder: string;
let stack: Stack;
/** With a cache that has everything but artifacts, so that the installed package builds them. */
let env: NodeJS.ProcessEnv;
/** What npx would run in the project. */
const spillway = (...args: string[]) =>
  execFileSync(join(stack.project, "node_modules", ".bin", "spillway"), args, {
    cwd: stack.project,
    encoding: "utf8",
    // As in a user's shell: Node is there, this checkout's programs are not.
    env: { ...process.env, PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin` },
  });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spillway-pack-"));
  // Set-up has built dist/; a build now would change it under other tests.
  const args = ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder];
  execFileSync("npm", args, { cwd: checkout, stdio: ["ignore", "ignore", "inherit"] });
  const tarball = join(folder, readdirSync(folder)[0]!);
  stack = new Stack({ name: "package", program, labs: [lab], tarball });
  env = { SPILLWAY_CACHE: join(folder, "cache") };
  mkdirSync(env.SPILLWAY_CACHE!);
  for (const name of readdirSync(cacheRoot()).filter((entry) => entry !== "artifacts"))
    symlinkSync(join(cacheRoot(), name), join(env.SPILLWAY_CACHE!, name));
});

afterAll(async () => {
  await stack?.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("the package holds what runs, and neither sources of tests nor of tools", () => {
  const installed = join(stack.project, "node_modules", "spillway");
  expect(readdirSync(installed).sort()).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "Pulumi.onprem.yaml",
    "README.md",
    "bin",
    "components",
    "dist",
    "docs",
    "package.json",
    "policies",
    "policy-config.json",
    "stacks",
  ]);
  expect(readdirSync(join(installed, "components", "artifacts"))).toEqual(["modules"]);
});

test("its commands run from the project that installed it", () => {
  expect(spillway("plugin").trim()).toBe(PLUGIN_LINES);
  expect(spillway("artifacts", "--network", "overlay")).toContain("kubelet");
});

test("a program in an empty project previews, comes up, and is taken back", async () => {
  const pack = join(stack.project, "node_modules", "spillway", "policies");
  const preview = await stack.run(["preview", "--policy-pack", pack], env);
  expect(preview.text).toMatch(/Policies:\s+\S+ +spillway@/);
  expect(preview.text).toMatch(/\+ \d+ to create/);
  expect(preview.code, preview.text).toBe(0);
  expect(list().filter(({ name }) => name === lab)).toEqual([]);

  const up = await stack.up(env);
  expect(up.code, up.text).toBe(0);
  expect((await exec(lab, "w1", ["cat", "/etc/from-package"])).stdout).toBe("from the package");
  const repositories = "/var/lib/spillway-registry/blobs/docker/registry/v2/repositories";
  expect((await exec(lab, "w1", ["ls", repositories])).stdout).toBe("hello");
  const nothing = await stack.previewNothing(env);
  expect(nothing.code, nothing.text).toBe(0);

  const destroy = await stack.destroy(env);
  expect(destroy.code, destroy.text).toBe(0);
  expect(list().filter(({ name }) => name === lab)).toEqual([]);
});

/** As `pulumi new typescript` writes it; TypeScript 6 is told that 5 took `node`. */
const template = {
  "Pulumi.yaml": `name: package\nruntime: nodejs\n${PLUGIN_LINES}\n`,
  "package.json": '{ "name": "package", "main": "index.ts" }\n',
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      strict: true,
      target: "es2020",
      module: "commonjs",
      moduleResolution: "node",
      ignoreDeprecations: "6.0",
      skipLibCheck: true,
      types: [],
    },
    files: ["index.ts"],
  }),
};

test("a program by Pulumi's own template, CommonJS that is checked and compiled, previews as well", async () => {
  const place = (name: string) => join(stack.project, name);
  const before = ["Pulumi.yaml", "package.json"].map(
    (name) => [name, readFileSync(place(name), "utf8")] as const,
  );
  symlinkSync(join(checkout, "node_modules", "typescript"), place("node_modules/typescript"));
  try {
    for (const [name, text] of Object.entries(template)) writeFileSync(place(name), text);
    const { code, text } = await stack.run(["preview"]);
    expect(text).toMatch(/\+ \d+ to create/);
    expect(code, text).toBe(0);
    writeFileSync(place("index.ts"), program.replace("hosts:", "hosst:"));
    const wrong = await stack.run(["preview"]);
    expect(wrong.code).not.toBe(0);
    expect(wrong.text).toMatch(/'hosst' does not exist|did you mean to write 'hosts'/);
  } finally {
    for (const [name, text] of [...before, ["index.ts", program] as const]) writeFileSync(place(name), text);
    rmSync(place("tsconfig.json"), { force: true });
    rmSync(place("node_modules/typescript"));
  }
});

test("a compiler that checks declarations as well finds all that they need", () => {
  const file = join(stack.project, "every.ts");
  // @pulumi/policy, which `spillway/policies` is made of, has an error in its own.
  const parts = ["", "/onprem", "/lab", "/ssh", "/kubernetes", "/artifacts"];
  const lines = parts.map((part, i) => `export * as part${i} from "spillway${part}";\n`);
  writeFileSync(file, lines.join(""));
  const options = ["--strict", "--noEmit", "--ignoreConfig", "--module", "nodenext", "--target", "es2023"];
  const tsc = join(checkout, "node_modules", "typescript", "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, "--types", "node", file], {
    cwd: stack.project,
    encoding: "utf8",
  });
  expect(stdout).toBe("");
  expect(status).toBe(0);
  rmSync(file);
});

test("without the three lines it says which, and in which file they belong", async () => {
  const project = join(stack.project, "Pulumi.yaml");
  const text = readFileSync(project, "utf8");
  expect(text).toContain(PLUGIN_LINES);
  writeFileSync(project, text.replace(PLUGIN_LINES, ""));
  try {
    const { code, text: said } = await stack.run(["preview"]);
    expect(code).not.toBe(0);
    expect(said).toContain(`Add these lines to ${project}`);
    for (const line of PLUGIN_LINES.split("\n")) expect(said).toContain(line.trim());
    expect(said).not.toMatch(/\n\s+at /);
  } finally {
    writeFileSync(project, text);
  }
});
