import { stringify } from "yaml";

/** Who reaches which cluster how. */
export interface KubeconfigSettings {
  cluster: string;
  /** `https://10.0.0.11:6443`. */
  server: string;
  /** Name in the API server's certificate, where it is not the address. @default the address */
  tlsServerName?: string;
  caCertificate: string;
  user: string;
  certificate: string;
  privateKey: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A kubeconfig with one context; holds a secret. */
export function kubeconfig(settings: KubeconfigSettings): string {
  const { cluster, user, server, tlsServerName } = settings;
  const context = `${user}@${cluster}`;
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: cluster,
          cluster: {
            server,
            ...(tlsServerName ? { "tls-server-name": tlsServerName } : {}),
            "certificate-authority-data": base64(settings.caCertificate),
          },
        },
      ],
      users: [
        {
          name: user,
          user: {
            "client-certificate-data": base64(settings.certificate),
            "client-key-data": base64(settings.privateKey),
          },
        },
      ],
      contexts: [{ name: context, context: { cluster, user } }],
      "current-context": context,
    },
    { lineWidth: 0 },
  );
}
