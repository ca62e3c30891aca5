import type { Connection } from "../model/connection.ts";

/** What hosts must be like. What is left out is not looked at. */
export interface Requirements {
  /** Accepted `ID`s of /etc/os-release. @default debian, ubuntu */
  os?: string[];
  /** Oldest `VERSION_ID` of /etc/os-release by `ID`; a host that has none, as Debian's testing, is taken. @default any */
  releases?: Record<string, string>;
  /** `uname -m` of the programs that hosts get, such as `x86_64`. @default any */
  machine?: string;
  /** Oldest Linux, such as `5.10`. @default any */
  kernel?: string;
  /** Memory in MiB. */
  memoryMiB?: number;
  /** Free space under /var in GiB. */
  diskGiB?: number;
  /** TCP ports that nothing may listen on, by host; those of a host whose owner we are do not count. */
  freePorts?: Record<string, number[]>;
  /** Name of a network interface that every host has. */
  interface?: string;
  /** Swap must be off. @default false */
  noSwap?: boolean;
  /** No node of a cluster other than the owner's. @default false */
  noForeignCluster?: boolean;
  /** What hosts that become ours are told, with a number of the state's own, in /var/lib/spillway/owner. */
  owner: string;
  /** Packets between the hosts. */
  packets?: PacketRequirements;
  /** Seconds that clocks may be apart, from this computer's and among hosts. @default 5 */
  clockSkewSeconds?: number;
}

/** What must pass between any two hosts unfragmented. Hosts without `ping` are not asked. */
export interface PacketRequirements {
  /** Size of a packet in bytes, IP header included. */
  bytes: number;
  /** The least that would do, were the program told so. */
  least: number;
}

/** What may not change as long as something lives. */
export interface Fixed {
  /** What it is, for messages: `KubernetesCluster "paris"`. */
  of: string;
  /** Values by the argument that says them. */
  facts: Record<string, string>;
  /** By what a host tells that it lives; one that does not answer may. */
  mark: Mark;
  /** Hosts of which one has to stay in every run that changes them. @default none */
  oneStays?: OneStays;
}

/** Hosts that know what nobody else does. */
export interface OneStays {
  /** The argument that lists them. */
  argument: string;
  hosts: string[];
  /** By what a host tells that it is one of them. */
  mark: Mark;
}

/** A file on a host, and the words that it begins with. */
export interface Mark {
  file: string;
  begins: string;
}

/** Arguments of a look at hosts before anything is changed. */
export interface PreflightArgs {
  /** Whom to look at. */
  hosts: Connection[];
  /** What they must be like. */
  require: Requirements;
  /** Refused when it changes, before anything on a host does. @default nothing */
  fixed?: Fixed;
}

export interface PreflightOutputs {
  /** Whom hosts know as their owner: as it was called first, and a number that no other state has. */
  owner: string;
}
