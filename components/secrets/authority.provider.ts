import { X509Certificate } from "node:crypto";
import type { ResourceType } from "../provider/resource.ts";
import { notAfter, type Pair } from "./certificate.ts";

export interface AuthorityInputs {
  commonName: string;
  validityDays: number;
}

export interface AuthorityOutputs extends Pair {
  /** RFC 3339. */
  notAfter: string;
  /** SHA-256 of the public key, as `kubeadm join` pins it. */
  publicKeyHash: string;
}

/** A certificate authority, its key kept as a secret in the state. */
export const authority: ResourceType<AuthorityInputs, AuthorityOutputs> = {
  token: "spillway:secrets:Authority",
  computed: ["certificate", "privateKey", "notAfter", "publicKeyHash"],
  secret: ["privateKey"],
  async create(_context, { commonName, validityDays }) {
    // What issues takes a while to load, and a run that changes nothing waits for the plugin.
    const { newAuthority } = await import("./issue.ts");
    const pair = await newAuthority(commonName, validityDays);
    const parsed = new X509Certificate(pair.certificate);
    const outputs = {
      ...pair,
      notAfter: notAfter(pair.certificate),
      publicKeyHash: await publicKeyHash(parsed),
    };
    return { id: parsed.serialNumber.toLowerCase(), outputs };
  },
  async delete() {},
};

/** `sha256:<hex of the SubjectPublicKeyInfo's digest>`. */
async function publicKeyHash(certificate: X509Certificate): Promise<string> {
  const der = certificate.publicKey.export({ type: "spki", format: "der" });
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(der));
  return `sha256:${Buffer.from(digest).toString("hex")}`;
}
