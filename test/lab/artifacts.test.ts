import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ArtifactsOutputs, artifacts } from "../../components/artifacts/artifacts.provider.ts";
import { modulesOf } from "../../components/artifacts/built.ts";
import { findBuild, goBuild, goModules } from "../../components/artifacts/go.ts";
import { type ImageInputs, image } from "../../components/artifacts/image.provider.ts";
import { takeOut } from "../../components/artifacts/image-files.ts";
import { artifactList } from "../../components/artifacts/list.ts";
import { layoutDigest, packImage } from "../../components/artifacts/pack.ts";
import { manifestDigest } from "../../components/artifacts/registry.ts";
import type { MirrorSource } from "../../components/artifacts/source.ts";
import { sha256Of } from "../../components/local/cache.ts";
import { output, run } from "../../components/local/run.ts";
import type { Context } from "../../components/provider/resource.ts";
import { startRegistry, type TestRegistry } from "./artifacts-registry.ts";

const context: Context & { shown: string[] } = {
  urn: "test",
  preview: false,
  shown: [],
  progress(message) {
    if (process.env.SHOW_PROGRESS) console.log(message);
    this.shown.push(message);
  },
  info() {},
  warn(message) {
    this.shown.push(message);
  },
  signal: new AbortController().signal,
  timeoutSeconds: 0,
};
const request = {
  kubernetes: "1.36",
  network: "overlay",
  policies: "unenforced",
  architecture: "amd64",
} as const;
const list = artifactList(request);
const sample = artifactList({ ...request, sample: true });
const allImages = [...list.images, ...sample.images];

let folder: string;
let platform: ArtifactsOutputs;
/** The platform and the sample. */
let built: ArtifactsOutputs;
/** Every program that was built, those in images as well. */
const programs: Record<string, { path: string; sha256: string }> = {};

// Cold, this builds Kubernetes: a quarter of an hour on two cores. Warm, it takes a second.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "artifacts-lab-"));
  const source = { kind: "built" } as const;
  platform = (await artifacts.create(context, { ...request, source })).outputs;
  const { outputs } = await artifacts.create(context, { ...request, sample: true, source });
  built = { ...platform, images: { ...platform.images, ...outputs.images } };
  for (const module of [...modulesOf(list), ...modulesOf(sample)]) {
    const entry = await findBuild(module, "amd64");
    for (const [name, sha256] of Object.entries(entry!.files)) {
      programs[name] = { path: join(entry!.folder, name), sha256 };
    }
  }
}, 40 * 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs an action with a cache of its own. */
async function withCache<T>(name: string, action: () => Promise<T>): Promise<T> {
  const before = process.env.SPILLWAY_CACHE;
  process.env.SPILLWAY_CACHE = join(folder, name);
  try {
    return await action();
  } finally {
    if (before === undefined) delete process.env.SPILLWAY_CACHE;
    else process.env.SPILLWAY_CACHE = before;
  }
}

describe("built artifacts", () => {
  test("hold every binary and image of the list, and say so", () => {
    expect(Object.keys(built.binaries)).toEqual(list.binaries.map(({ name }) => name));
    expect(Object.keys(platform.images)).toEqual(list.images.map(({ name }) => name));
    expect(built.summary).toBe("Kubernetes 1.36: 4 binaries and 7 images, built, as asked");
  });

  test("are at hand a second time without any work", async () => {
    context.shown.length = 0;
    const again = await artifacts.create(context, { ...request, source: { kind: "built" } });
    expect(again.outputs).toEqual(platform);
    expect(context.shown).toEqual(["built, as asked"]);
  });

  test("have the versions and checksums that they tell", async () => {
    const kubelet = built.binaries.kubelet!;
    expect(await sha256Of(kubelet.path)).toBe(kubelet.sha256);
    expect(await output([kubelet.path, "--version"])).toBe("Kubernetes v1.36.3");
    expect(await output([built.binaries.kubeadm!.path, "version", "-o", "short"])).toBe("v1.36.3");
    const said: string[] = [];
    await run([built.binaries.flanneld!.path, "--version"], { onLine: (line) => said.push(line) });
    expect(said).toEqual(["v0.26.7"]);
  });

  test("have the tags that kubeadm asks for", async () => {
    const args = [
      "config",
      "images",
      "list",
      "--kubernetes-version",
      "v1.36.3",
      "--image-repository",
      "r.example",
    ];
    const asked = (await output([built.binaries.kubeadm!.path, ...args])).split("\n");
    const ours = list.images.map(({ repository, tag }) => `r.example/${repository}:${tag}`);
    // The tags of etcd and coredns are told to kubeadm by its configuration.
    expect(asked.filter((name) => !/\/(etcd|coredns):/.test(name) && !ours.includes(name))).toEqual([]);
    expect(asked.length).toBeGreaterThan(5);
  });

  test("built and packed twice are the same to the byte", async () => {
    await withCache("twice", async () => {
      for (const module of goModules(list.versions).filter(({ name }) => ["pause", "hello"].includes(name))) {
        const again = await goBuild(module, "amd64", context);
        expect([module.name, again.files[module.name]]).toEqual([module.name, programs[module.name]!.sha256]);
      }
      for (const wanted of allImages) {
        const binaries = wanted.binaries.map((name) => programs[name]!);
        expect([wanted.name, (await packImage(wanted, binaries, "amd64", context)).digest]).toEqual([
          wanted.name,
          built.images[wanted.name]!.digest,
        ]);
      }
    });
  });

  test("kube-proxy's image holds an iptables that runs, and no shell", async () => {
    const root = await unpack("kube-proxy");
    const version = await output(["chroot", root, "/usr/sbin/iptables", "--version"]);
    expect(version).toContain("nf_tables");
    for (const name of ["iptables-save", "iptables-restore", "ip6tables"]) {
      await run(["chroot", root, `/usr/sbin/${name}`, "--version"]);
    }
    expect(await output(["chroot", root, "/usr/local/bin/kube-proxy", "--version"])).toContain("v1.36.3");
    expect(await readdir(join(root, "usr/bin"))).not.toContain("sh");
  });

  test("the sample answers with its host's name and stops when told", async () => {
    const root = await unpack("hello");
    const start = 'ip link set lo up && hostname pod-1 && exec "$0"';
    const child = spawn("unshare", ["--net", "--uts", "sh", "-c", start, join(root, "hello")]);
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    try {
      expect(await inside(child.pid!, "/")).toBe("Hello from pod-1\n");
      expect(await inside(child.pid!, "/healthz")).toBe("ok\n");
    } finally {
      child.kill("SIGTERM");
    }
    expect(await ended).toBe(0);
  });

  test("the pause program reaps what it inherits and stops when told", async () => {
    const root = await unpack("pause");
    const orphan = 'sh -c "sleep 0.2 &" ; exec "$0"';
    const child = spawn("unshare", [
      "--pid",
      "--fork",
      "--kill-child",
      "sh",
      "-c",
      orphan,
      join(root, "pause"),
    ]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    try {
      const pause = await eventually(async () => (await childrenOf(child.pid!))[0]);
      await eventually(
        async () => (await readFile(`/proc/${pause}/comm`, "utf8")) === "pause\n" || undefined,
      );
      await eventually(async () => ((await childrenOf(pause)).length === 0 ? true : undefined));
      process.kill(pause, "SIGTERM");
      await ended;
    } finally {
      child.kill("SIGKILL");
    }
    expect(child.exitCode).toBe(0);
  });

  test("a file that is lost is seen by refresh", async () => {
    await withCache("lost", async () => {
      const hello = sample.images[0]!;
      const { layout, tag, digest } = await packImage(hello, [programs.hello!], "amd64", context);
      const images = { hello: { repository: "hello", tag, digest, source: { layout } } };
      const old = { id: "x", inputs: request, outputs: { ...built, binaries: {}, images } };
      expect(await artifacts.read!(context, old)).toEqual({ inputs: request, outputs: old.outputs });
      await rm(join(layout, "index.json"));
      expect(await artifacts.read!(context, old)).toBeUndefined();
    });
  });
});

describe("a private registry", () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry(join(folder, "private"));
  });
  afterAll(() => registry?.stop());

  const inputs = (name: string): ImageInputs => {
    const { registry: place, caCertificate, username, password } = registry;
    return { ...built.images[name]!, registry: place, caCertificate, username, password };
  };

  test("takes every image at once, by the digest it was packed with, and a second time at no cost", async () => {
    const names = Object.keys(built.images);
    const made = await Promise.all(names.map((name) => image.create(context, inputs(name))));
    expect(made.map(({ outputs }) => outputs.reference)).toEqual(
      names.map((name) => `${registry.registry}/${name}@${built.images[name]!.digest}`),
    );
    context.shown.length = 0;
    await Promise.all(names.map((name) => image.create(context, inputs(name))));
    expect(context.shown).toEqual([]);
    expect(await image.read!(context, existing("etcd"))).toMatchObject({ inputs: inputs("etcd") });
  });

  test("a tag that was moved away is drift, and update takes it back", async () => {
    const moved = { ...inputs("pause"), repository: "moved", tag: "1" };
    await image.create(context, moved);
    const other = { ...inputs("hello"), repository: "moved", tag: "1" };
    await image.create(context, other);
    const old = { id: "x", inputs: moved, outputs: { reference: "" } };
    const found = await image.read!(context, old);
    expect(found?.inputs.tag).toBe("");
    expect(image.diff!({ ...old, inputs: found!.inputs }, moved)).toMatchObject({
      paths: ["tag"],
      replace: [],
    });
    await image.update!(context, old, moved);
    expect(await manifestDigest(registry, "moved", "1", context.signal)).toBe(moved.digest);
  });

  test("deletes an image, also when it is gone already", async () => {
    const gone = { ...inputs("hello"), repository: "gone" };
    await image.create(context, gone);
    const old = { id: "x", inputs: gone, outputs: { reference: "" } };
    await image.delete(context, old);
    expect(await image.read!(context, old)).toBeUndefined();
    await image.delete(context, old);
    await image.create(context, gone);
    expect(await image.read!(context, old)).toBeDefined();
  });

  test("a wrong password is refused by name and never shown", async () => {
    const wrong = { ...inputs("hello"), password: "canary-wrong" };
    const error = await image.create(context, wrong).catch((found: Error) => found);
    expect(String(error)).toContain('refuses user "ops" (401)');
    expect(String(error)).not.toContain("canary");
  });

  test("a certificate of another authority is refused", async () => {
    const other = await startRegistry(join(folder, "other"));
    try {
      const wrong = { ...inputs("hello"), caCertificate: other.caCertificate };
      await expect(image.create(context, wrong)).rejects.toThrow(/certificate/);
    } finally {
      await other.stop();
    }
  });

  test("a digest that is not the source's is refused", async () => {
    const wrong = { ...inputs("pause"), repository: "wrong", digest: built.images.hello!.digest };
    await expect(image.create(context, wrong)).rejects.toThrow("was wanted");
    expect(await manifestDigest(registry, "wrong", wrong.tag, context.signal)).toBeUndefined();
  });

  test("a layout that is gone is told with what to do", async () => {
    const gone = { ...inputs("pause"), repository: "gone", source: { layout: join(folder, "nowhere") } };
    await expect(image.create(context, gone)).rejects.toThrow("pulumi refresh");
  });

  test("the password is in no command line, and nothing of it is left in memory folders", async () => {
    const before = await readdir("/dev/shm");
    const seen: string[] = [];
    const push = image.create(context, { ...inputs("kube-apiserver"), repository: "watched" });
    let running = true;
    const watching = (async () => {
      while (running) seen.push(...(await commandLines()).filter((line) => line.startsWith("skopeo")));
    })();
    await push;
    running = false;
    await watching;
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter((line) => line.includes("canary"))).toEqual([]);
    expect(await readdir("/dev/shm")).toEqual(before);
  });

  test("that keeps everything is left as it is, with a warning", async () => {
    const keeps = await startRegistry(join(folder, "keeps"), { deletes: false });
    try {
      const { registry: place, caCertificate, username, password } = keeps;
      const kept = { ...inputs("pause"), registry: place, caCertificate, username, password };
      await image.create(context, kept);
      context.shown.length = 0;
      await image.delete(context, { id: "x", inputs: kept, outputs: { reference: "" } });
      expect(context.shown.join()).toContain("stays");
    } finally {
      await keeps.stop();
    }
  });

  function existing(name: string) {
    const { repository, digest } = built.images[name]!;
    return {
      id: "x",
      inputs: inputs(name),
      outputs: { reference: `${registry.registry}/${repository}@${digest}` },
    };
  }
});

describe("a mirror", () => {
  let registry: TestRegistry;
  let server: Server;
  let source: MirrorSource;

  beforeAll(async () => {
    registry = await startRegistry(join(folder, "mirror"), { anonymous: true });
    const files = join(folder, "files");
    for (const { name, mirrorPath } of list.binaries) {
      const path = join(files, mirrorPath);
      await mkdir(dirname(path), { recursive: true });
      await cp(built.binaries[name]!.path, path);
      await writeFile(`${path}.sha256`, `${built.binaries[name]!.sha256}  ${name}\n`);
    }
    server = createServer((request, response) => {
      readFile(join(files, request.url!)).then(
        (body) => response.end(body),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { caCertificate, registry: place, username, password } = registry;
    source = {
      kind: "mirror",
      files: `http://127.0.0.1:${port}`,
      images: `${place}/platform`,
      caCertificate,
    };
    for (const { repository, ...rest } of Object.values(built.images)) {
      const to = { registry: place, caCertificate, username, password, repository: `platform/${repository}` };
      await image.create(context, { ...rest, ...to });
    }
  });
  afterAll(async () => {
    server?.close();
    await registry?.stop();
  });

  test("gives the same binaries and digests as were put there", async () => {
    await withCache("mirrored", async () => {
      const { outputs } = await artifacts.create(context, { ...request, source });
      expect(outputs.origin).toBe("mirror");
      for (const [name, { sha256, path }] of Object.entries(outputs.binaries)) {
        expect([name, sha256]).toEqual([name, built.binaries[name]!.sha256]);
        await run([path, "--help"]);
      }
      for (const [name, { digest, source }] of Object.entries(outputs.images)) {
        expect([name, digest]).toEqual([name, built.images[name]!.digest]);
        expect(source).toMatchObject({ reference: `${registry.registry}/platform/${name}@${digest}` });
      }
    });
  });

  test("its images are copied from registry to registry with their digests", async () => {
    const home = await startRegistry(join(folder, "home"));
    try {
      const { outputs } = await withCache("mirrored", () =>
        artifacts.create(context, { ...request, source }),
      );
      const { registry: place, caCertificate, username, password } = home;
      const inputs = { ...outputs.images.coredns!, registry: place, caCertificate, username, password };
      const { outputs: copied } = await image.create(context, inputs);
      expect(copied.reference).toBe(`${place}/coredns@${built.images.coredns!.digest}`);
    } finally {
      await home.stop();
    }
  });

  test("holds the sample as well", async () => {
    const { outputs } = await artifacts.create(context, { ...request, sample: true, source });
    expect(outputs.binaries).toEqual({});
    expect(Object.values(outputs.images).map(({ digest }) => digest)).toEqual([built.images.hello!.digest]);
  });

  test("upstream hosts, played by the mirror, give the same, and the sample alone is built", async () => {
    const { caCertificate, registry: place, username, password } = registry;
    for (const [name, tag] of [
      ["etcd", "v3.6.16"],
      ["coredns", "1.12.4"],
    ] as const) {
      const to = { registry: place, caCertificate, username, password, repository: `platform/${name}`, tag };
      await image.create(context, { ...built.images[name]!, ...to });
    }
    await cp(
      join(folder, "files/kubernetes/v1.36.3/linux"),
      join(folder, "files/release/v1.36.3/bin/linux"),
      {
        recursive: true,
      },
    );
    const images = `${place}/platform`;
    const hosts = { kubernetes: source.files, images, etcd: `${images}/etcd`, coredns: `${images}/coredns` };
    const authority = join(folder, "authority.pem");
    await writeFile(authority, caCertificate);
    process.env.SSL_CERT_FILE = authority;
    try {
      const inputs = { ...request, network: "bridge", source: { kind: "upstream", hosts } } as const;
      const { outputs } = await withCache("upstream", () => artifacts.create(context, inputs));
      expect(outputs.origin).toBe("upstream");
      expect(Object.keys(outputs.binaries)).toEqual(["kubeadm", "kubectl", "kubelet"]);
      for (const [name, { digest, tag }] of Object.entries(outputs.images)) {
        expect([name, digest, tag]).toEqual([name, built.images[name]!.digest, built.images[name]!.tag]);
      }
      expect(outputs.images.etcd!.source).toEqual({
        reference: `${hosts.etcd}@${built.images.etcd!.digest}`,
      });
      for (const { source } of Object.values(outputs.images)) expect(source).toHaveProperty("reference");
      const own = await withCache("upstream", () => artifacts.create(context, { ...inputs, sample: true }));
      expect(Object.keys(own.outputs.images)).toEqual(["hello"]);
      expect(own.outputs.images.hello!.source).toHaveProperty("layout");
    } finally {
      delete process.env.SSL_CERT_FILE;
    }
  });

  test("programs that their makers publish in an image only are taken out of it", async () => {
    const { caCertificate, registry: place, username, password } = registry;
    const contents = {
      cilium: {
        "usr/bin/cilium-agent": "#!/bin/sh\necho agent\n",
        "opt/cni/bin/cilium-cni": "#!/bin/sh\necho cni\n",
        "var/lib/cilium/bpf/bpf_lxc.c": "int lxc;\n",
        "var/lib/cilium/bpf/lib/common.h": "int common;\n",
      },
      "operator-generic": { "usr/bin/cilium-operator-generic": "#!/bin/sh\necho operator\n" },
    };
    for (const [name, files] of Object.entries(contents)) {
      const layout = await layoutOf(name, files);
      const to = { registry: place, caCertificate, username, password, repository: `makers/${name}` };
      await image.create(context, {
        ...to,
        tag: "v1.18.2",
        digest: await layoutDigest(layout),
        source: { layout },
      });
    }
    const wanted = artifactList({ ...request, policies: "enforced" }, { cilium: `${place}/makers` });
    const authority = join(folder, "makers.pem");
    await writeFile(authority, caCertificate);
    process.env.SSL_CERT_FILE = authority;
    try {
      const found = await withCache("makers", () => takeOut(wanted, context));
      const said = await Promise.all(
        ["cilium-agent", "cilium-cni", "cilium-operator"].map((name) => output([found[name]!.path])),
      );
      expect(said).toEqual(["agent", "cni", "operator"]);
      const archive = found["cilium-bpf.tar.gz"]!;
      expect(await sha256Of(archive.path)).toBe(archive.sha256);
      expect((await output(["tar", "-tzf", archive.path])).split("\n")).toEqual([
        "./",
        "./bpf_lxc.c",
        "./lib/",
        "./lib/common.h",
      ]);
      context.shown.length = 0;
      expect(await withCache("makers", () => takeOut(wanted, context))).toEqual(found);
      expect(context.shown).toEqual([]);
    } finally {
      delete process.env.SSL_CERT_FILE;
    }
  });

  test("images that it does not hold are all named, and nothing still runs then", async () => {
    const before = await readdir("/dev/shm");
    await withCache("mirrored", async () => {
      const wrong = { ...source, images: `${registry.registry}/elsewhere` };
      const error = await artifacts.create(context, { ...request, source: wrong }).catch(String);
      for (const { repository } of list.images) expect(error).toContain(`elsewhere/${repository}`);
      expect(await readdir("/dev/shm")).toEqual(before);
    });
  });
});

/** An OCI layout with one image of these files, as its makers' tools would have made it. */
async function layoutOf(name: string, files: Record<string, string>): Promise<string> {
  const [root, layer, layout] = ["root", "layer.tar", "layout"].map((part) =>
    join(folder, `${name}-${part}`),
  );
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root!, path)), { recursive: true });
    await writeFile(join(root!, path), text, { mode: path.includes("bin/") ? 0o755 : 0o644 });
  }
  await run(["tar", "-C", root!, "-cf", layer!, "."]);
  await run(["umoci", "init", "--layout", layout!]);
  await run(["umoci", "new", "--image", `${layout}:v1`]);
  await run(["umoci", "config", "--image", `${layout}:v1`, "--architecture", "amd64", "--os", "linux"]);
  await run(["umoci", "raw", "add-layer", "--image", `${layout}:v1`, layer!]);
  await run(["umoci", "gc", "--layout", layout!]);
  return layout!;
}

/** Root folder of an image, unpacked with umoci. */
async function unpack(name: string): Promise<string> {
  const { source, tag } = built.images[name]!;
  if (!("layout" in source)) throw new Error(`${name} was not built`);
  const bundle = join(folder, `bundle-${name}`);
  await run(["umoci", "unpack", "--image", `${source.layout}:${tag}`, bundle]);
  return join(bundle, "rootfs");
}

/** What a URL path of the sample answers, asked inside its network namespace. */
function inside(pid: number, path: string): Promise<string> {
  const program = `fetch("http://127.0.0.1:8080${path}").then((a) => a.text()).then((t) => process.stdout.write(t))`;
  const ask = () => run(["nsenter", `--net=/proc/${pid}/ns/net`, process.execPath, "-e", program]);
  return eventually(async () => (await ask()).bytes.toString());
}

/** The first answer that is no failure and not `undefined`, within a minute. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + 60_000;
  for (;;) {
    const found = await ask().catch((error: Error) => error);
    if (found !== undefined && !(found instanceof Error)) return found;
    if (performance.now() > end) throw found ?? new Error("nothing came");
    await sleep(50);
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const found = await output(["pgrep", "-P", `${pid}`]).catch(() => "");
  return found.split("\n").filter(Boolean).map(Number);
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).map((line) => line.replaceAll("\0", " "));
}
