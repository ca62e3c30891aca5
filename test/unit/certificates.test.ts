import { X509Certificate } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";
import { expect, test } from "vitest";
import type { Context } from "../../components/provider/resource.ts";
import { authority } from "../../components/secrets/authority.provider.ts";
import { type CertificateInputs, certificate } from "../../components/secrets/certificate.provider.ts";
import { daysLeft } from "../../components/secrets/certificate.ts";
import { keyPair } from "../../components/secrets/key-pair.provider.ts";

const context = {} as Context;

async function sample(change: Partial<CertificateInputs> = {}) {
  const { outputs: ca } = await authority.create(context, { commonName: "test", validityDays: 100 });
  const inputs: CertificateInputs = {
    authority: ca,
    commonName: "server",
    organization: "group",
    dnsNames: ["a.internal"],
    ipAddresses: ["10.0.0.1"],
    usages: ["server"],
    validityDays: 90,
    renewBeforeDays: 30,
    ...change,
  };
  const { id, outputs } = await certificate.create(context, inputs);
  return { ca, existing: { id, inputs, outputs }, inputs };
}

test("a certificate is signed by its authority, for its names, and has the key that comes with it", async () => {
  const { ca, existing } = await sample();
  const parsed = new X509Certificate(existing.outputs.certificate);
  expect(parsed.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true);
  expect(parsed.subject).toBe("O=group\nCN=server");
  expect(parsed.checkHost("a.internal")).toBe("a.internal");
  expect(parsed.checkIP("10.0.0.1")).toBe("10.0.0.1");
  expect(parsed.checkHost("b.internal")).toBeUndefined();
  expect(parsed.ca).toBe(false);
  expect(new X509Certificate(ca.certificate).ca).toBe(true);
  expect(Math.round(daysLeft(existing.outputs.certificate))).toBe(90);
});

test("another authority did not sign it", async () => {
  const [{ existing }, other] = [await sample(), await sample()];
  const stranger = new X509Certificate(other.ca.certificate).publicKey;
  expect(new X509Certificate(existing.outputs.certificate).verify(stranger)).toBe(false);
});

test("it is due for renewal when fewer days are left than wanted, and not before", async () => {
  const { existing, inputs } = await sample();
  expect(certificate.diff!(existing, inputs).paths).toEqual([]);
  expect(certificate.diff!(existing, { ...inputs, renewBeforeDays: 91 }).paths).toEqual(["renewBeforeDays"]);
});

test("every SSH key is one that can be read, and fits its public one", async () => {
  // One in two hundred was not.
  for (let i = 0; i < 1500; i++) {
    const { outputs } = await keyPair.create(context, { format: "ssh", comment: "lab" });
    const [own, shown] = [outputs.privateKey, outputs.publicKey].map(
      (key) => ssh2.utils.parseKey(key) as ParsedKey,
    );
    expect(own).not.toBeInstanceOf(Error);
    expect(own!.getPublicSSH().equals(shown!.getPublicSSH())).toBe(true);
  }
});
