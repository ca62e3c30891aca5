import type * as pulumi from "@pulumi/pulumi";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { AuthorityInputs } from "./authority.provider.ts";
import type { CertificateInputs } from "./certificate.provider.ts";
import type { KeyPairInputs } from "./key-pair.provider.ts";
import type { PasswordInputs } from "./password.provider.ts";

/** A key pair, made once; the private key is a secret of the state. */
export class KeyPair extends PluginResource {
  /** Secret. */
  declare readonly privateKey: pulumi.Output<string>;
  declare readonly publicKey: pulumi.Output<string>;

  constructor(name: string, args: Args<KeyPairInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:secrets:KeyPair", name, args, ["privateKey", "publicKey"], opts);
  }
}

/** A random value, made once; a secret of the state. */
export class Password extends PluginResource {
  /** Secret. */
  declare readonly value: pulumi.Output<string>;
  /** Its hash for an htpasswd file; secret. */
  declare readonly bcrypt: pulumi.Output<string>;

  constructor(name: string, args: Args<PasswordInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:secrets:Password", name, args, ["value", "bcrypt"], opts);
  }
}

/** A certificate authority of a site or a cluster. */
export class Authority extends PluginResource {
  /** PEM. */
  declare readonly certificate: pulumi.Output<string>;
  /** PEM; secret. */
  declare readonly privateKey: pulumi.Output<string>;
  /** RFC 3339. */
  declare readonly notAfter: pulumi.Output<string>;
  /** `sha256:...` of the public key. */
  declare readonly publicKeyHash: pulumi.Output<string>;

  constructor(name: string, args: Args<AuthorityInputs>, opts?: pulumi.CustomResourceOptions) {
    const computed = ["certificate", "privateKey", "notAfter", "publicKeyHash"];
    super("spillway:secrets:Authority", name, args, computed, opts);
  }
}

/** A certificate of an authority; `up` renews it when it comes near its end. */
export class Certificate extends PluginResource {
  /** PEM. */
  declare readonly certificate: pulumi.Output<string>;
  /** PEM; secret. */
  declare readonly privateKey: pulumi.Output<string>;
  /** RFC 3339. */
  declare readonly notAfter: pulumi.Output<string>;

  constructor(name: string, args: CertificateArgs, opts?: pulumi.CustomResourceOptions) {
    const { authority, ...subject } = args;
    const inputs = {
      validityDays: 365,
      renewBeforeDays: 60,
      ...subject,
      authority: { certificate: authority.certificate, privateKey: authority.privateKey },
    };
    super("spillway:secrets:Certificate", name, inputs, ["certificate", "privateKey", "notAfter"], opts);
  }
}

/** What is certified by whom. */
export interface CertificateArgs
  extends Omit<Args<CertificateInputs>, "authority" | "validityDays" | "renewBeforeDays"> {
  authority: Authority;
  /** @default 365 */
  validityDays?: number;
  /** Days before its end from which on an `up` renews it. @default 60 */
  renewBeforeDays?: number;
}
