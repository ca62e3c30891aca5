import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Problem } from "../model/problem.ts";

/** Where hosts live. Must not lie on an overlay filesystem: overlay on overlay fails. */
export const labsDirectory = "/var/lib/spillway/labs";

const label = /^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$/;

/** What is wrong with the name of a lab or of a host: a lowercase DNS label of at most 20 characters. */
export function nameProblems(path: string, name: string): Problem[] {
  if (label.test(name)) return [];
  return [
    {
      path,
      found: `${JSON.stringify(name.slice(0, 60))} is no name for a lab or a host`,
      remedy: "use 1 to 20 lowercase letters, digits and inner hyphens, such as cp1",
    },
  ];
}

/** Throws on a name that would leave its directory; every path below goes through here. */
function checked(name: string): string {
  if (!label.test(name))
    throw new Error(`${JSON.stringify(name.slice(0, 60))} is no name for a lab or a host`);
  return name;
}

/** Directory of a lab. */
export function labDirectory(lab: string): string {
  return join(labsDirectory, checked(lab));
}

/** Directory of a host: overlay, disks, record. */
export function hostDirectory(lab: string, host: string): string {
  return join(labDirectory(lab), checked(host));
}

/** Name of a lab's network namespace, as `ip netns` shows it. */
export function namespaceName(lab: string): string {
  return `spillway-${checked(lab)}`;
}

/** File that keeps a lab's network namespace alive. */
export function namespacePath(lab: string): string {
  return `/run/netns/${namespaceName(lab)}`;
}

/** All ends of labs on this computer begin so. */
export const interfacePrefix = "spw";

/** The computer's end of a lab's cable. The kernel allows 15 characters, so the name is a hash. */
export function interfaceName(lab: string): string {
  return interfacePrefix + createHash("sha256").update(checked(lab)).digest("hex").slice(0, 10);
}

/** Name of a host among all containers of the computer. The dot keeps `a-b`+`c` and `a`+`b-c` apart. */
export function machineName(lab: string, host: string): string {
  return `${checked(host)}.${checked(lab)}`;
}
