import * as pulumi from "@pulumi/pulumi";
import { DEFAULT_MTU } from "../model/mtu.ts";
import type { Problem } from "../model/problem.ts";
import { formatAddress, parseRange } from "../model/range.ts";
import {
  argumentProblems,
  flag,
  list,
  map,
  named,
  number,
  optional,
  text,
  wellShaped,
} from "../model/shape.ts";
import { refusalOf } from "../onprem/held.ts";
import {
  type HostArgs,
  Site as OnpremSite,
  type SiteArgs as OnpremSiteArgs,
  siteProblems as onpremSiteProblems,
} from "../onprem/site.ts";
import { KeyPair } from "../secrets/resources.ts";
import { labDiskBinds } from "./host.provider.ts";
import { labPackages } from "./image.provider.ts";
import { nameProblems } from "./names.ts";
import { computerOf, gatewayOf, numberOf, rangeOf } from "./range.ts";
import { Host, Image, Network } from "./resources.ts";

/** Arguments of a site that is made on this computer. */
export interface SiteArgs {
  /** Names of the hosts to make, at most 20 characters each. */
  hosts: string[];
  /** Range of the lab's network, a /24. @default one below 10.64.0.0/10 that follows from the lab's name */
  range?: string;
  /** Largest packet of the hosts' links, in bytes; the lab's cables carry 1500. @default 1500 */
  mtu?: number;
  /** Addresses by host name. @default each follows from the host's name */
  addresses?: Record<string, string>;
  /** Labels by host name. @default none */
  labels?: Record<string, Record<string, string>>;
  /** Debian archive that the hosts' image is made from, such as `http://deb.debian.org/debian`. @default that of this computer's apt */
  mirror?: string;
  /** Debian packages in the hosts' image. @default what Kubernetes and a registry need */
  packages?: string[];
  /**
   * Empty disks by host: sizes in GiB by the name below /dev, such as `{ s1: { sdb: 5 } }`. Sparse
   * files of this computer that survive a loss of power and go with the host. @default none
   */
  disks?: Record<string, Record<string, number>>;
  /**
   * Further directories of the hosts that lie on this computer's own filesystem instead of the
   * overlay, such as `/srv/bricks`. @default those of container engines and stores
   */
  diskBinds?: string[];
  /** Let hosts reach what this computer reaches. @default false */
  nat?: boolean;
}

/**
 * A site whose hosts are made on this computer as systemd containers, each with an sshd, a network
 * and control groups of its own. What it offers is what an on-premises site offers. Needs Linux and root.
 *
 * @example
 * const site = new Site("lab", { hosts: ["cp1", "w1", "w2"] });
 */
export class Site extends OnpremSite {
  constructor(name: string, args: SiteArgs, opts?: pulumi.ComponentResourceOptions) {
    const shaped = wellShaped(SITE_SHAPE, args);
    const range = shaped.range ?? rangeOf(name);
    const plan = addressesOf(range, shaped);
    const [privateKey, setPrivateKey] = pulumi.deferredOutput<string>();
    const hostKeys = Object.fromEntries(shaped.hosts.map((host) => [host, pulumi.deferredOutput<string>()]));
    const hosts = Object.fromEntries(
      shaped.hosts.map((host): [string, HostArgs] => [
        host,
        { address: plan[host]!, hostKey: hostKeys[host]![0], labels: shaped.labels?.[host], container: true },
      ]),
    );
    const site = { range, mtu: shaped.mtu, ssh: { privateKey }, hosts };
    super(name, site, opts, "spillway:lab:Site", siteProblems(name, args, site));
    if (refusalOf(this)) return;

    const parent = { parent: this };
    const key = new KeyPair(`${name}-ssh`, { format: "ssh", comment: `spillway lab ${name}` }, parent);
    const image = new Image(
      `${name}-image`,
      { suite: "bookworm", mirror: args.mirror, packages: [...(args.packages ?? labPackages)] },
      parent,
    );
    const network = new Network(`${name}-network`, { lab: name, range, nat: args.nat ?? false }, parent);
    setPrivateKey(key.privateKey);
    for (const host of args.hosts) {
      const made = new Host(
        `${name}-${host}`,
        {
          lab: name,
          name: host,
          address: plan[host]!,
          prefixLength: 24,
          mtu: args.mtu,
          gateway: network.gateway,
          image: image.path,
          authorizedKey: key.publicKey.apply((publicKey) => publicKey.trim()),
          diskBinds: args.diskBinds && [...labDiskBinds, ...args.diskBinds],
          disks: args.disks?.[host],
          running: true,
        },
        parent,
      );
      hostKeys[host]![1](made.hostKey);
    }
  }

  override reservedAddresses(): Record<string, string> {
    return reservedOf(this.range);
  }
}

function reservedOf(text: string): Record<string, string> {
  const range = parseRange(text);
  return range ? { "the lab's gateway": gatewayOf(range), "this computer": computerOf(range) } : {};
}

function reservedProblems(path: string, address: string, range: string): Problem[] {
  return Object.entries(reservedOf(range))
    .filter(([, reserved]) => reserved === address)
    .map(([whose]) => ({
      path,
      found: `${address} is ${whose}'s`,
      remedy: "give it another address in `addresses`",
    }));
}

const SITE_SHAPE = named({
  hosts: list(text),
  range: text,
  mtu: number,
  addresses: optional(map(text)),
  labels: optional(map(map(text))),
  mirror: text,
  packages: optional(list(text)),
  disks: optional(map(map(number))),
  diskBinds: optional(list(text)),
  nat: flag,
});

/** What is wrong with a lab's site, and with the `site` that comes of it where the lab has not said so already. */
function siteProblems(name: string, args: SiteArgs, site: OnpremSiteArgs): Problem[] {
  const own = argumentProblems(SITE_SHAPE, args, (shaped) => [
    ...nameProblems("name", name),
    ...labProblems(site.range, shaped, addressesOf(site.range, shaped)),
  ]);
  const said = own.flatMap(({ path }) => {
    const host = Object.keys(site.hosts)[Number(/^hosts\[(\d+)\]$/.exec(path)?.[1])];
    return host === undefined ? [path] : [`hosts.${host}`, `hosts.${host}.address`];
  });
  return [...own, ...onpremSiteProblems(name, site).filter(({ path }) => !said.includes(path))];
}

/** Each address follows from its host's name alone, so that none moves when another host comes or goes. */
function addressesOf(range: string, { hosts, addresses = {} }: SiteArgs): Record<string, string> {
  const first = parseRange(range)?.first ?? 0;
  const entries = hosts.map((host) => [
    host,
    addresses[host] ?? formatAddress(first + 10 + numberOf(host, 240)),
  ]);
  return Object.fromEntries(entries);
}

function labProblems(
  range: string,
  { hosts, mtu = DEFAULT_MTU, addresses = {}, labels = {}, disks = {} }: SiteArgs,
  plan: Record<string, string>,
): Problem[] {
  const taken = new Map<string, string>();
  return [
    ...(parseRange(range)?.prefix === 24
      ? []
      : [
          {
            path: "range",
            found: `${JSON.stringify(range)} is no range of 24 bits`,
            remedy: "give one such as 10.77.0.0/24",
          },
        ]),
    ...(mtu <= DEFAULT_MTU
      ? []
      : [{ path: "mtu", found: `${mtu} is more than the lab's cables carry`, remedy: "give at most 1500" }]),
    ...hosts.flatMap((host, i) => nameProblems(`hosts[${i}]`, host)),
    ...Object.entries({ addresses, labels, disks }).flatMap(([path, byHost]) =>
      Object.keys(byHost)
        .filter((host) => !hosts.includes(host))
        .map((host) => ({ path: `${path}.${host}`, found: "no such host", remedy: "name one of hosts" })),
    ),
    ...hosts.flatMap((host, i) => reservedProblems(`hosts[${i}]`, plan[host]!, range)),
    ...hosts.flatMap((host, i) => {
      const other = taken.get(plan[host]!);
      taken.set(plan[host]!, host);
      if (!other) return [];
      const found = other === host ? `${host} stands twice` : `${host} and ${other} come to one address`;
      return [{ path: `hosts[${i}]`, found, remedy: "rename one, or give it an address in `addresses`" }];
    }),
  ];
}
