/** An IPv4 range in CIDR notation, taken apart. */
export interface Range {
  /** First address, as a number. */
  first: number;
  /** Length of the prefix in bits. */
  prefix: number;
  /** How many addresses it holds. */
  size: number;
}

/** `10.0.0.21` as a number, `undefined` when it is no IPv4 address. */
export function parseAddress(text: string | undefined): number | undefined {
  const parts = (text ?? "").split(".");
  const valid =
    parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return valid ? parts.reduce((sum, part) => sum * 256 + Number(part), 0) : undefined;
}

/** A number as `10.0.0.21`. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

/** `10.0.0.0/24` taken apart, `undefined` when it is no range or bits behind the prefix are set. */
export function parseRange(text: string | undefined): Range | undefined {
  const [address = "", prefix = "", ...rest] = (text ?? "").split("/");
  const first = parseAddress(address);
  if (first === undefined || rest.length > 0 || !/^(\d|[12]\d|3[0-2])$/.test(prefix)) return undefined;
  const size = 2 ** (32 - Number(prefix));
  return first % size === 0 ? { first, prefix: Number(prefix), size } : undefined;
}

/** The range of so many bits that an address is in. */
export function rangeAround(address: number, prefix: number): Range {
  const size = 2 ** (32 - prefix);
  return { first: address - (address % size), prefix, size };
}

export const formatRange = ({ first, prefix }: Pick<Range, "first" | "prefix">): string =>
  `${formatAddress(first)}/${prefix}`;

export const contains = (range: Range, address: number): boolean =>
  address >= range.first && address < range.first + range.size;

/** Whether two texts are ranges that meet. */
export function overlapping(a: string | undefined, b: string | undefined): boolean {
  const [one, other] = [parseRange(a), parseRange(b)];
  return one !== undefined && other !== undefined && overlap(one, other);
}

/** Whether a text is a range that holds the address that another one is. */
export function holds(range: string | undefined, address: string | undefined): boolean {
  const [whole, one] = [parseRange(range), parseAddress(address)];
  return whole !== undefined && one !== undefined && contains(whole, one);
}

export const overlap = (a: Range, b: Range): boolean =>
  a.first < b.first + b.size && b.first < a.first + a.size;
