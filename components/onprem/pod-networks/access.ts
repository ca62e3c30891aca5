import * as pulumi from "@pulumi/pulumi";
import { kubeconfig } from "../../render/kubeconfig.ts";
import type { Files, PodNetworkArgs } from "./pod-network.ts";

/** How a daemon of the network reaches the API: the kubeconfig of the user `spillway:NAME`, a certificate of its own. */
export function access(name: string, { cluster, identity, api }: PodNetworkArgs): Files[string] {
  const client = identity.client(name, `spillway:${name}`);
  const content = pulumi
    .all([identity.caCertificate, client.certificate, pulumi.secret(client.privateKey)])
    .apply(([caCertificate, certificate, privateKey]) =>
      kubeconfig({ cluster, server: api, caCertificate, user: name, certificate, privateKey }),
    );
  return { content, mode: "0600" };
}
