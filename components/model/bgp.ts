import type { Input } from "@pulumi/pulumi";
import { quote } from "./names.ts";
import type { Problem } from "./problem.ts";
import { parseAddress, parseRange } from "./range.ts";

/** A router of the site that is told the way to pods. */
export interface BgpRouterArgs {
  /** Its address in the site's network. */
  address: string;
  /** Number of its autonomous system. @default the nodes' own: internal BGP */
  as?: number;
  /** Shared secret of the session (TCP MD5, RFC 2385), 1 to 80 characters. @default none */
  password?: Input<string>;
}

/** BGP of the nodes. They announce and take no routes. */
export interface BgpArgs {
  /** Number of the nodes' autonomous system, such as one of the private ones (64512 to 65534, RFC 6996). */
  as: number;
  routers: BgpRouterArgs[];
}

/**
 * Every pod's only address is known to the site: each node announces its part of `pods` to the site's routers, and
 * nothing that a pod sends or gets is translated.
 */
export interface RoutesArgs {
  bgp: BgpArgs;
  range?: never;
  gateway?: never;
  exclude?: never;
  parent?: never;
}

/** Longest key of TCP MD5, as Linux has it. */
const LONGEST_PASSWORD = 80;

/** Everything wrong with BGP of the right shape. @param range of the site's own network */
export function bgpProblems(args: Partial<BgpArgs>, range: string): Problem[] {
  const { routers = [] } = args;
  const path = "network.underlay.bgp";
  const none = { path: `${path}.routers`, found: "no routers", remedy: "name one by its address" };
  return [
    ...systemProblems(`${path}.as`, args.as),
    ...(routers.length === 0 ? [none] : []),
    ...routers.flatMap((router, i) => [
      ...addressProblems(`${path}.routers[${i}].address`, router, routers.slice(0, i), range),
      ...(router.as === undefined ? [] : systemProblems(`${path}.routers[${i}].as`, router.as)),
      ...(comesLater(router.password)
        ? []
        : passwordProblems(`${path}.routers[${i}].password`, router.password)),
    ]),
  ];
}

/** An Output or a promise. */
const comesLater = (value: unknown): boolean =>
  typeof value === "object" && value !== null && ("__pulumiOutput" in value || "then" in value);

/** Reserved by RFC 7607, RFC 6793 and RFC 7300. */
const NO_SYSTEMS = [0, 23456, 65535, 4294967295];

function systemProblems(path: string, as: number | undefined): Problem[] {
  const remedy = "give the number of an autonomous system, such as 64512";
  if (as === undefined) return [{ path, found: "nothing is given", remedy }];
  if (Number.isInteger(as) && as > 0 && as < 2 ** 32 && !NO_SYSTEMS.includes(as)) return [];
  return [{ path, found: `${as} is none`, remedy }];
}

function addressProblems(
  path: string,
  { address }: Partial<BgpRouterArgs>,
  before: readonly BgpRouterArgs[],
  range: string,
): Problem[] {
  const remedy = "give the address that the router has in the site's network";
  const number = parseAddress(address);
  if (number === undefined) {
    const found = address === undefined ? "nothing is given" : `${quote(address)} is no IPv4 address`;
    return [{ path, found, remedy }];
  }
  const network = parseRange(range);
  const inside = network && number > network.first && number < network.first + network.size - 1;
  if (network && !inside)
    return [{ path, found: `${address} is no host address of the site's range ${range}`, remedy }];
  if (before.some((other) => other.address === address))
    return [{ path, found: `${address} is named twice`, remedy: "take it out" }];
  return [];
}

/** What a session's shared secret cannot be; never says what it is. Without one is well. */
export function passwordProblems(path: string, password: unknown): Problem[] {
  if (password === undefined) return [];
  if (typeof password !== "string")
    return [{ path, found: "it is no string", remedy: "give one, in quotes" }];
  if (password.length < 1 || password.length > LONGEST_PASSWORD) {
    const found = `it has ${password.length} characters`;
    return [{ path, found, remedy: `give 1 to ${LONGEST_PASSWORD}` }];
  }
  // BIRD's strings have no escapes.
  if (/^[ !#-~]+$/.test(password)) return [];
  const found = "a character is not ASCII, or a quotation mark";
  return [{ path, found, remedy: "give another" }];
}
