import * as pulumi from "@pulumi/pulumi";
import { hostNameProblems, nameProblems, quote } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { argumentProblems, given, named, text } from "../model/shape.ts";
import { plainPathProblems } from "../model/store.ts";
import { HostState } from "../ssh/resources.ts";
import { placesOf, type Volume } from "./store.ts";

/** Arguments of a mount on a host. */
export interface VolumeMountArgs {
  /** What is mounted. */
  volume: Volume;
  /** Name of the host. */
  host: string;
  /** Absolute path on the host; the directory is made when missing. */
  path: string;
}

/**
 * A volume mounted on a host, now and at boot.
 *
 * @example
 * new VolumeMount("data", { volume: store.volume("data"), host: "w1", path: "/srv/data" });
 */
export class VolumeMount extends pulumi.ComponentResource {
  /** What is mounted. */
  readonly volume: Volume;
  /** Where. */
  readonly host: string;
  /** Absolute path on the host. */
  readonly path: string;

  constructor(name: string, args: VolumeMountArgs, opts?: pulumi.ComponentResourceOptions) {
    refuse(`VolumeMount "${name}"`, volumeMountProblems(name, args));
    super("spillway:onprem:VolumeMount", name, {}, opts);
    const { volume, host, path } = args;
    const { site } = volume.store;
    placesOf(site).take(host, path, `VolumeMount "${name}"`);
    this.volume = volume;
    this.host = host;
    this.path = path;
    const client = volume.client(host);
    const { mount, directory } = volume.access(host);
    new HostState(
      `${name}-state`,
      {
        connection: site.connection(host),
        name: `mount-${name}`,
        mounts: { [path]: mount ?? { what: directory!, type: "none", options: "bind" } },
      },
      { parent: this, dependsOn: [volume, ...(client ? [client] : [])] },
    );
    this.registerOutputs({});
  }
}

const VOLUME_MOUNT_SHAPE = named({ volume: given, host: text, path: text });

/** What is wrong with a mount's arguments. */
export function volumeMountProblems(name: string, args: VolumeMountArgs): Problem[] {
  return argumentProblems(VOLUME_MOUNT_SHAPE, args, (args) => {
    const { volume, host = "", path = "" } = args;
    const { site } = volume.store;
    const known = Object.keys(site.hosts);
    const ownProblems = [...nameProblems("name", name), ...plainPathProblems("path", path, "/srv/data")];
    if (!known.includes(host)) return [...ownProblems, ...hostNameProblems("host", host, known)];
    return [
      ...ownProblems,
      ...(volume.hosts === undefined || volume.hosts.includes(host)
        ? []
        : [
            {
              path: "host",
              found: `the volume ${quote(volume.volumeName)} lies on ${volume.hosts.join(", ")} alone`,
              remedy: "mount it there, or take a volume of a store that shares them",
            },
          ]),
      ...placesOf(site).problems("path", host, path),
    ];
  });
}
