import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { artifacts } from "../../components/artifacts/artifacts.provider.ts";
import { describeList } from "../../components/artifacts/describe.ts";
import { parseChecksum } from "../../components/artifacts/download.ts";
import { goEntryName, goModules, productsOf } from "../../components/artifacts/go.ts";
import { type ImageInputs, image } from "../../components/artifacts/image.provider.ts";
import { artifactList, supportedVersions, versionsFor } from "../../components/artifacts/list.ts";
import { describeMirror } from "../../components/artifacts/mirror.ts";
import { manifestDigestFor } from "../../components/artifacts/skopeo.ts";
import type { NetworkMode, Policies } from "../../components/model/network.ts";
import type { Context } from "../../components/provider/resource.ts";
import { GIVE_UP } from "../../components/ssh/unreachable.ts";

const minors = Object.keys(supportedVersions);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

test("a minor and its supported patch name the same versions", () => {
  expect(versionsFor("1.36")).toBe(versionsFor("1.36.3"));
  expect(versionsFor("v1.36.3")).toBe(versionsFor("1.36.3"));
});

test("any other version is refused with what is supported, hostile ones included", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.constantFrom("1.35", "1.36.4", "constructor", "../1.36")),
      (text) => {
        fc.pre(!["1.36", "1.36.3", "v1.36", "v1.36.3"].includes(text));
        expect(() => artifactList({ kubernetes: text })).toThrow("give one of 1.36 (1.36.3)");
      },
    ),
  );
});

test("every problem of a request is named at once", () => {
  const request = { kubernetes: "1.2", network: "tunnel", policies: "x", architecture: "mips" } as never;
  expect(artifacts.check!(request, new Set()).map(({ path }) => path)).toEqual([
    "kubernetes",
    "network",
    "policies",
    "architecture",
  ]);
  expect(artifacts.check!({}, new Set(["kubernetes"]))).toEqual([]);
});

test("a mirror's addresses are checked", () => {
  const source = { kind: "mirror", files: "ftp://x", images: "https://x/y" } as const;
  const problems = artifacts.check!({ kubernetes: "1.36", source }, new Set());
  expect(problems.map(({ path }) => path)).toEqual(["source.files", "source.images"]);
  const good = { kind: "mirror", files: "https://m.example/f", images: "m.example:5000/p" } as const;
  expect(artifacts.check!({ kubernetes: "1.36", source: good }, new Set())).toEqual([]);
});

test("binaries have their makers' addresses, and overlay without policies adds flanneld", () => {
  const policies = "unenforced";
  const bridge = artifactList({ kubernetes: "1.36", network: "bridge", policies });
  const overlay = artifactList({ kubernetes: "1.36", network: "overlay", policies, architecture: "arm64" });
  expect(bridge.binaries.map(({ name }) => name)).toEqual(["kubeadm", "kubectl", "kubelet"]);
  expect(bridge.binaries[0]).toMatchObject({
    url: "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm",
    checksumUrl: "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm.sha256",
  });
  expect(overlay.binaries.at(-1)?.url).toBe(
    "https://github.com/flannel-io/flannel/releases/download/v0.26.7/flanneld-arm64",
  );
});

test("enforced policies add Cilium, from its makers' images, and a compiler, and take kube-proxy away", () => {
  const list = artifactList({ kubernetes: "1.36", network: "overlay", policies: "enforced" });
  const added = list.binaries.slice(3);
  expect(added.map(({ name, inside }) => [name, inside])).toEqual([
    ["cilium-agent", { image: "quay.io/cilium/cilium:v1.18.2", path: "/usr/bin/cilium-agent" }],
    ["cilium-bpf.tar.gz", { image: "quay.io/cilium/cilium:v1.18.2", path: "/var/lib/cilium/bpf" }],
    ["cilium-cni", { image: "quay.io/cilium/cilium:v1.18.2", path: "/opt/cni/bin/cilium-cni" }],
    [
      "cilium-operator",
      { image: "quay.io/cilium/operator-generic:v1.18.2", path: "/usr/bin/cilium-operator-generic" },
    ],
  ]);
  expect(list.packages).toContain("clang-19");
  expect(list.images.map(({ name }) => name)).not.toContain("kube-proxy");
  expect(describeList(list)).toContain(
    "cilium-cni 1.18.2  /opt/cni/bin/cilium-cni in quay.io/cilium/cilium:v1.18.2",
  );
});

test("underlay adds Multus and whereabouts to what carries the cluster's own network; without one nothing is added", () => {
  const names = (network: NetworkMode, policies: Policies) =>
    artifactList({ kubernetes: "1.36", network, policies })
      .binaries.slice(3)
      .map(({ name }) => name);
  expect(names("underlay", "unenforced")).toEqual(["multus", "whereabouts"]);
  expect(names("underlay", "enforced")).toEqual([...names("bridge", "enforced"), "multus", "whereabouts"]);
  expect([...names("none", "enforced"), ...names("host", "enforced")]).toEqual([]);
});

test("images have the names that kubeadm looks for below its image repository", () => {
  const { images } = artifactList({ kubernetes: "1.36", policies: "unenforced" });
  expect(images.map(({ repository, tag }) => `${repository}:${tag}`)).toEqual([
    "kube-apiserver:v1.36.3",
    "kube-controller-manager:v1.36.3",
    "kube-scheduler:v1.36.3",
    "kube-proxy:v1.36.3",
    "etcd:3.6.16-0",
    "coredns:v1.12.4",
    "pause:3.10.2",
  ]);
});

test("the sample runs without root", () => {
  const { images } = artifactList({ kubernetes: "1.36", sample: true });
  expect(images.map(({ name, user }) => [name, user])).toEqual([["hello", "65532:65532"]]);
});

test("another upstream host replaces the makers' own everywhere", () => {
  const list = artifactList(
    { kubernetes: "1.36" },
    { kubernetes: "https://proxy.example/k", images: "proxy.example/i" },
  );
  expect(list.binaries[0]?.url).toBe("https://proxy.example/k/release/v1.36.3/bin/linux/amd64/kubeadm");
  expect(list.images[0]?.upstream).toBe("proxy.example/i/kube-apiserver:v1.36.3");
});

test("the printed list has a line for each artifact", () => {
  const list = artifactList({ kubernetes: "1.36", network: "overlay" });
  const lines = describeList(list).split("\n");
  expect(lines).toHaveLength(1 + list.binaries.length + list.packages.length + list.images.length);
  const own = describeList(artifactList({ kubernetes: "1.36", sample: true })).split("\n");
  expect(own.slice(1)).toEqual(["image    hello:1.0.0  built from this package"]);
});

test("the printed list has the digests that are known, and where the source has each artifact", () => {
  const list = artifactList({ kubernetes: "1.36", policies: "unenforced" });
  const known = { binaries: { kubelet: "sha256:b1" }, images: { etcd: "sha256:1a" } };
  const of = (origin: "built" | "mirror" | "upstream") =>
    describeList(list, { origin, ...known })
      .split("\n")
      .filter((line) => / kube(let|adm) | etcd:/.test(line));
  expect(of("built")).toEqual([
    "binary   kubeadm 1.36.3  built on this computer  digest not known before it is obtained",
    "binary   kubelet 1.36.3  built on this computer  sha256:b1",
    "image    etcd:3.6.16-0  built on this computer  sha256:1a",
  ]);
  expect(of("upstream")[1]).toBe(
    "binary   kubelet 1.36.3  https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet  sha256:b1",
  );
  expect(of("mirror").slice(1)).toEqual([
    "binary   kubelet 1.36.3  kubernetes/v1.36.3/linux/amd64/kubelet in the mirror  sha256:b1",
    "image    etcd:3.6.16-0  etcd:3.6.16-0 in the mirror  sha256:1a",
  ]);
});

test("a mirror is described by every address it must serve", () => {
  const list = artifactList({ kubernetes: "1.36", network: "overlay", policies: "unenforced" });
  const { files, images } = describeMirror(list, {
    kind: "mirror",
    files: "https://m.example/files/",
    images: "m.example:5000/platform",
  });
  expect(files).toContain("https://m.example/files/kubernetes/v1.36.3/linux/amd64/kubelet");
  expect(files).toContain("https://m.example/files/flannel/v0.26.7/linux/amd64/flanneld");
  expect(images).toContain("m.example:5000/platform/etcd:3.6.16-0");
});

test.each(minors)(
  "every program of Kubernetes %s is built by a module that pins the same version",
  (minor) => {
    const lists = (["enforced", "unenforced"] as const).map((policies) =>
      artifactList({ kubernetes: minor, network: "overlay", policies }),
    );
    lists.push(artifactList({ kubernetes: minor, network: "underlay" }));
    lists.push(artifactList({ kubernetes: minor, sample: true }));
    const modules = goModules(lists[0]!.versions);
    const built = modules.flatMap(productsOf);
    const wanted = lists.flatMap(({ binaries, images }) => [
      ...binaries.map(({ name }) => name),
      ...images.flatMap(({ binaries }) => binaries),
    ]);
    expect(wanted.filter((name) => !built.includes(name))).toEqual([]);
    for (const { name, version, programs } of modules) {
      const paths = Object.values(programs).filter((path) => path !== ".");
      const pins = readFileSync(
        new URL(`../../components/artifacts/modules/${name}/go.mod`, import.meta.url),
        "utf8",
      );
      for (const path of paths) {
        const module =
          /^(k8s\.io\/kubernetes|github\.com\/(cilium\/cilium|k8snetworkplumbingwg\/whereabouts)|gopkg\.in\/.*\/multus-cni\.v4)/.exec(
            path,
          )?.[0] ?? path;
        expect(pins).toContain(`${module} v${version}`);
      }
    }
  },
);

test("a build is named after its flags and architecture", async () => {
  const [kubernetes] = goModules(versionsFor("1.36")!);
  const name = await goEntryName(kubernetes!, "amd64");
  expect(name).toMatch(/^kubernetes-1\.36\.3-[0-9a-f]{16}$/);
  expect(await goEntryName(kubernetes!, "arm64")).not.toBe(name);
  expect(await goEntryName({ ...kubernetes!, ldflags: "-s" }, "amd64")).not.toBe(name);
});

test("a checksum is read alone and as sha256sum writes it", () => {
  const sum = "ab".repeat(32);
  expect(parseChecksum(`${sum}\n`)).toBe(sum);
  expect(parseChecksum(`${sum.toUpperCase()}  kubeadm\n`)).toBe(sum);
  expect(parseChecksum("<html>not found</html>")).toBeUndefined();
  expect(parseChecksum(`${sum}00`)).toBeUndefined();
});

test("of a list of images the one for the architecture is pinned", () => {
  const list = {
    manifests: ["arm64", "amd64"].map((architecture, i) => entry(architecture, digest(`${i}`))),
  };
  expect(manifestDigestFor(Buffer.from(JSON.stringify(list)), "r", "amd64")).toBe(digest("1"));
  const single = Buffer.from('{"layers":[]}');
  const own = `sha256:${createHash("sha256").update(single).digest("hex")}`;
  expect(manifestDigestFor(single, "r", "amd64")).toBe(own);
  const arm = Buffer.from(JSON.stringify({ manifests: [entry("arm64", digest("0"))] }));
  expect(() => manifestDigestFor(arm, "r/x:1", "amd64")).toThrow("r/x:1: has no image for linux/amd64");
});

function entry(architecture: string, digest: string) {
  return { digest, platform: { os: "linux", architecture } };
}

const pushed: ImageInputs = {
  registry: "r.example:5000",
  repository: "hello",
  tag: "1",
  digest: digest("a"),
  source: { layout: "/x" },
  caCertificate: "pem",
  username: "u",
  password: "p",
};

test("an image is replaced when its bytes or place change, and only retagged when its tag does", () => {
  const old = { id: "x", inputs: pushed, outputs: { reference: "" } };
  const diff = (change: Partial<ImageInputs>) => image.diff!(old, { ...pushed, ...change });
  expect(diff({})).toMatchObject({ paths: [], replace: [] });
  expect(diff({ source: { layout: "/elsewhere" } }).paths).toEqual([]);
  expect(diff({ tag: "2", password: "q" })).toMatchObject({ paths: ["tag", "password"], replace: [] });
  expect(diff({ digest: digest("b") })).toMatchObject({ replace: ["digest"], deleteBeforeReplace: false });
});

test("an image whose registry is gone is given up by the word alone, and the error names it", async () => {
  const warned: string[] = [];
  const context = { warn: (text: string) => void warned.push(text) } as unknown as Context;
  const old = { id: "x", inputs: { ...pushed, registry: "127.0.0.1:1" }, outputs: { reference: "" } };
  await expect(image.delete(context, old)).rejects.toThrow(GIVE_UP);
  vi.stubEnv(...(GIVE_UP.split("=") as [string, string]));
  try {
    await image.delete(context, old);
  } finally {
    vi.unstubAllEnvs();
  }
  expect(warned.join()).toContain("given up with its registry");
}, 30_000);

test("the password of a mirror's address is in no problem", () => {
  const source = { kind: "mirror", files: "ftp://user:canary@mirror/files", images: "m:5000/p" } as const;
  const problems = artifacts.check!({ kubernetes: "1.36", source }, new Set());
  expect(problems.map(({ path }) => path)).toEqual(["source.files"]);
  expect(JSON.stringify(problems)).not.toContain("canary");
});

test("hostile names of images are refused", () => {
  const hostile = ["$(touch /tmp/x)", "a b", "-o", "../up", "a\nb", "", "x".repeat(1_000_000)];
  for (const text of hostile) {
    const inputs = { ...pushed, registry: `${text}/`, repository: `${text}/`, tag: `${text}/`, digest: text };
    const paths = image.check!(inputs, new Set()).map(({ path }) => path);
    expect(paths).toEqual(["registry", "repository", "tag", "digest"]);
  }
  expect(image.check!(pushed, new Set())).toEqual([]);
  expect(image.check!({}, new Set(["registry", "repository", "tag", "digest"]))).toEqual([]);
});
