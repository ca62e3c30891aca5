import { isIP } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { hostAddressProblems, rangeProblems } from "../model/address-plan.ts";
import type { Connection } from "../model/connection.ts";
import { DEFAULT_MTU, mtuProblems } from "../model/mtu.ts";
import { labelProblems, nameProblems, portProblems, quote } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import {
  anything,
  argumentProblems,
  flag,
  given,
  map,
  named,
  number,
  optional,
  text,
  wellShaped,
} from "../model/shape.ts";
import { Authority } from "../secrets/resources.ts";
import { hold, refusalFor, refusalOf, unlessHeld, unsaid } from "./held.ts";

/** A machine that is reached by SSH. */
export interface HostArgs {
  /** IPv4 address on the site's network. */
  address: string;
  /** Public host key as in known_hosts, `ssh-ed25519 AAAA...`; `ssh-keyscan` shows it, the machine's console proves it. */
  hostKey: pulumi.Input<string>;
  /** TCP port of sshd. @default the site's */
  port?: number;
  /** Labels that its node carries. @default none */
  labels?: Record<string, string>;
  /** The host is itself a container, as in a lab: settings that belong to a whole machine are left out. @default false */
  container?: boolean;
}

/** A host to go through to reach the others by SSH; registry and API are reached directly. */
export interface BastionArgs {
  /** IP address or DNS name. */
  address: string;
  /** @default 22 */
  port?: number;
  /** @default the site's user */
  user?: string;
  /** @default the site's key */
  privateKey?: pulumi.Input<string>;
  /** Pinned as those of the hosts. */
  hostKey: pulumi.Input<string>;
}

/** How the site's hosts are reached. */
export interface SshArgs {
  /** Account; one other than root needs `sudo` without a password. @default root */
  user?: string;
  /** Private key in OpenSSH or PEM form; becomes a secret. */
  privateKey: pulumi.Input<string>;
  /** @default 22 */
  port?: number;
  /** @default the hosts are reached directly */
  bastion?: BastionArgs;
  /** Seconds to wait for a connection, 1 to 86400. @default 10 */
  dialTimeout?: number;
  /** Seconds one step may take, 1 to 86400. @default 600 */
  stepTimeout?: number;
}

/** Arguments of a site on own machines. */
export interface SiteArgs {
  /** Range of the site's network, such as `10.0.0.0/24`. */
  range: string;
  /**
   * Largest packet that passes between its hosts, in bytes, IP header included; a cluster's preflight
   * sends some. What pods may send follows from it. @default 1500
   */
  mtu?: number;
  /** How the hosts are reached. */
  ssh: SshArgs;
  /** The machines, by name; the name becomes the node's. */
  hosts: Record<string, HostArgs>;
}

/**
 * One place with machines and one routable network. What is wrong with its arguments is told with what is
 * wrong with the cluster or store on it, and fails the program in any case.
 *
 * @example
 * const site = new Site("paris", {
 *   range: "10.0.0.0/24",
 *   ssh: { user: "ops", privateKey: config.requireSecret("sshKey") },
 *   hosts: { cp1: { address: "10.0.0.11", hostKey: "ssh-ed25519 AAAA..." } },
 * });
 */
export class Site extends pulumi.ComponentResource {
  /** Name of the site. */
  readonly siteName: string;
  /** Range of its network. */
  readonly range: string;
  /** Largest packet that passes between its hosts, in bytes. */
  readonly mtu: number;
  /** Its hosts, by name. */
  readonly hosts: Readonly<Record<string, HostArgs>>;
  /** Signs the certificates of what the site offers, such as its registry. */
  readonly authority: Authority;
  readonly #ssh: SshArgs;

  constructor(
    name: string,
    args: SiteArgs,
    opts?: pulumi.ComponentResourceOptions,
    token = "spillway:onprem:Site",
    problems = siteProblems(name, args),
  ) {
    const refusal = refusalFor(`Site "${name}"`, problems);
    super(token, name || "site", {}, unlessHeld(refusal, opts));
    hold(this, refusal);
    const { range, mtu = DEFAULT_MTU, hosts, ssh } = wellShaped(SITE_SHAPE, args);
    this.siteName = name;
    this.range = range;
    this.mtu = mtu;
    this.hosts = hosts;
    this.#ssh = ssh;
    this.authority = new Authority(
      `${name}-authority`,
      { commonName: `${name} site authority`, validityDays: 3650 },
      { parent: this },
    );
    this.registerOutputs({});
  }

  /** Addresses of the site's range that others than its hosts have, by whose they are. */
  reservedAddresses(): Record<string, string> {
    return {};
  }

  /** How the plugin reaches a host of the site. */
  connection(host: string): pulumi.Output<Connection> {
    const refusal = refusalOf(this);
    if (refusal) return unsaid(refusal);
    const { address, hostKey, port } = this.hosts[host]!;
    const { user = "root", privateKey, bastion, dialTimeout, stepTimeout } = this.#ssh;
    const key = pulumi.secret(privateKey);
    const plain = { host, address, port: port ?? this.#ssh.port ?? 22, user, dialTimeout, stepTimeout };
    const through = bastion && {
      address: bastion.address,
      port: bastion.port ?? 22,
      user: bastion.user ?? user,
      privateKey: bastion.privateKey === undefined ? key : pulumi.secret(bastion.privateKey),
      hostKey: bastion.hostKey,
    };
    return pulumi.output({
      ...plain,
      privateKey: key,
      hostKey,
      bastion: through,
    }) as pulumi.Output<Connection>;
  }
}

const HOST_KEY = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,3}( [^\n]*)?\n?$/;

const BASTION_SHAPE = named({
  address: text,
  port: number,
  user: text,
  privateKey: anything,
  hostKey: anything,
});

const SITE_SHAPE = named({
  range: text,
  mtu: number,
  ssh: named({
    user: text,
    privateKey: given,
    port: number,
    bastion: optional(BASTION_SHAPE),
    dialTimeout: number,
    stepTimeout: number,
  }),
  hosts: map(
    named({ address: text, hostKey: anything, port: number, labels: optional(map(text)), container: flag }),
  ),
});

/** What is wrong with a site's arguments. */
export function siteProblems(name: string, site: SiteArgs): Problem[] {
  return argumentProblems(SITE_SHAPE, site, (site) => {
    const { range, mtu = DEFAULT_MTU, ssh, hosts } = site;
    const addresses = Object.fromEntries(Object.entries(hosts).map(([host, { address }]) => [host, address]));
    return [
      ...nameProblems("name", name),
      ...rangeProblems("range", range),
      ...mtuProblems("mtu", mtu),
      ...(Object.keys(hosts).length > 0
        ? []
        : [{ path: "hosts", found: "no hosts", remedy: "name at least one machine" }]),
      ...Object.entries(hosts).flatMap(([host, args]) => hostProblems(host, args)),
      ...hostAddressProblems(range, addresses),
      ...sshProblems(ssh),
    ];
  });
}

function sshProblems({ user = "root", port = 22, bastion, dialTimeout, stepTimeout }: SshArgs): Problem[] {
  return [
    ...userProblems("ssh.user", user),
    ...portProblems("ssh.port", port),
    ...(bastion ? bastionProblems(bastion) : []),
    ...secondsProblems("ssh.dialTimeout", dialTimeout),
    ...secondsProblems("ssh.stepTimeout", stepTimeout),
  ];
}

function bastionProblems({ address, port = 22, user, hostKey }: BastionArgs): Problem[] {
  const remedy = "give an IP address or a DNS name, such as bastion.example.com";
  const found = address === undefined ? "no address" : `${quote(address)} is neither`;
  return [
    ...(isIP(address ?? "") || DNS_NAME.test(address ?? "")
      ? []
      : [{ path: "ssh.bastion.address", found, remedy }]),
    ...portProblems("ssh.bastion.port", port),
    ...(user === undefined ? [] : userProblems("ssh.bastion.user", user)),
    ...hostKeyProblems("ssh.bastion.hostKey", hostKey),
  ];
}

/** Labels of letters, digits and dashes; the last has a letter, else it is a misspelt IPv4 address. */
const DNS_NAME =
  /^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*(?=[0-9-]*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$/;

function userProblems(path: string, user: string): Problem[] {
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return [];
  return [{ path, found: `${quote(user)} is no account name`, remedy: "give one such as ops" }];
}

const LONGEST_SECONDS = 86_400;

function secondsProblems(path: string, seconds: number | undefined): Problem[] {
  if (seconds === undefined || (seconds >= 1 && seconds <= LONGEST_SECONDS)) return [];
  return [{ path, found: `${seconds}`, remedy: `give seconds from 1 to ${LONGEST_SECONDS}` }];
}

function hostProblems(host: string, { hostKey, port = 22, labels = {} }: HostArgs): Problem[] {
  return [
    ...nameProblems(`hosts.${host}`, host),
    ...hostKeyProblems(`hosts.${host}.hostKey`, hostKey),
    ...labelProblems(`hosts.${host}.labels`, labels),
    ...portProblems(`hosts.${host}.port`, port),
  ];
}

/** A key known only at deployment is checked by the connection that uses it. */
function hostKeyProblems(path: string, hostKey: pulumi.Input<string> | undefined): Problem[] {
  const remedy = "give the line that ssh-keyscan prints, without the address: ssh-ed25519 AAAA...";
  if (hostKey === undefined || hostKey === null || hostKey === "")
    return [{ path, found: "no host key", remedy }];
  if (typeof hostKey === "object" || HOST_KEY.test(hostKey)) return [];
  return [{ path, found: `${quote(String(hostKey).slice(0, 30))} is no public host key`, remedy }];
}
