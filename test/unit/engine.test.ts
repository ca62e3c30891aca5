import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { labPrograms } from "../../components/lab/requirements.ts";
import { backend } from "../../tools/engine/backend.ts";
import { buildCli } from "../../tools/engine/go.ts";
import { installedPulumi, isRecent } from "../../tools/engine/installed.ts";
import { dependencies, pulumiPlugin } from "../../tools/engine/language-host/packages.ts";
import { downloadOfficial, isReachable } from "../../tools/engine/official.ts";
import { checkout } from "../../tools/engine/paths.ts";
import { stackToCreate } from "../../tools/engine/stack.ts";
import { missingPrograms, packagesOf } from "../../tools/machine.ts";
import { nextSteps } from "../../tools/next-steps.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "engine-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const environment = (more: Record<string, string> = {}) => ({ HOME: folder, PATH: "/usr/bin:/bin", ...more });

function executable(path: string, script: string): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe("a pulumi on PATH", () => {
  const bin = () => join(folder, "bin");
  const env = () => environment({ PATH: `${bin()}:/usr/bin:/bin` });

  test("is used when it is new enough and has its language host", () => {
    executable(join(bin(), "pulumi"), "echo v3.240.1");
    executable(join(bin(), "pulumi-language-nodejs"), "");
    expect(installedPulumi(env())).toEqual({ bin: join(bin(), "pulumi"), version: "v3.240.1" });
  });

  test("is found through a link, with the language host beside the file it links to", () => {
    executable(join(folder, "opt", "pulumi"), "echo v3.260.0");
    executable(join(folder, "opt", "pulumi-language-nodejs"), "");
    mkdirSync(bin());
    symlinkSync(join(folder, "opt", "pulumi"), join(bin(), "pulumi"));
    expect(installedPulumi(env())?.version).toBe("v3.260.0");
  });

  test("is left alone when it has no language host", () => {
    executable(join(bin(), "pulumi"), "echo v3.240.1");
    expect(installedPulumi(env())).toBeUndefined();
  });

  test("is left alone when it is too old, broken, or made by this project", () => {
    executable(join(bin(), "pulumi-language-nodejs"), "");
    for (const script of ["echo v3.100.0", "exit 1", "echo nonsense"]) {
      executable(join(bin(), "pulumi"), script);
      expect(installedPulumi(env()), script).toBeUndefined();
    }
    executable(join(bin(), "pulumi"), "echo v3.259.0");
    expect(installedPulumi({ ...env(), SPILLWAY_CACHE: folder })).toBeUndefined();
  });

  test("is asked again for its version when the file changed", () => {
    executable(join(bin(), "pulumi-language-nodejs"), "");
    executable(join(bin(), "pulumi"), "echo v3.259.0");
    expect(installedPulumi(env())?.version).toBe("v3.259.0");
    executable(join(bin(), "pulumi"), "echo v3.260.10");
    expect(installedPulumi(env())?.version).toBe("v3.260.10");
  });

  test.each([
    ["v3.230.0", true],
    ["3.259.0", true],
    ["v4.0.0", true],
    ["v3.229.9", false],
    ["v2.400.0", false],
    ["", false],
  ])("of version %j is new enough: %s", (version, expected) => expect(isRecent(version)).toBe(expected));
});

const quiet = { line() {}, status() {}, done() {} };

describe("the official engine", () => {
  test("comes with its language hosts from npm's package, and leaves the user's Pulumi home alone", async () => {
    const script =
      'bin=$PULUMI_HOME/versions/3.9.9/bin; mkdir -p "$bin"; echo "$2" > "$bin/pulumi"; echo x > "$bin/pulumi-language-nodejs"';
    executable(join(folder, "bin", "npx"), script);
    vi.stubEnv("PATH", `${join(folder, "bin")}:/usr/bin:/bin`);
    vi.stubEnv("PULUMI_HOME", join(folder, "home"));
    await downloadOfficial("3.9.9", join(folder, "target"), quiet);
    expect(readFileSync(join(folder, "target", "bin", "pulumi"), "utf8")).toBe("pulumi@3.9.9\n");
    expect(readFileSync(join(folder, "target", "bin", "pulumi-language-nodejs"), "utf8")).toBe("x\n");
    expect(existsSync(join(folder, "home"))).toBe(false);
  });

  test("is out of reach when its host is silent, refuses, or answers with an error", async () => {
    const server = createServer(({ url }, response) => {
      if (url !== "/silent") response.writeHead(url === "/good" ? 200 : 503).end();
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const answers = ["/good", "/bad", "/silent"].map((path) => isReachable(base + path, 300));
      expect(await Promise.all(answers)).toEqual([true, false, false]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    expect(await isReachable(base, 300)).toBe(false);
  });
});

describe("building the engine", () => {
  test("without Go says what to install", async () => {
    vi.stubEnv("PATH", folder);
    await expect(buildCli(join(folder, "pulumi"), quiet)).rejects.toThrow(
      /go is not installed; install Go 1\.\d+ or newer .* or install Pulumi yourself/,
    );
  });

  test("with a Go that is too old says so, in its words", async () => {
    executable(join(folder, "go"), "echo 'go.mod requires go >= 1.26 (running go 1.19.8)' >&2; exit 1");
    vi.stubEnv("PATH", `${folder}:/usr/bin:/bin`);
    await expect(buildCli(join(folder, "pulumi"), quiet)).rejects.toThrow(
      /pulumi, which was not found: Go is too old \(.*running go 1\.19\.8\)/,
    );
  });

  test("shows the last words of a build that fails", async () => {
    executable(
      join(folder, "go"),
      '[ "$1" = env ] && exec echo go1.99; echo "no space left on device" >&2; exit 2',
    );
    vi.stubEnv("PATH", `${folder}:/usr/bin:/bin`);
    await expect(buildCli(join(folder, "pulumi"), quiet)).rejects.toThrow(
      /`go list .*ended with 2:\s+no space left[\s\S]*install Pulumi yourself/,
    );
  });
});

describe("the backend", () => {
  test("is a folder of the account, with a passphrase that only the account reads and that stays", () => {
    const first = backend(environment());
    const local = join(folder, ".local", "state", "spillway");
    expect(first.local).toBe(local);
    expect(first.env.PULUMI_BACKEND_URL).toBe(`file://${local}`);
    const file = first.env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "";
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(local).mode & 0o777).toBe(0o700);
    const passphrase = readFileSync(file, "utf8");
    expect(passphrase.length).toBeGreaterThanOrEqual(32);
    expect(backend(environment()).env).toEqual(first.env);
    expect(readFileSync(file, "utf8")).toBe(passphrase);
  });

  test("is the user's when the environment names one", () => {
    const env = environment({ PULUMI_BACKEND_URL: "s3://bucket" });
    expect(backend(env)).toEqual({ local: undefined, env: {} });
    expect(backend(environment({ PULUMI_ACCESS_TOKEN: "x" }))).toEqual({ local: undefined, env: {} });
  });

  test("is the user's when they are logged in to one, and not when they logged out", () => {
    const home = join(folder, ".pulumi");
    mkdirSync(home);
    const credentials = join(home, "credentials.json");
    writeFileSync(credentials, JSON.stringify({ current: "gs://bucket" }));
    expect(backend(environment())).toEqual({ local: undefined, env: { PULUMI_CREDENTIALS_PATH: home } });
    writeFileSync(credentials, JSON.stringify({ accounts: {} }));
    expect(backend(environment()).local).toBeDefined();
  });

  test.each(["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])(
    "leaves the user's %s alone",
    (name) => {
      expect(Object.keys(backend(environment({ [name]: "x" })).env)).toEqual(["PULUMI_BACKEND_URL"]);
    },
  );
});

describe("a stack is made on the fly", () => {
  test.each([
    [["up", "-s", "local", "--yes"], "local"],
    [["preview", "--stack=onprem"], "onprem"],
    [["--cwd", "x", "up", "--stack", "a"], "a"],
    [["up", "-sdev"], "dev"],
    [["up"], undefined],
    [["config", "set", "network", "overlay", "-s", "local"], "local"],
    [["config", "-s", "local", "set", "network", "overlay"], "local"],
    [["-C", "up", "config", "set-all", "--plaintext", "a=b", "--stack=dev"], "dev"],
    [["config", "get", "up", "-s", "local"], undefined],
    [["config", "rm", "set", "-s", "local"], undefined],
    [["destroy", "-s", "local"], undefined],
    [["stack", "output", "-s", "local"], undefined],
    [["up", "-s", "local", "--help"], undefined],
  ])("by %j: %s", (args, expected) => expect(stackToCreate(args)).toBe(expected));
});

describe("the packages of a program", () => {
  const put = (path: string, manifest: object) => {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, "package.json"), JSON.stringify(manifest));
  };

  test("name the plugins to have, through the packages that need them, without what is only for development", () => {
    put(".", { dependencies: { library: "1" }, devDependencies: { "@pulumi/gcp": "1" } });
    put("node_modules/library", { version: "1.0.0", dependencies: { "@pulumi/aws": "7", library: "1" } });
    put("node_modules/@pulumi/aws", { version: "7.1.0", pulumi: { resource: true } });
    put("node_modules/@pulumi/gcp", { version: "9.0.0", pulumi: { resource: true } });
    put("program", {});
    rmSync(join(folder, "program", "package.json"));
    const found = dependencies(join(folder, "program"), { transitive: true, dev: false });
    expect(found.map(({ name }) => name)).toEqual(["library", "@pulumi/aws"]);
    expect(found.map(pulumiPlugin)).toEqual([undefined, { name: "aws", version: "7.1.0", server: "" }]);
  });
});

test("programs that the lab lacks are named with the package that brings them", () => {
  const missing = missingPrograms((program) => program === "skopeo");
  expect(missing).not.toContain("skopeo");
  // What a lab is refused without is installed.
  expect(missing).toEqual(expect.arrayContaining([...Object.keys(labPrograms), "umoci"]));
  expect(packagesOf(["sysctl", "mount", "losetup", "flock"])).toEqual(["procps", "mount", "util-linux"]);
  expect(packagesOf(["systemd-nspawn", "nft"])).toEqual(["systemd-container", "nftables"]);
});

test("the next steps name what the stack gives, and never show a secret", () => {
  const text = nextSteps("local", {
    kubeconfig: "[secret]",
    nodes: ["cp1", "w1"],
    registry: "10.0.0.2:5000",
    sampleUrl: "http://10.0.0.2:30080",
  });
  expect(text).toContain("nodes: cp1, w1");
  expect(text).toContain("curl http://10.0.0.2:30080");
  expect(text).toContain("npm run -s pulumi -- destroy -s local --yes");
  expect(text).not.toContain("[secret]");
});

test.each<[string, string, object, boolean]>([
  ["everything is there", "1.0.0", {}, true],
  ["a package has another version", "1.0.1", {}, false],
  ["a package is missing", "1.0.0", { "node_modules/b": { version: "2.0.0" } }, false],
  [
    "a package for another platform is missing",
    "1.0.0",
    { "node_modules/b": { version: "2.0.0", optional: true } },
    true,
  ],
])("when %s, packages are fresh or not", (_, version, more, expected) => {
  mkdirSync(join(folder, "node_modules"));
  const installed = { packages: { "node_modules/a": { version: "1.0.0" } } };
  writeFileSync(join(folder, "node_modules", ".package-lock.json"), JSON.stringify(installed));
  const lock = { packages: { "": {}, "node_modules/a": { version }, ...more } };
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
  const script = `
    const { packagesAreFresh } = await import(${JSON.stringify(join(checkout, "tools", "setup.mjs"))});
    console.log(packagesAreFresh(process.argv[1]));`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script, folder], {
    encoding: "utf8",
  });
  expect(stdout).toBe(`${expected}\n`);
});

describe("a checkout that two commands set up at once", () => {
  const own = () => join(folder, "checkout");
  const lock = () => join(own(), ".setup.lock");
  const log = () => readFileSync(join(folder, "npm"), "utf8");

  /** Runs `setUp` with a slow npm that notes when it begins and ends. */
  async function setUp(): Promise<{ code: number; said: string }> {
    const script = `(await import(${JSON.stringify(join(own(), "tools", "setup.mjs"))})).setUp();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      env: environment({ PATH: `${join(folder, "bin")}:/usr/bin:/bin` }),
    });
    let said = "";
    child.stderr.on("data", (data) => {
      said += String(data);
    });
    const [code] = (await once(child, "close")) as [number];
    return { code, said };
  }

  beforeEach(() => {
    mkdirSync(join(own(), "tools"), { recursive: true });
    mkdirSync(join(own(), "components"));
    copyFileSync(join(checkout, "tools", "setup.mjs"), join(own(), "tools", "setup.mjs"));
    const settings = [
      "package.json",
      "package-lock.json",
      "rolldown.config.ts",
      "tsconfig.json",
      "tsconfig.build.json",
    ];
    for (const file of settings) writeFileSync(join(own(), file), JSON.stringify({ packages: {} }));
    executable(
      join(folder, "bin", "npm"),
      `echo begin >>${folder}/npm; sleep 0.7; mkdir -p dist node_modules/.bin
ln -sf ${process.execPath} node_modules/.bin/node; echo '{"packages":{}}' >node_modules/.package-lock.json
echo end >>${folder}/npm`,
    );
  });

  test("is set up by one, and the other says that it waits", async () => {
    const both = await Promise.all([setUp(), setUp()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(log()).toBe("begin\nend\n");
    expect(
      both.filter(({ said }) => /^process \d+ is setting up this checkout: waiting/m.test(said)),
    ).toHaveLength(1);
    expect(existsSync(lock())).toBe(false);
    expect((await setUp()).said).toBe("");
  });

  test("does not wait for one that was killed", async () => {
    const { pid } = spawnSync("true");
    writeFileSync(lock(), String(pid));
    expect((await setUp()).said).not.toContain("waiting");
    expect(log()).toBe("begin\nend\n");
    expect(existsSync(lock())).toBe(false);
  });
});

/** A process that is dead and not buried yet has ended as well. */
const runs = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

describe("a command without an engine", () => {
  const start = (tool: string) => {
    // All that would be installed is there.
    for (const program of missingPrograms(() => false)) executable(join(folder, "bin", program), "exit 1");
    executable(join(folder, "bin", "flock"), 'PATH=/usr/bin:/bin exec flock "$@"');
    const env = environment({
      PATH: `${join(folder, "bin")}:/usr/bin:/bin`,
      SPILLWAY_ENGINE: "built",
      SPILLWAY_CACHE: join(folder, "cache"),
    });
    const child = spawn(process.execPath, [join(checkout, "tools", tool), "up", "-s", "local"], { env });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => {
        text += String(data);
      });
    return { child, said: () => text, closed: once(child, "close") as Promise<[number | null]> };
  };
  const go = () => Number(readFileSync(join(folder, "go.pid"), "utf8"));

  test.each([
    ["pulumi.ts", "SIGINT", 130],
    ["pulumi.ts", "SIGTERM", 143],
    ["start.ts", "SIGINT", 130],
  ] as const)("%s ends the build of one at %s, with a word", async (tool, signal, expected) => {
    executable(
      join(folder, "bin", "go"),
      `[ "$1" != env ] || exec echo go1.99\necho $$ >${folder}/go.pid.new; mv ${folder}/go.pid.new ${folder}/go.pid\nexec sleep 60`,
    );
    const { child, said, closed } = start(tool);
    await expect.poll(() => existsSync(join(folder, "go.pid")), { timeout: 20_000 }).toBe(true);
    expect(runs(go())).toBe(true);
    child.kill(signal);
    expect(await closed, said()).toEqual([expected, null]);
    expect(said()).toMatch(/error: stopped by (Ctrl-C|SIGTERM); the same command goes on from here\n$/);
    expect(runs(go())).toBe(false);
    expect(readdirSync(join(folder, "cache", "engine")).filter((name) => name.includes("draft"))).toEqual([]);
  });

  test("says what a build lacks before it says what it will do", async () => {
    executable(join(folder, "bin", "go"), "echo go1.2");
    const { said, closed } = start("start.ts");
    expect(await closed).toEqual([1, null]);
    expect(said()).toContain("building pulumi, which was not found: the Go on PATH is go1.2");
    expect(said()).not.toContain("on this computer:");
  });
});

describe("the provider's launcher", () => {
  const copyInto = (bin: string) => {
    mkdirSync(bin, { recursive: true });
    for (const name of ["pulumi-resource-spillway", "launch.sh"])
      copyFileSync(join(checkout, "bin", name), join(bin, name));
    return join(bin, "pulumi-resource-spillway");
  };

  test("says what to install when there is no recent Node, without printing to the engine", () => {
    const copy = copyInto(join(folder, "package", "bin"));
    executable(join(folder, "bin", "node"), "exit 1");
    const { status, stdout, stderr } = spawnSync(copy, ["127.0.0.1:1"], {
      cwd: folder,
      env: environment({ PATH: `${join(folder, "bin")}:/usr/bin:/bin` }),
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("no Node 22 or newer");
  });

  test("runs the package's provider through npm's link, with a recent Node beside it", () => {
    const installed = join(folder, "node_modules", "spillway");
    copyInto(join(installed, "bin"));
    mkdirSync(join(installed, "dist", "provider"), { recursive: true });
    mkdirSync(join(folder, "node_modules", ".bin"));
    writeFileSync(
      join(installed, "dist", "provider", "main.js"),
      "console.log(process.argv.slice(2).join())",
    );
    const link = join(folder, "node_modules", ".bin", "pulumi-resource-spillway");
    symlinkSync("../spillway/bin/pulumi-resource-spillway", link);
    symlinkSync(process.execPath, join(folder, "node_modules", ".bin", "node"));
    executable(join(folder, "old", "node"), "exit 1");
    const { stdout, stderr } = spawnSync(link, ["a b"], {
      cwd: tmpdir(),
      env: environment({ PATH: `${join(folder, "old")}:/usr/bin:/bin` }),
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(stdout).toBe("a b\n");
  });
});
