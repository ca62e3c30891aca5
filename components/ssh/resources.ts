import type * as pulumi from "@pulumi/pulumi";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { HostStateArgs } from "./host-state.ts";
import type { PreflightArgs } from "./preflight.ts";

/**
 * What shall be on a host: packages, files, kernel settings, units, mounts. `preview` shows the very
 * path that changes, `refresh` finds drift, deleting takes back exactly what was put.
 *
 * @example
 * new HostState("motd", { connection: site.connection("w1"), name: "motd", files: { "/etc/motd": { content: "hello\n", overwrite: true } } });
 */
export class HostState extends PluginResource {
  constructor(name: string, args: Args<HostStateArgs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ssh:HostState", name, args, [], opts);
  }
}

/** Looks at all hosts at once, before anything is changed, and refuses with every problem found. */
export class Preflight extends PluginResource {
  /** Whom hosts know as their owner: as it was called first, whatever its stack is called by now, and a number of its state. */
  declare readonly owner: pulumi.Output<string>;

  constructor(name: string, args: Args<PreflightArgs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:ssh:Preflight", name, args, ["owner"], opts);
  }
}
