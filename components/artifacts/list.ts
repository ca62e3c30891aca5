import { DEFAULT_POLICIES, type NetworkMode, type Policies } from "../model/network.ts";
import { type Problem, refuse } from "../model/problem.ts";

/** A processor architecture in Go's and OCI's words. */
export type Architecture = "amd64" | "arm64";

/** What a platform is made of; decides which artifacts it needs. */
export interface ArtifactRequest {
  /** Kubernetes version: a supported minor such as `1.36`, or its patch such as `1.36.3`. */
  kubernetes: string;
  /** How containers talk. @default bridge */
  network?: NetworkMode;
  /** Enforced ones add Cilium; without them `overlay` adds flanneld. @default as a cluster's network */
  policies?: Policies;
  /** Architecture of the hosts. @default amd64 */
  architecture?: Architecture;
  /** The sample workload `hello` alone, which nobody publishes, in the place of a platform's parts. @default false */
  sample?: boolean;
}

/** Versions that were run together. */
export interface Versions {
  kubernetes: string;
  etcd: string;
  coredns: string;
  /** The one that kubeadm of this version pulls; it cannot be told another. */
  pause: string;
  flannel: string;
  cilium: string;
  multus: string;
  whereabouts: string;
  /** The sample workload of this library. */
  hello: string;
}

/** What is supported, by Kubernetes minor. */
export const supportedVersions: Readonly<Record<string, Versions>> = {
  "1.36": {
    kubernetes: "1.36.3",
    etcd: "3.6.16",
    coredns: "1.12.4",
    pause: "3.10.2",
    flannel: "0.26.7",
    cilium: "1.18.2",
    multus: "4.2.2",
    whereabouts: "0.9.2",
    hello: "1.0.0",
  },
};

/** Something that hosts get as one file: a program, or an archive of sources that are compiled there. */
export interface BinaryArtifact {
  name: string;
  version: string;
  /** Where its makers publish it. @default in an image only */
  url?: string;
  /** Where in an image its makers publish it. @default not in one */
  inside?: ImagePath;
  /** Where its makers publish its SHA-256. @default they publish none */
  checksumUrl?: string;
  /** Path below a mirror's folder; `.sha256` beside it holds the checksum. */
  mirrorPath: string;
}

/** A file in an image, or a folder, of which a `.tar.gz` is made. */
export interface ImagePath {
  /** Reference at its makers' registry. */
  image: string;
  /** Absolute path inside. */
  path: string;
}

/** A container image. */
export interface ImageArtifact {
  name: string;
  /** Repository in the platform's own registry, as kubeadm expects it below `imageRepository`. */
  repository: string;
  tag: string;
  /** Reference at its makers' registry. @default none: it is this library's own, and always built */
  upstream?: string;
  /** Programs that a built image holds. */
  binaries: string[];
  /** Folder of the programs in a built image. */
  folder: string;
  entrypoint: string[];
  /** Numeric `uid:gid` that a built image runs as. */
  user: string;
  /** Debian packages whose files a built image holds besides. @default none */
  packages?: string[];
}

/** All that a platform needs, computed without asking anybody. */
export interface ArtifactList {
  versions: Versions;
  architecture: Architecture;
  binaries: BinaryArtifact[];
  /** Debian packages on hosts. */
  packages: string[];
  images: ImageArtifact[];
}

/** Where makers publish; each may be pointed elsewhere, such as at a caching proxy. */
export interface UpstreamHosts {
  /** @default https://dl.k8s.io */
  kubernetes: string;
  /** @default https://github.com/flannel-io/flannel/releases/download */
  flannel: string;
  /** Registry of Kubernetes. @default registry.k8s.io */
  images: string;
  /** @default gcr.io/etcd-development/etcd */
  etcd: string;
  /** @default docker.io/coredns/coredns */
  coredns: string;
  /** Registry and path of Cilium's images, which hold its programs. @default quay.io/cilium */
  cilium: string;
  /** Registry and path of the images of Multus and whereabouts, which hold their programs. @default ghcr.io/k8snetworkplumbingwg */
  networkPlumbing: string;
}

/** The makers' own hosts. */
export const upstreamHosts: Readonly<UpstreamHosts> = {
  kubernetes: "https://dl.k8s.io",
  flannel: "https://github.com/flannel-io/flannel/releases/download",
  images: "registry.k8s.io",
  etcd: "gcr.io/etcd-development/etcd",
  coredns: "docker.io/coredns/coredns",
  cilium: "quay.io/cilium",
  networkPlumbing: "ghcr.io/k8snetworkplumbingwg",
};

/** Debian packages that every Kubernetes host needs. */
const hostPackages = [
  "conntrack",
  "containerd",
  "containernetworking-plugins",
  "ethtool",
  "iptables",
  // By it the preflight of later runs looks at the paths between hosts.
  "iputils-ping",
  "kmod",
  "mount",
  "runc",
  "socat",
];

/** Debian packages of a host that serves the registry. */
export const registryPackages: readonly string[] = ["docker-registry"];

/** What `iptables` is made of, down to the C library. */
const iptablesPackages = [
  "iptables",
  "libc6",
  "libip4tc2",
  "libip6tc2",
  "libmnl0",
  "libnetfilter-conntrack3",
  "libnfnetlink0",
  "libnftnl11",
  "libxtables12",
];

/** What carries pods' packets, as far as artifacts go. */
interface Carrier {
  binaries: ((versions: Versions, architecture: Architecture, from: UpstreamHosts) => BinaryArtifact)[];
  packages: string[];
  /** Cilium does kube-proxy's work. */
  kubeProxy: boolean;
}

const HOST_ROUTES: Carrier = { binaries: [], packages: [], kubeProxy: true };
const FLANNEL: Carrier = { binaries: [flanneld], packages: [], kubeProxy: true };
const CILIUM: Carrier = {
  binaries: [
    ciliumFile("cilium-agent", "cilium", "/usr/bin/cilium-agent"),
    ciliumFile("cilium-bpf.tar.gz", "cilium", "/var/lib/cilium/bpf"),
    ciliumFile("cilium-cni", "cilium", "/opt/cni/bin/cilium-cni"),
    ciliumFile("cilium-operator", "operator-generic", "/usr/bin/cilium-operator-generic"),
  ],
  // Its agent compiles what it gives the kernel for each host.
  packages: ["clang-19"],
  kubeProxy: false,
};

/** Every pod of the cluster is on its network, and those that ask for it on the site's as well. */
const withSite = (carrier: Carrier): Carrier => ({
  ...carrier,
  binaries: [
    ...carrier.binaries,
    plumbing("multus", "multus-cni", "/usr/src/multus-cni/bin/multus"),
    plumbing("whereabouts", "whereabouts", "/whereabouts"),
  ],
});

const NOTHING: Carrier = { binaries: [], packages: [], kubeProxy: false };

const CARRIERS: Record<NetworkMode, Record<Policies, Carrier>> = {
  none: { enforced: NOTHING, unenforced: NOTHING },
  host: { enforced: HOST_ROUTES, unenforced: HOST_ROUTES },
  bridge: { enforced: CILIUM, unenforced: HOST_ROUTES },
  overlay: { enforced: CILIUM, unenforced: FLANNEL },
  underlay: { enforced: withSite(CILIUM), unenforced: withSite(HOST_ROUTES) },
};

/** Versions for a request, or `undefined` when it is not supported. */
export function versionsFor(kubernetes: string): Versions | undefined {
  const minor = /^v?(\d+\.\d+)(\.\d+)?$/.exec(kubernetes)?.[1] ?? "";
  const versions = Object.hasOwn(supportedVersions, minor) ? supportedVersions[minor] : undefined;
  const wanted = kubernetes.replace(/^v/, "");
  return wanted === minor || wanted === versions?.kubernetes ? versions : undefined;
}

/** Everything wrong with a request. */
export function requestProblems(request: Partial<ArtifactRequest>): Problem[] {
  const problems: Problem[] = [];
  const { kubernetes, network = "bridge", policies = DEFAULT_POLICIES, architecture = "amd64" } = request;
  if (typeof kubernetes !== "string" || versionsFor(kubernetes) === undefined) {
    const supported = Object.entries(supportedVersions).map(
      ([minor, { kubernetes }]) => `${minor} (${kubernetes})`,
    );
    problems.push({
      path: "kubernetes",
      found: `${JSON.stringify(kubernetes)} is not a supported version`,
      remedy: `give one of ${supported.join(", ")}`,
    });
  }
  if (!Object.hasOwn(CARRIERS, network)) {
    problems.push({
      path: "network",
      found: `${JSON.stringify(network)} is not a network that artifacts are known for`,
      remedy: `give one of ${Object.keys(CARRIERS).join(", ")}`,
    });
  }
  if (!["enforced", "unenforced"].includes(policies)) {
    problems.push({
      path: "policies",
      found: `${JSON.stringify(policies)} is neither`,
      remedy: "give enforced or unenforced",
    });
  }
  if (!["amd64", "arm64"].includes(architecture)) {
    problems.push({
      path: "architecture",
      found: `${JSON.stringify(architecture)} is not a supported architecture`,
      remedy: "give amd64 or arm64",
    });
  }
  return problems;
}

/**
 * The artifacts of a platform: pure, so it can be printed, mirrored and reviewed before any `up`.
 *
 * @throws Refusal that names every problem of the request.
 */
export function artifactList(request: ArtifactRequest, hosts: Partial<UpstreamHosts> = {}): ArtifactList {
  refuse("artifacts", requestProblems(request));
  const versions = versionsFor(request.kubernetes)!;
  const architecture = request.architecture ?? "amd64";
  const from = { ...upstreamHosts, ...hosts };
  if (request.sample)
    return { versions, architecture, binaries: [], packages: [], images: [sample(versions)] };
  const binaries = ["kubeadm", "kubectl", "kubelet"].map((name) =>
    kubernetesBinary(name, versions, architecture, from),
  );
  const carrier = CARRIERS[request.network ?? "bridge"]![request.policies ?? DEFAULT_POLICIES];
  binaries.push(...carrier.binaries.map((binary) => binary(versions, architecture, from)));
  return {
    versions,
    architecture,
    binaries,
    packages: [...hostPackages, ...carrier.packages],
    images: images(versions, from).filter(({ name }) => name !== "kube-proxy" || carrier.kubeProxy),
  };
}

function kubernetesBinary(
  name: string,
  versions: Versions,
  architecture: Architecture,
  from: UpstreamHosts,
): BinaryArtifact {
  const version = versions.kubernetes;
  const url = `${from.kubernetes}/release/v${version}/bin/linux/${architecture}/${name}`;
  return {
    name,
    version,
    url,
    checksumUrl: `${url}.sha256`,
    mirrorPath: `kubernetes/v${version}/linux/${architecture}/${name}`,
  };
}

function flanneld(versions: Versions, architecture: Architecture, from: UpstreamHosts): BinaryArtifact {
  const version = versions.flannel;
  return {
    name: "flanneld",
    version,
    url: `${from.flannel}/v${version}/flanneld-${architecture}`,
    mirrorPath: `flannel/v${version}/linux/${architecture}/flanneld`,
  };
}

function ciliumFile(name: string, image: string, path: string): Carrier["binaries"][number] {
  return ({ cilium: version }, architecture, { cilium }) => ({
    name,
    version,
    inside: { image: `${cilium}/${image}:v${version}`, path },
    mirrorPath: `cilium/v${version}/linux/${architecture}/${name}`,
  });
}

function plumbing(name: "multus" | "whereabouts", image: string, path: string): Carrier["binaries"][number] {
  return (versions, architecture, { networkPlumbing }) => ({
    name,
    version: versions[name],
    inside: { image: `${networkPlumbing}/${image}:v${versions[name]}`, path },
    mirrorPath: `${name}/v${versions[name]}/linux/${architecture}/${name}`,
  });
}

function images(versions: Versions, from: UpstreamHosts): ImageArtifact[] {
  const root = { folder: "/usr/local/bin", user: "0:0" };
  const kubernetes = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"].map(
    (name) => ({
      ...root,
      name,
      repository: name,
      tag: `v${versions.kubernetes}`,
      upstream: `${from.images}/${name}:v${versions.kubernetes}`,
      binaries: [name],
      entrypoint: [`/usr/local/bin/${name}`],
      ...(name === "kube-proxy" && { packages: iptablesPackages }),
    }),
  );
  return [
    ...kubernetes,
    {
      ...root,
      name: "etcd",
      repository: "etcd",
      tag: `${versions.etcd}-0`,
      upstream: `${from.etcd}:v${versions.etcd}`,
      binaries: ["etcd", "etcdctl"],
      entrypoint: ["/usr/local/bin/etcd"],
    },
    {
      // Root with NET_BIND_SERVICE alone, as kubeadm's manifest asks: containerd before 2.0 lets
      // no other user listen on port 53, and `allowPrivilegeEscalation: false` voids file capabilities.
      ...root,
      name: "coredns",
      repository: "coredns",
      tag: `v${versions.coredns}`,
      upstream: `${from.coredns}:${versions.coredns}`,
      binaries: ["coredns"],
      entrypoint: ["/usr/local/bin/coredns"],
    },
    {
      name: "pause",
      repository: "pause",
      tag: versions.pause,
      upstream: `${from.images}/pause:${versions.pause}`,
      binaries: ["pause"],
      folder: "/",
      entrypoint: ["/pause"],
      user: "65535:65535",
    },
  ];
}

/** Name of the sample workload's image. */
export const SAMPLE = "hello";

const sample = ({ hello: tag }: Versions): ImageArtifact => ({
  name: SAMPLE,
  repository: SAMPLE,
  tag,
  binaries: ["hello"],
  folder: "/",
  entrypoint: ["/hello"],
  user: "65532:65532",
});
