import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CacheEntry, entryName, sha256Of } from "../local/cache.ts";
import * as local from "../local/go.ts";
import { output, run } from "../local/run.ts";
import { cached, findEntry } from "./cache.ts";
import type { Architecture, Versions } from "./list.ts";
import { packFolder } from "./pack-folder.ts";
import { timed, type Work } from "./work.ts";

/** Programs that one Go module, pinned by its go.sum, builds. */
export interface GoModule {
  /** Folder below `modules/`. */
  name: string;
  version: string;
  /** Go package of each program; built in one go. */
  programs: Record<string, string>;
  ldflags: string;
  /** Needs a C compiler. @default false */
  cgo?: boolean;
  /** Build tags. @default none */
  tags?: string[];
  /** Patterns of packages that are descriptions of web services alone. @default none */
  services?: string[];
  /** Archives of the module's own folders, such as sources that are compiled on hosts. @default none */
  folders?: Record<string, ModuleFolder>;
}

/** A folder in the source of a module, packed as a `.tar.gz`. */
export interface ModuleFolder {
  /** Path of the module that it is in. */
  module: string;
  folder: string;
  /** Folders in it that are left out. */
  without: string[];
}

/** The same from `components/artifacts/` and from `dist/chunks/`; the package ships the folder. */
const modulesFolder = fileURLToPath(new URL("../../components/artifacts/modules/", import.meta.url));

const kubernetesPrograms = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubeadm",
  "kubectl",
  "kubelet",
];

/** The modules that build what a platform of these versions runs. */
export function goModules(versions: Versions): GoModule[] {
  const stripped = "-s -w";
  return [
    {
      name: "kubernetes",
      version: versions.kubernetes,
      programs: Object.fromEntries(kubernetesPrograms.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
      ldflags: `${stripped} ${kubernetesStamp(versions.kubernetes)}`,
    },
    {
      name: "etcd",
      version: versions.etcd,
      programs: { etcd: "go.etcd.io/etcd/server/v3", etcdctl: "go.etcd.io/etcd/etcdctl/v3" },
      ldflags: stripped,
    },
    {
      name: "coredns",
      version: versions.coredns,
      programs: { coredns: "." },
      ldflags: `${stripped} -X github.com/coredns/coredns/coremain.GitCommit=built`,
    },
    {
      name: "flannel",
      version: versions.flannel,
      programs: { flanneld: "github.com/flannel-io/flannel" },
      ldflags: `${stripped} -X github.com/flannel-io/flannel/pkg/version.Version=v${versions.flannel}`,
      cgo: true,
    },
    {
      name: "cilium",
      version: versions.cilium,
      programs: {
        "cilium-agent": "github.com/cilium/cilium/daemon",
        "cilium-cni": "github.com/cilium/cilium/plugins/cilium-cni",
        "cilium-operator": "github.com/cilium/cilium/operator",
      },
      // Without a cloud's: addresses of pods come from Kubernetes.
      tags: ["ipam_provider_operator"],
      // For policies that name groups of machines at AWS.
      services: ["github.com/aws/aws-sdk-go-v2/service/..."],
      ldflags: `${stripped} -X 'github.com/cilium/cilium/pkg/version.ciliumVersion=${versions.cilium} built 1970-01-01T00:00:00Z'`,
      folders: {
        "cilium-bpf.tar.gz": { module: "github.com/cilium/cilium", folder: "bpf", without: ["tests"] },
      },
    },
    {
      name: "multus",
      version: versions.multus,
      programs: { multus: "gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus" },
      ldflags: `${stripped} -X gopkg.in/k8snetworkplumbingwg/multus-cni.v4/pkg/multus.version=v${versions.multus}`,
    },
    {
      name: "whereabouts",
      version: versions.whereabouts,
      programs: { whereabouts: "github.com/k8snetworkplumbingwg/whereabouts/cmd" },
      ldflags: `${stripped} -X github.com/k8snetworkplumbingwg/whereabouts/pkg/version.Version=v${versions.whereabouts}`,
    },
    { name: "pause", version: versions.pause, programs: { pause: "." }, ldflags: stripped },
    { name: "hello", version: versions.hello, programs: { hello: "." }, ldflags: stripped },
  ];
}

/** Kubernetes' programs refuse to work together, or at all, without a version. */
function kubernetesStamp(version: string): string {
  const [major, minor] = version.split(".");
  const stamp = {
    gitVersion: `v${version}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: "clean",
    gitCommit: "0".repeat(40),
    buildDate: "1970-01-01T00:00:00Z",
  };
  return Object.entries(stamp)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(" ");
}

/** Name of a module's entry in the cache. Go's own version is left out: an old build stays good. */
export async function goEntryName(module: GoModule, architecture: Architecture): Promise<string> {
  return entryName(module.name, module.version, [
    await moduleFiles(module),
    buildArguments(module),
    architecture,
    ...(module.folders ? [module.folders] : []),
  ]);
}

/** The module's programs as the cache has them, without building. */
export async function findBuild(
  module: GoModule,
  architecture: Architecture,
): Promise<CacheEntry | undefined> {
  return findEntry(await goEntryName(module, architecture));
}

/**
 * The module's programs, built when the cache has them not.
 *
 * @throws Error when Go is missing or too old, the module proxy does not answer, or the build fails.
 */
export async function goBuild(module: GoModule, architecture: Architecture, work: Work): Promise<CacheEntry> {
  return cached(await goEntryName(module, architecture), work, async (folder) => {
    const cwd = join(modulesFolder, module.name);
    await requireGo(module);
    const names = productsOf(module).join(", ");
    // Within the draft, so that a build that is cut leaves nothing elsewhere.
    const scratch = join(folder, "scratch");
    await mkdir(scratch);
    const step = `building ${module.name} ${module.version} with Go: ${names}`;
    await timed(work, step, async (detail) => {
      for (const { output, packages } of invocations(module)) {
        const flags = buildArguments(module);
        await run(["go", "build", "-v", ...flags, "-o", join(folder, output), ...packages], {
          cwd,
          env: { ...goEnvironment(module, architecture), GOTMPDIR: scratch },
          signal: work.signal,
          onLine: detail,
          timeoutSeconds: 0,
        });
      }
      for (const [archive, { module: path, folder: part, without }] of Object.entries(module.folders ?? {})) {
        const source = join(await sourceOf(path, module, architecture), part);
        await packFolder(source, join(folder, archive), without, work);
      }
    });
    await rm(scratch, { recursive: true });
  });
}

/** Fetches what the module is built from into Go's own cache. */
export async function fetchSources(
  module: GoModule,
  architecture: Architecture,
  signal: AbortSignal,
): Promise<void> {
  await run(["go", "list", "-deps", ...tagsOf(module), ...Object.values(module.programs)], {
    cwd: join(modulesFolder, module.name),
    env: goEnvironment(module, architecture),
    signal,
    timeoutSeconds: 0,
  });
}

/** Names of all that a module gives: programs and archives. */
export function productsOf({ programs, folders = {} }: GoModule): string[] {
  return [...Object.keys(programs), ...Object.keys(folders)];
}

/** Where the source of a module, or of one that it needs, lies here. */
async function sourceOf(path: string, module: GoModule, architecture: Architecture): Promise<string> {
  const cwd = join(modulesFolder, module.name);
  const env = goEnvironment(module, architecture);
  return output(["go", "list", "-m", "-f", "{{.Dir}}", path], { cwd, env });
}

/** `-o folder/` names a program after its package; where that is not its name, it is built by itself. */
function invocations(module: GoModule): { output: string; packages: string[] }[] {
  const programs = Object.entries(module.programs);
  if (programs.every(([name, path]) => path.endsWith(`/${name}`))) {
    return [{ output: "/", packages: Object.values(module.programs) }];
  }
  return programs.map(([name, path]) => ({ output: name, packages: [path] }));
}

/** `-buildvcs=false`: the commit of the repository around the module is no part of the program. */
function buildArguments(module: GoModule): string[] {
  const compiled = [local.withoutDebugInformation, ...(module.services ?? []).map(local.neverInlined)];
  return ["-trimpath", "-buildvcs=false", ...compiled, ...tagsOf(module), "-ldflags", module.ldflags];
}

const tagsOf = ({ tags }: GoModule): string[] => (tags ? ["-tags", tags.join(",")] : []);

function goEnvironment(module: GoModule, architecture: Architecture): Record<string, string> {
  return {
    ...closed,
    CGO_ENABLED: module.cgo ? "1" : "0",
    GOOS: "linux",
    GOARCH: architecture,
    GOFLAGS: "-mod=readonly",
  };
}

/** A closed network has no other Go to fetch. */
const closed = { ...local.goEnvironment, GOTOOLCHAIN: "local" };

/** @throws Error that says what to install, when Go or the C compiler cannot build the module. */
export async function requireGo(module: GoModule): Promise<void> {
  await local.requireGo({
    module: join(modulesFolder, module.name),
    what: module.name,
    otherwise: 'or choose the source "upstream" or "mirror"',
    env: closed,
  });
  if (module.cgo) {
    await run(["gcc", "--version"], {
      missing: `${module.name} needs a C compiler: apt-get install gcc libc6-dev`,
    });
  }
}

async function moduleFiles(module: GoModule): Promise<Record<string, string>> {
  const folder = join(modulesFolder, module.name);
  const files: Record<string, string> = {};
  for (const name of (await readdir(folder)).sort()) files[name] = await sha256Of(join(folder, name));
  return files;
}
