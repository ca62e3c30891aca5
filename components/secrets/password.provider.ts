import { randomBytes } from "node:crypto";
import bcrypt from "bcryptjs";
import type { ResourceType } from "../provider/resource.ts";

export interface PasswordInputs {
  /** Random bytes in it. */
  bytes: number;
  /** How the bytes are written. */
  encoding: "base64" | "base64url" | "hex";
}

export interface PasswordOutputs {
  value: string;
  /** Its bcrypt hash, as htpasswd files want it; kept, since each hashing has another salt. */
  bcrypt: string;
}

/**
 * bcrypt's least. Its cost slows down guessing, and nobody guesses random bytes; a registry pays it with
 * every request.
 */
const rounds = 4;

/** A random value made once and kept in the state. */
export const password: ResourceType<PasswordInputs, PasswordOutputs> = {
  token: "spillway:secrets:Password",
  computed: ["value", "bcrypt"],
  secret: ["value", "bcrypt"],
  check({ bytes = 0 }, unknown) {
    if (unknown.has("bytes") || bytes >= 16) return [];
    return [{ path: "bytes", found: `${bytes}, which can be guessed`, remedy: "give at least 16" }];
  },
  async create(_context, { bytes, encoding }) {
    const value = randomBytes(bytes).toString(encoding);
    const hash = await bcrypt.hash(value, rounds);
    return { id: randomBytes(8).toString("hex"), outputs: { value, bcrypt: hash } };
  },
  async delete() {},
};
