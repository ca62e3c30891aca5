import { X509Certificate } from "node:crypto";

/** Milliseconds of a day. */
export const DAY = 24 * 60 * 60 * 1000;

/** A certificate and its private key, both PEM. */
export interface Pair {
  certificate: string;
  privateKey: string;
}

/** What is certified. */
export interface Subject {
  commonName: string;
  /** Kubernetes reads groups from it. @default none */
  organization?: string;
  dnsNames?: string[];
  ipAddresses?: string[];
  usages: ("server" | "client")[];
  validityDays: number;
}

/** When a certificate ends, RFC 3339. */
export const notAfter = (certificate: string): string =>
  new Date(new X509Certificate(certificate).validTo).toISOString();

/** Days from now until a certificate ends; negative when it has. */
export const daysLeft = (certificate: string): number =>
  (Date.parse(new X509Certificate(certificate).validTo) - Date.now()) / DAY;
