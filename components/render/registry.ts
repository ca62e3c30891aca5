import { stringify } from "yaml";

/** Folder with a registry's configuration on its host. */
export const REGISTRY_FOLDER = "/etc/spillway/registry";

/** What the registry's configuration follows from. */
export interface RegistrySettings {
  /** `address:port` it listens on. */
  listen: string;
  /** Folder of the blobs. */
  storage: string;
}

/** `config.yml` of the CNCF distribution registry (docker-registry): TLS and a password for everything. */
export function registryConfig({ listen, storage }: RegistrySettings): string {
  return stringify({
    version: "0.1",
    log: { level: "warn", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: {
      addr: listen,
      tls: {
        certificate: `${REGISTRY_FOLDER}/tls.crt`,
        key: `${REGISTRY_FOLDER}/tls.key`,
        minimumtls: "tls1.2",
      },
      headers: { "X-Content-Type-Options": ["nosniff"] },
    },
    auth: { htpasswd: { realm: "spillway", path: `${REGISTRY_FOLDER}/htpasswd` } },
  });
}

/** Drop-in of the package's own unit: our configuration, started again when it dies. */
export const registryDropIn = `[Service]
ExecStart=
ExecStart=/usr/bin/docker-registry serve ${REGISTRY_FOLDER}/config.yml
Restart=always
RestartSec=2
`;
