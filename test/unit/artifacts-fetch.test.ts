import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { modulesOf, requireTools } from "../../components/artifacts/built.ts";
import { cached, findEntry } from "../../components/artifacts/cache.ts";
import { knownDigests } from "../../components/artifacts/digests.ts";
import { download } from "../../components/artifacts/download.ts";
import { goEntryName } from "../../components/artifacts/go.ts";
import { retry } from "../../components/artifacts/http.ts";
import { artifactList } from "../../components/artifacts/list.ts";
import { packedName } from "../../components/artifacts/pack.ts";
import { chooseSource } from "../../components/artifacts/source.ts";
import type { Work } from "../../components/artifacts/work.ts";
import { entryName } from "../../components/local/cache.ts";

const work: Work & { warnings: string[] } = {
  warnings: [],
  progress: () => {},
  warn: (message) => void work.warnings.push(message),
  signal: new AbortController().signal,
};
const program = Buffer.from("#!/bin/true\n".repeat(1000));
const sum = createHash("sha256").update(program).digest("hex");

let folder: string;
let server: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "artifacts-"));
  process.env.SPILLWAY_CACHE = folder;
  work.warnings = [];
});

afterEach(async () => {
  delete process.env.SPILLWAY_CACHE;
  server?.closeAllConnections();
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A release host that serves these paths. */
function files(contents: Record<string, Buffer | string>, seen: string[] = []): RequestListener {
  return (request, response) => {
    seen.push(request.url!);
    const body = contents[request.url!];
    if (body === undefined) response.writeHead(404).end();
    else response.end(body);
  };
}

test("a download with the right checksum is kept and not fetched again", async () => {
  const path = "/release/v1.36.3/bin/linux/amd64/kubeadm";
  const seen: string[] = [];
  const base = await serve(files({ [path]: program, [`${path}.sha256`]: sum }, seen));
  const [kubeadm] = artifactList({ kubernetes: "1.36" }, { kubernetes: base }).binaries;
  const file = { ...kubeadm!, url: kubeadm!.url! };
  const first = await download(file, work);
  expect(first).toMatchObject({ sha256: sum, version: "1.36.3" });
  expect(await readFile(first.path)).toEqual(program);
  expect(await download(file, work)).toEqual(first);
  expect(seen).toEqual([path, `${path}.sha256`]);
});

test("digests are known from the makers, or from the cache, and nothing is obtained for them", async () => {
  const path = "/release/v1.36.3/bin/linux/amd64/";
  const seen: string[] = [];
  const base = await serve(
    files({ [`${path}kubelet.sha256`]: sum, [`${path}kubeadm.sha256`]: "<html>" }, seen),
  );
  const request = { kubernetes: "1.36", policies: "unenforced" } as const;
  const registry = new URL(base).host;
  const hosts = {
    kubernetes: base,
    images: registry,
    etcd: `${registry}/etcd`,
    coredns: `${registry}/coredns`,
  };
  const list = artifactList(request, hosts);
  const known = await knownDigests(list, "upstream", work.signal);
  expect(known).toEqual({ origin: "upstream", binaries: { kubelet: `sha256:${sum}` }, images: {} });
  expect(seen.filter((url) => url.startsWith("/release") && !url.endsWith(".sha256"))).toEqual([]);

  const kubelet = list.binaries.find(({ name }) => name === "kubelet")!;
  await cached(entryName("kubelet", kubelet.version, [kubelet.url, kubelet.checksumUrl]), work, (folder) =>
    writeFile(join(folder, "kubelet"), "as it was"),
  );
  const { binaries } = await knownDigests(list, "upstream", AbortSignal.abort());
  expect(binaries).toEqual({ kubelet: `sha256:${createHash("sha256").update("as it was").digest("hex")}` });
});

test("digests of what was built and packed are known from the cache", async () => {
  const list = artifactList({ kubernetes: "1.36", sample: true });
  expect(await knownDigests(list, "built", work.signal)).toEqual({
    origin: "built",
    binaries: {},
    images: {},
  });
  const [module] = modulesOf(list);
  const built = await cached(await goEntryName(module!, "amd64"), work, (folder) =>
    writeFile(join(folder, "hello"), "built"),
  );
  const program = { path: "/any/hello", sha256: built.files.hello! };
  expect((await knownDigests(list, "built", work.signal)).images).toEqual({});
  await cached(packedName(list.images[0]!, [program], "amd64"), work, async (folder) => {
    await mkdir(join(folder, "layout"));
    await writeFile(join(folder, "layout/index.json"), '{"manifests":[{"digest":"sha256:0123"}]}');
  });
  for (const origin of ["built", "upstream"] as const)
    expect((await knownDigests(list, origin, work.signal)).images).toEqual({ hello: "sha256:0123" });
});

test("a download with a wrong checksum is refused and nothing of it is kept", async () => {
  const url = await serve(files({ "/x": program, "/x.sha256": "0".repeat(64) }));
  const file = { name: "x", version: "1", url: `${url}/x`, checksumUrl: `${url}/x.sha256` };
  await expect(download(file, work)).rejects.toThrow(`its SHA-256 is ${sum}`);
  const left = await readdir(join(folder, "artifacts"));
  expect(left.filter((name) => !name.endsWith(".lock"))).toEqual([]);
});

test("an answer that is no checksum is refused", async () => {
  const url = await serve(files({ "/x": program, "/x.sha256": "<html>" }));
  const file = { name: "x", version: "1", url: `${url}/x`, checksumUrl: `${url}/x.sha256` };
  await expect(download(file, work)).rejects.toThrow("no SHA-256 in it");
});

test("without a checksum plain HTTP is refused", async () => {
  const url = "http://127.0.0.1:1/flanneld";
  await expect(download({ name: "flanneld", version: "1", url }, work)).rejects.toThrow(
    "use an https:// address",
  );
});

test("a missing file is told with its address, and asked for once", async () => {
  const seen: string[] = [];
  const url = await serve(files({}, seen));
  const file = { name: "x", version: "1", url: `${url}/x`, checksumUrl: `${url}/x.sha256` };
  await expect(download(file, work)).rejects.toThrow(`${url}/x: the host answers 404`);
  expect(seen).toEqual(["/x"]);
});

test("a download that breaks off is tried again", async () => {
  let calls = 0;
  const url = await serve((request, response) => {
    if (request.url === "/x.sha256") return void response.end(sum);
    response.writeHead(200, { "content-length": program.length });
    if (calls++ > 0) return void response.end(program);
    response.write(program.subarray(0, 100), () => response.destroy());
  });
  const file = { name: "x", version: "1", url: `${url}/x`, checksumUrl: `${url}/x.sha256` };
  expect((await download(file, work)).sha256).toBe(sum);
  expect(calls).toBe(2);
});

test("redirects are followed, but not for ever", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/end") return void response.end(program);
    if (request.url === "/x.sha256") return void response.end(sum);
    response.writeHead(302, { location: request.url === "/x" ? "/end" : "/loop" }).end();
  });
  const file = { name: "x", version: "1", url: `${url}/x`, checksumUrl: `${url}/x.sha256` };
  expect((await download(file, work)).sha256).toBe(sum);
  await expect(download({ ...file, url: `${url}/loop` }, work)).rejects.toThrow("more than 5 redirects");
});

test("upstream is chosen when its hosts answer, even when the registry asks who is there", async () => {
  const url = await serve((request, response) =>
    response.writeHead(request.url === "/v2/" ? 401 : 200).end(),
  );
  const { source, reason } = await chooseSource({ kubernetes: url, images: url });
  expect(source).toEqual({ kind: "upstream", hosts: { kubernetes: url, images: url } });
  expect(reason).toContain("answer");
});

test("built is chosen when a host refuses or stays silent, and the reason names it", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/v2/") response.end();
  });
  const silent = await chooseSource({ kubernetes: url, images: url }, 200);
  expect(silent).toMatchObject({ source: { kind: "built" } });
  expect(silent.reason).toBe(`built from source packages: ${new URL(url).host} does not answer`);
  const closed = await chooseSource({ kubernetes: "http://127.0.0.1:1", images: url }, 200);
  expect(closed.reason).toContain("127.0.0.1:1 does not answer");
});

test("an entry that lost bytes is noticed and made again", async () => {
  let made = 0;
  const make = () =>
    cached("tool-1", work, async (path) => {
      made++;
      await writeFile(join(path, "tool"), "complete");
    });
  const { folder: entry, files } = await make();
  expect(Object.keys(files)).toEqual(["tool"]);
  await truncate(join(entry, "tool"), 3);
  await make();
  expect(await readFile(join(entry, "tool"), "utf8")).toBe("complete");
  await writeFile(join(entry, "tool"), "COMPLETE");
  await make();
  await utimes(join(entry, "tool"), new Date(0), new Date(0));
  await make();
  expect(made).toBe(3);
});

test("an entry without its manifest, and what a killed run left, are cleared away", async () => {
  const { folder: entry } = await cached("tool-1", work, (path) => writeFile(join(path, "tool"), "1"));
  await rm(join(entry, "manifest.json"));
  expect(await findEntry("tool-1")).toBeUndefined();
  await writeFile(join(folder, "artifacts", "tool-1.draft-old"), "half");
  await cached("tool-1", work, (path) => writeFile(join(path, "tool"), "2"));
  expect((await readdir(join(folder, "artifacts"))).sort()).toEqual(["tool-1", "tool-1.lock"]);
  expect(await readFile(join(entry, "tool"), "utf8")).toBe("2");
});

test("of ten that want the same entry one makes it", async () => {
  let made = 0;
  const make = () =>
    cached("tool-1", work, async (path) => {
      made++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      await writeFile(join(path, "tool"), "1");
    });
  await Promise.all(Array.from({ length: 10 }, make));
  expect(made).toBe(1);
});

test("a failed make leaves no entry and lets the next one in", async () => {
  await expect(cached("tool-1", work, () => Promise.reject(new Error("no disk")))).rejects.toThrow("no disk");
  expect(await findEntry("tool-1")).toBeUndefined();
  await cached("tool-1", work, (path) => writeFile(join(path, "tool"), "1"));
});

test("a preview of building names every missing tool", async () => {
  await withPath(folder, async () => {
    const error = await requireTools(artifactList({ kubernetes: "1.36" })).catch(String);
    expect(error).toContain("go is not installed; install Go 1.26 or newer");
    expect(error).toContain("umoci is not installed");
  });
});

test("a Go that is too old is told, with the one that is needed", async () => {
  await writeFile(join(folder, "go"), "#!/bin/sh\necho go1.20.1\n", { mode: 0o755 });
  await withPath(folder, async () => {
    const error = await requireTools(artifactList({ kubernetes: "1.36" })).catch(String);
    expect(error).toContain("building kubernetes: the Go on PATH is go1.20.1, 1.26 is needed");
  });
});

async function withPath(path: string, action: () => Promise<void>): Promise<void> {
  const before = process.env.PATH;
  process.env.PATH = path;
  try {
    await action();
  } finally {
    process.env.PATH = before;
  }
}

test("an abort ends the tries", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);
  await expect(retry(() => Promise.reject(new Error("down")), abort.signal)).rejects.toThrow("abort");
});
