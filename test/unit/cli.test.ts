import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { describeLabs } from "../../components/cli/lab.ts";
import { spillway } from "../../components/cli/spillway.ts";
import { PLUGIN_LINES } from "../../components/index.ts";

const checkout = join(import.meta.dirname, "../..");
const { version } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as { version: string };

async function spoken(...argv: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await spillway(
    argv,
    (text) => out.push(text),
    (text) => err.push(text),
  );
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("the artifacts of a platform are printed without an up", async () => {
  const bridge = await spoken("artifacts");
  expect(bridge).toMatchObject({ code: 0, err: "" });
  expect(bridge.out).toMatch(/^Kubernetes 1\.36\.\d+ on amd64$/m);
  expect(bridge.out).toMatch(/^image +kube-apiserver:v1\.36/m);
  expect(bridge.out).not.toContain("flanneld");
  const unenforced = await spoken("artifacts", "--network", "overlay", "--policies", "unenforced");
  expect(unenforced.out).toContain("flanneld");
  expect((await spoken("artifacts", "--policies", "enforced")).out).toContain("cilium-agent");
  const json = await spoken("artifacts", "--kubernetes", "1.36", "--policies", "unenforced", "--json");
  const list = JSON.parse(json.out) as { binaries: { name: string }[] };
  expect(list.binaries.map(({ name }) => name)).toEqual(["kubeadm", "kubectl", "kubelet"]);
});

test("the digests of artifacts are printed where they are known, and where not, that is said", async () => {
  vi.stubEnv("SPILLWAY_CACHE", mkdtempSync(join(tmpdir(), "spillway-test-")));
  try {
    const built = await spoken("artifacts", "--source", "built");
    expect(built.out).toMatch(/^built, as asked\nKubernetes /);
    expect(built.out).toMatch(/^binary +kubelet 1\.36\.\d+ .* not known before it is obtained$/m);
    const json = JSON.parse((await spoken("artifacts", "--source", "built", "--json")).out) as {
      origin: string;
    };
    expect(json.origin).toBe("built");
    expect(await spoken("artifacts", "--source", "mirror")).toMatchObject({ code: 2 });
  } finally {
    rmSync(process.env.SPILLWAY_CACHE!, { recursive: true });
    vi.unstubAllEnvs();
  }
});

test("files are judged: a line for each violation, a summary, and an exit code", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-test-"));
  try {
    const [config, bad, good] = ["config.json", "bad.yaml", "good.yaml"].map((name) => join(folder, name));
    writeFileSync(config!, JSON.stringify({ "exposed-service": "advisory" }));
    writeFileSync(bad!, "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { type: NodePort }\n");
    writeFileSync(
      good!,
      "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { type: ClusterIP }\n",
    );
    const judged = await spoken("policy-check", bad!, good!);
    const [violation, summary, ...more] = judged.out.split("\n").map((line) => JSON.parse(line) as object);
    expect(judged.code).toBe(1);
    expect(violation).toEqual({
      file: bad,
      resource: "kubernetes:core/v1:Service::web",
      policy: "exposed-service",
      control: "exposed-service",
      path: "spec.type",
      message: expect.stringContaining("To do: "),
    });
    expect(summary).toEqual({ summary: { files: 2, resources: 2, violations: 1, advice: 0 } });
    expect(more).toEqual([]);
    const advised = await spoken("policy-check", "--config", config!, bad!);
    expect(advised.code).toBe(0);
    expect(advised.out).toMatch(/^{"summary":.*"violations":0,"advice":1/);
    const shown = await spoken("policy-check", "--advice", "--config", config!, bad!);
    expect(shown.code).toBe(0);
    expect(JSON.parse(shown.out.split("\n")[0]!)).toEqual({ ...violation, level: "advisory" });
    writeFileSync(
      config!,
      JSON.stringify({
        all: "disabled",
        "network-mode": "mandatory",
        settings: { environments: { dev: "development" } },
      }),
    );
    const network = {
      name: "c",
      type: "spillway:onprem:KubernetesCluster",
      props: { network: { mode: "host" } },
    };
    writeFileSync(good!, JSON.stringify(network));
    const inStack = async (...stack: string[]) =>
      (await spoken("policy-check", "--config", config!, ...stack, good!)).code;
    expect(await inStack()).toBe(1);
    expect(await inStack("--stack", "prod")).toBe(1);
    expect(await inStack("--stack", "dev")).toBe(0);
    expect((await spoken("policy-check")).code).toBe(2);
    expect((await spoken("policy-check", "--config", "/nowhere", bad!)).code).toBe(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what a mirror must hold is printed with its own addresses", async () => {
  const { out } = await spoken("artifacts", "--files", "https://m.example/f", "--images", "m.example:5000/p");
  expect(out).toMatch(/^https:\/\/m\.example\/f\/kubernetes\/v1\.36\.\d+\/linux\/amd64\/kubeadm$/m);
  expect(out).toMatch(/^m\.example:5000\/p\/etcd:/m);
});

test("the lines for Pulumi.yaml, the version and the help are printed", async () => {
  expect(await spoken("plugin")).toEqual({ code: 0, out: PLUGIN_LINES, err: "" });
  expect(await spoken("--version")).toEqual({ code: 0, out: version, err: "" });
  for (const argv of [["--help"], ["-h"], ["lab", "--help"]]) {
    const { code, out } = await spoken(...argv);
    expect(code).toBe(0);
    for (const word of ["artifacts", "lab list", "lab purge NAME", "plugin"]) expect(out).toContain(word);
  }
});

test("labs and hosts are listed for a person and for a program", async () => {
  const hosts = [
    { name: "cp1", address: "10.77.1.11", running: true },
    { name: "w1", running: false },
  ];
  expect(describeLabs([{ name: "one", range: "10.77.1.0/24", hosts }])).toBe(
    "one  10.77.1.0/24\n  cp1  10.77.1.11  running\n  w1  ?  off",
  );
  expect(describeLabs([{ name: "two", hosts: [] }])).toBe("two  its network is gone");
  expect(describeLabs([])).toBe("no labs on this computer");
  const { code, out } = await spoken("lab", "list", "--json");
  expect([code, Array.isArray(JSON.parse(out))]).toEqual([0, true]);
});

test.each([
  [[], "no command was given"],
  [["deploy"], '"deploy" is no command; give one of artifacts, lab, policy-check, plugin'],
  [["toString"], '"toString" is no command'],
  [["artifacts", "--colour"], "--colour"],
  [["artifacts", "more"], '"more" is one word too many'],
  [["artifacts", "--kubernetes", "1.2"], "is not a supported version; give one of 1.36"],
  [["artifacts", "--policies", "some"], "give enforced or unenforced"],
  [["artifacts", "--network", "tunnel"], "give one of none, host, bridge, overlay, underlay"],
  [["artifacts", "--files", "https://m.example"], "give --files and --images"],
  [["lab"], "say list or purge"],
  [["lab", "burn"], 'lab "burn": say list or purge'],
  [["lab", "purge"], "say which lab"],
  [["lab", "purge", "a", "b"], '"b" is one word too many'],
  [["lab", "purge", "../up"], "is no name for a lab"],
])("%j is not understood, and told why", async (argv, why) => {
  const { code, out, err } = await spoken(...argv);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain(why);
  expect(err).toContain("spillway --help");
});

test("a lab that is not there is no success", async () => {
  const { code, err } = await spoken("lab", "purge", "never-was");
  expect(code).toBe(1);
  expect(err).toContain("there is no lab never-was");
});

test("policy-check reads what is piped in", () => {
  const input = "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { type: NodePort }\n";
  const { status, stdout } = spawnSync(join(checkout, "bin", "spillway"), ["policy-check", "-"], { input });
  expect(status).toBe(1);
  expect(JSON.parse(stdout.toString().split("\n")[0]!)).toMatchObject({
    file: "-",
    control: "exposed-service",
  });
});

test("the program runs through a link, as npx runs it, with its exit codes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cli-"));
  const link = join(folder, "spillway");
  symlinkSync(join(checkout, "bin", "spillway"), link);
  try {
    expect((await promisify(execFile)(link, ["--version"])).stdout).toBe(`${version}\n`);
    await expect(promisify(execFile)(link, ["no"])).rejects.toMatchObject({ code: 2, stdout: "" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
