/** What containerd's configuration follows from. */
export interface ContainerdSettings {
  /** Image of the pod's first container, by digest. */
  pauseImage: string;
  /** Folder of the CNI plugins. */
  cniPlugins: string;
  /** The host is itself a container. */
  container: boolean;
}

/**
 * `/etc/containerd/config.toml`, version 2: read by containerd 1.6 as well as 2.x.
 * On a host that is a container, cgroups are not systemd's to give, and the score that the
 * out-of-memory killer goes by may only be raised.
 */
export function containerdConfig({ pauseImage, cniPlugins, container }: ContainerdSettings): string {
  // Its own default for `opt` is a folder that it makes in /opt and that no package takes away.
  return `version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${JSON.stringify(pauseImage)}
  restrict_oom_score_adj = ${container}
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = ${JSON.stringify(cniPlugins)}
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = ${!container}
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
`;
}

/** How a node reaches a private registry. */
export interface RegistryAccess {
  /** `host:port`. */
  address: string;
  username: string;
  password: string;
}

/** `/etc/containerd/certs.d/<host:port>/hosts.toml`: private authority and credentials; holds a secret. */
export function hostsToml({ address, username, password }: RegistryAccess, caPath: string): string {
  const credentials = Buffer.from(`${username}:${password}`).toString("base64");
  return `server = "https://${address}"
[host."https://${address}"]
  capabilities = ["pull", "resolve"]
  ca = ${JSON.stringify(caPath)}
[host."https://${address}".header]
  authorization = "Basic ${credentials}"
`;
}
