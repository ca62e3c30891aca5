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

/** A random value made once and kept in the state. */
export const password: ResourceType<PasswordInputs, PasswordOutputs> = {
  token: "spillway:secrets:Password",
  computed: ["value", "bcrypt"],
  secret: ["value", "bcrypt"],
  async create(_context, { bytes, encoding }) {
    const value = randomBytes(bytes).toString(encoding);
    return { id: randomBytes(8).toString("hex"), outputs: { value, bcrypt: await bcrypt.hash(value, 10) } };
  },
  async delete() {},
};
