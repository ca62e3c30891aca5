import type { Problem } from "../model/problem.ts";

/** An IPv4 range. */
export interface Range {
  /** First address, as a number. */
  first: number;
  /** Length of the prefix in bits. */
  prefix: number;
}

/** The number of an IPv4 address, `undefined` when it is none. */
export function addressNumber(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  if (!parts) return undefined;
  if (parts.some((part) => Number(part) > 255 || String(Number(part)) !== part)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The text of an IPv4 address. */
export function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}

/** The range of a CIDR text, `undefined` when it is none or when bits are set behind the prefix. */
export function parseRange(text: string): Range | undefined {
  const [address = "", length = "", ...rest] = text.split("/");
  const first = addressNumber(address);
  const prefix = /^\d{1,2}$/.test(length) ? Number(length) : Number.NaN;
  if (first === undefined || !(prefix <= 32) || rest.length > 0) return undefined;
  return first % 2 ** (32 - prefix) === 0 ? { first, prefix } : undefined;
}

/** The range of so many bits that an address is in. */
export function rangeAround(address: number, prefix: number): Range {
  return { first: address - (address % 2 ** (32 - prefix)), prefix };
}

/** Whether two ranges share an address. */
export function overlap(one: Range, other: Range): boolean {
  const size = ({ prefix }: Range) => 2 ** (32 - prefix);
  return one.first < other.first + size(other) && other.first < one.first + size(one);
}

/** A lab's own range is a /24: hosts .2 to .253, bridge .1, computer .254. */
export function labRangeProblems(path: string, text: string): Problem[] {
  if (parseRange(text)?.prefix === 24) return [];
  return [
    {
      path,
      found: `${JSON.stringify(text.slice(0, 60))} is no IPv4 range of 24 bits`,
      remedy: "give one that this computer does not use, such as 10.77.1.0/24",
    },
  ];
}

/** Address of the lab's bridge, the hosts' gateway. */
export function gatewayOf(range: Range): string {
  return addressText(range.first + 1);
}

/** Address of this computer in the lab's network. */
export function computerOf(range: Range): string {
  return addressText(range.first + 254);
}
