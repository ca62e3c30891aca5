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

/** Of those that ssh2 1.17 makes one in 256 begins with a zero that it leaves out, and is read by nobody. */
function readablePair(comment: string | undefined): KeyPairOutputs {
  for (;;) {
    const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    const readable = [privateKey, publicKey].every((key) => !(ssh2.utils.parseKey(key) instanceof Error));
    if (readable) return { privateKey, publicKey };
  }
}

function generate({ format, comment }: KeyPairInputs): KeyPairOutputs {
  if (format === "ssh") return readablePair(comment);
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
