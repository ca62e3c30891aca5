import { isIPv4, isIPv6 } from "node:net";
import { textOf } from "../../value.ts";
import type { Place } from "./cloud.ts";

/** Addresses from one up to, and without, another. */
interface Range {
  isV6: boolean;
  from: bigint;
  to: bigint;
}

/**
 * Words for everywhere, and how providers write the address that stands for it. Whoever rents a machine of Azure is
 * in AzureCloud.
 */
const EVERYWHERE = /^(?:\*|any|all|internet|azurecloud(?:\.\w+)?|0\.0\.0\.0|::|.*\/0+)$/i;

/**
 * Ranges that may be a site's own: /8 of IPv4, /16 of IPv6. What is wider is as good as the world, for nobody
 * owns that much; so is a list that adds up to more, such as both halves of it.
 */
const WIDEST = { v4: 1n << 24n, v6: 1n << 112n };

/** Ranges that no packet of the Internet comes from. */
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"];

/** Reads an address or a range; host bits below the prefix do not count. */
export function parseRange(text: string): Range | undefined {
  const match = /^([\da-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text.trim());
  const [, address = "", length] = match ?? [];
  const isV6 = isIPv6(address);
  if (!isV6 && !isIPv4(address)) return undefined;
  const width = isV6 ? 128 : 32;
  const prefix = length === undefined ? width : Number(length);
  if (prefix > width) return undefined;
  const size = 1n << BigInt(width - prefix);
  const number = isV6 ? numberOfV6(address) : numberOfV4(address);
  const from = number - (number % size);
  return unmapped({ isV6, from, to: from + size });
}

const numberOfV4 = (address: string): bigint =>
  address.split(".").reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);

function numberOfV6(address: string): bigint {
  const hex = address.replace(/[\d.]+$/, (end) => {
    if (!end.includes(".")) return end;
    const number = numberOfV4(end);
    return `${(number >> 16n).toString(16)}:${(number & 0xffffn).toString(16)}`;
  });
  const [before = "", after] = hex.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [head, tail] = [groups(before), groups(after ?? "")];
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array<string>(zeros).fill("0"), ...tail].reduce(
    (sum, group) => sum * 65536n + BigInt(`0x${group}`),
    0n,
  );
}

const MAPPED = 0xffffn << 32n;

/** IPv4 that is written as IPv6. */
function unmapped({ isV6, from, to }: Range): Range {
  if (!isV6 || from < MAPPED || to > MAPPED + (1n << 32n)) return { isV6, from, to };
  return { isV6: false, from: from - MAPPED, to: to - MAPPED };
}

const privateRanges = PRIVATE.map((text) => parseRange(text)!);

const isPrivate = ({ isV6, from, to }: Range): boolean =>
  privateRanges.some((each) => each.isV6 === isV6 && each.from <= from && to <= each.to);

const widest = (isV6: boolean): bigint => (isV6 ? WIDEST.v6 : WIDEST.v4);

const isWide = (range: Range): boolean => !isPrivate(range) && range.to - range.from > widest(range.isV6);

/**
 * Which of several sources let in the whole world: the paths of those that do by themselves, or `list` where
 * they do together. What is no range, such as a group's name, lets in nobody else.
 */
export function* worldIn(sources: readonly Place[], list: string): Generator<string> {
  const others: Range[] = [];
  let found = false;
  for (const { path, value } of sources) {
    const texts = (textOf(value) ?? "").split(",").map((text) => text.trim());
    const ranges = texts.flatMap((text) => parseRange(text) ?? []);
    if (texts.some((text) => EVERYWHERE.test(text)) || ranges.some(isWide)) {
      found = true;
      yield path;
    } else others.push(...ranges);
  }
  if (!found && [false, true].some((isV6) => isWideTogether(others, isV6))) yield list;
}

function isWideTogether(ranges: readonly Range[], isV6: boolean): boolean {
  const own = ranges.filter((range) => range.isV6 === isV6 && !isPrivate(range));
  let [sum, end] = [0n, 0n];
  for (const { from, to } of own.toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    const start = from > end ? from : end;
    if (to > start) sum += to - start;
    if (to > end) end = to;
  }
  return sum > widest(isV6);
}
