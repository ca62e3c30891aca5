import * as pulumi from "@pulumi/pulumi";
import { Authority, Certificate, KeyPair, Password } from "../secrets/resources.ts";

/**
 * Authorities and keys of a cluster. They live in the state, not on a first host: any member may go,
 * and a new one gets the same.
 */
export class ClusterIdentity extends pulumi.ComponentResource {
  /** Known by no other cluster. */
  readonly id: pulumi.Output<string>;
  /** PEM of the authority that nodes and clients trust. */
  readonly caCertificate: pulumi.Output<string>;
  /** `sha256:...` of its public key. */
  readonly caHash: pulumi.Output<string>;
  /** RFC 3339. */
  readonly caExpiry: pulumi.Output<string>;
  /** Key by which secrets are encrypted in etcd; secret. */
  readonly encryptionKey: pulumi.Output<string>;
  /** What each member of the control plane gets; secret. */
  readonly keys;
  readonly #name: string;
  readonly #authority: Authority;

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("spillway:onprem:ClusterIdentity", name, {}, opts);
    this.#name = name;
    const authority = this.#newAuthority("kubernetes");
    const etcd = this.#newAuthority("etcd");
    const frontProxy = this.#newAuthority("front-proxy");
    const signer = new KeyPair(`${name}-service-accounts`, { format: "pem" }, { parent: this });
    const encryption = new Password(
      `${name}-encryption`,
      { bytes: 32, encoding: "base64" },
      { parent: this },
    );
    this.#authority = authority;
    this.id = authority.publicKeyHash;
    this.caCertificate = authority.certificate;
    this.caHash = authority.publicKeyHash;
    this.caExpiry = authority.notAfter;
    this.encryptionKey = encryption.value;
    this.keys = {
      caCertificate: authority.certificate,
      caKey: authority.privateKey,
      etcdCaCertificate: etcd.certificate,
      etcdCaKey: etcd.privateKey,
      frontProxyCaCertificate: frontProxy.certificate,
      frontProxyCaKey: frontProxy.privateKey,
      serviceAccountKey: signer.privateKey,
      serviceAccountPublicKey: signer.publicKey,
    };
    this.registerOutputs({});
  }

  /** Certificate of somebody who calls the API. */
  client(name: string, commonName: string, organization?: string): Certificate {
    return new Certificate(
      `${this.#name}-${name}`,
      { authority: this.#authority, commonName, organization, usages: ["client"] },
      { parent: this },
    );
  }

  #newAuthority(role: string): Authority {
    const inputs = { commonName: `${this.#name} ${role}`, validityDays: 3650 };
    return new Authority(`${this.#name}-${role}-authority`, inputs, { parent: this });
  }
}
