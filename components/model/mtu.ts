import type { Problem } from "./problem.ts";

/** Largest packet of an Ethernet link, in bytes. */
export const DEFAULT_MTU = 1500;

/** What passes nearly everywhere on the Internet; IPv6 takes no link that carries less. */
export const MTU_FLOOR = 1280;

/** The most that an IPv4 packet can say of itself. */
const MTU_CEILING = 65535;

/** Bytes that a tunnel over IPv4 takes from each packet. */
export const TUNNEL_OVERHEAD = {
  /** The pod's Ethernet header 14, IP 20, UDP 8, VXLAN 8. */
  vxlan: 50,
  /** IP 20, UDP 8, WireGuard 32. */
  wireguard: 60,
} as const;

export type Tunnel = keyof typeof TUNNEL_OVERHEAD;

/** Tunnels between a pod's packet and the link, by the mode of the cluster's network. */
export const tunnelsOf = (mode: string): Tunnel[] => (mode === "overlay" ? ["vxlan"] : []);

const overheadOf = (tunnels: readonly Tunnel[]): number =>
  tunnels.reduce((bytes, tunnel) => bytes + TUNNEL_OVERHEAD[tunnel], 0);

/** Largest packet inside tunnels, one within the other, over a link of so many bytes. */
export const mtuInside = (link: number, tunnels: readonly Tunnel[]): number => link - overheadOf(tunnels);

/** The least that a link must carry so that `MTU_FLOOR` is left inside the tunnels. */
export const leastLinkMtu = (tunnels: readonly Tunnel[]): number => MTU_FLOOR + overheadOf(tunnels);

/** What is wrong with the MTU of a link that carries packets inside tunnels. */
export function mtuProblems(path: string, link: number, tunnels: readonly Tunnel[] = []): Problem[] {
  const least = leastLinkMtu(tunnels);
  if (Number.isInteger(link) && link >= least && link <= MTU_CEILING) return [];
  const inside = tunnels.length > 0 ? ` (a pod's ${MTU_FLOOR} inside ${tunnels.join(" inside ")})` : "";
  return [
    {
      path,
      found: `${link} is no MTU that serves`,
      remedy: `give bytes from ${least}${inside} to ${MTU_CEILING}, such as ${DEFAULT_MTU}`,
    },
  ];
}
