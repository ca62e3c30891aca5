import type * as pulumi from "@pulumi/pulumi";
import { hostNameProblems, nameProblems, quote } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import { HostState } from "../ssh/resources.ts";
import type { Site } from "./site.ts";
import type { Volume } from "./store.ts";

/* What Backup, Restore and Migration have in common: work on volumes, done on a host that reaches them. */

/** `STORE/VOLUME`. */
export const labelOf = (volume: Volume): string => `${volume.store.storeName}/${volume.volumeName}`;

/** How the host reaches a volume for the time of an operation. */
export function placeOf(volume: Volume, host: string) {
  const { mount, directory } = volume.access(host);
  return { volume: labelOf(volume), ...(mount === undefined ? { directory } : { mount }) };
}

/**
 * Options of the resource inside an operation that does the work. The engine counts a component's own
 * `customTimeouts` for nothing, and there they are where a person looks for them.
 */
export const within = (parent: pulumi.ComponentResource, opts: pulumi.ComponentResourceOptions = {}) => ({
  parent,
  ...(opts.customTimeouts && { customTimeouts: opts.customTimeouts }),
});

/** What an operation finds on its host. */
export interface Readiness {
  connection: ReturnType<Site["connection"]>;
  name: string;
  dependsOn: pulumi.Resource[];
}

/** Brings the tools and the volumes' clients to the host. */
export function prepare(
  parent: pulumi.ComponentResource,
  kind: string,
  name: string,
  on: { host: string; volumes: readonly Volume[]; packages: string[] },
): Readiness {
  const { host, volumes, packages } = on;
  const connection = volumes[0]!.store.site.connection(host);
  const tools = new HostState(`${name}-tools`, { connection, name: `${kind}-${name}`, packages }, { parent });
  const clients = volumes.flatMap((volume) => volume.client(host) ?? []);
  return { connection, name, dependsOn: [tools, ...volumes, ...clients] };
}

/** What is wrong with an operation's name and host, and with the volumes that it needs there. */
export function operationProblems(
  name: string,
  host: string,
  volumes: Readonly<Record<string, Volume>>,
): Problem[] {
  const site = Object.values(volumes)[0]!.store.site;
  const known = Object.keys(site.hosts);
  if (!known.includes(host)) return [...nameProblems("name", name), ...hostNameProblems("host", host, known)];
  return [
    ...nameProblems("name", name),
    ...Object.entries(volumes).flatMap(([path, volume]) => reachProblems(path, volume, host, site)),
  ];
}

function reachProblems(path: string, volume: Volume, host: string, site: Site): Problem[] {
  const label = quote(labelOf(volume));
  if (volume.store.site !== site) {
    const found = `the volume ${label} is at the site ${volume.store.site.siteName}, ${host} at ${site.siteName}`;
    return [{ path, found, remedy: "take volumes of one site" }];
  }
  if (volume.hosts === undefined || volume.hosts.includes(host)) return [];
  const found = `the volume ${label} lies on ${volume.hosts.join(", ")} alone, and ${host} does not see it`;
  const remedy =
    "name that host; from one host's directory to another's go through a shared store, or a Backup in S3";
  return [{ path, found, remedy }];
}
