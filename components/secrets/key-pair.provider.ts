import { createHash, generateKeyPairSync } from "node:crypto";
import ssh2 from "ssh2";
import type { ResourceType } from "../provider/resource.ts";

export interface KeyPairInputs {
  /** `ssh`: Ed25519 in OpenSSH form; `pem`: ECDSA P-256, PKCS#8 and SubjectPublicKeyInfo. */
  format: "ssh" | "pem";
  /** Written behind an SSH public key. @default none */
  comment?: string;
}

export interface KeyPairOutputs {
  privateKey: string;
  publicKey: string;
}

function generate({ format, comment }: KeyPairInputs): KeyPairOutputs {
  if (format === "ssh") {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    return { privateKey: pair.private, publicKey: pair.public };
  }
  const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return {
    privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/** A key pair made once and kept in the state. */
export const keyPair: ResourceType<KeyPairInputs, KeyPairOutputs> = {
  token: "spillway:secrets:KeyPair",
  computed: ["privateKey", "publicKey"],
  secret: ["privateKey"],
  async create(_context, inputs) {
    const outputs = generate(inputs);
    return { id: createHash("sha256").update(outputs.publicKey).digest("hex").slice(0, 16), outputs };
  },
  async delete() {},
};
