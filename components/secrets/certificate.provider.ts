import { X509Certificate } from "node:crypto";
import { differenceOf } from "../provider/difference.ts";
import type { ResourceType } from "../provider/resource.ts";
import { daysLeft, notAfter, type Pair, type Subject } from "./certificate.ts";

export interface CertificateInputs extends Subject {
  authority: Pair;
  /** Issued anew by the first `up` that finds fewer days left. */
  renewBeforeDays: number;
}

export interface CertificateOutputs extends Pair {
  /** RFC 3339. */
  notAfter: string;
}

async function issue(inputs: CertificateInputs): Promise<CertificateOutputs> {
  // As with authorities: a run that issues nothing does not wait for it to load.
  const { newCertificate } = await import("./issue.ts");
  const pair = await newCertificate(inputs.authority, inputs);
  return { ...pair, notAfter: notAfter(pair.certificate) };
}

/** A certificate of the site's or cluster's own authority; renewed by `up` when it comes near its end. */
export const certificate: ResourceType<CertificateInputs, CertificateOutputs> = {
  token: "spillway:secrets:Certificate",
  computed: ["certificate", "privateKey", "notAfter"],
  secret: ["privateKey"],
  diff(old, inputs) {
    const difference = differenceOf(old.inputs, inputs, { ignore: ["renewBeforeDays"] });
    const due = daysLeft(old.outputs.certificate) < inputs.renewBeforeDays;
    return due ? { ...difference, paths: [...difference.paths, "renewBeforeDays"] } : difference;
  },
  async create(_context, inputs) {
    const outputs = await issue(inputs);
    return { id: new X509Certificate(outputs.certificate).serialNumber.toLowerCase(), outputs };
  },
  renews: () => ["certificate", "privateKey", "notAfter"],
  update: (_context, _old, inputs) => issue(inputs),
  async delete() {},
};
