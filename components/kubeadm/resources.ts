import type * as pulumi from "@pulumi/pulumi";
import { type Args, PluginResource } from "../provider/plugin.ts";
import type { ControlPlaneMemberInputs } from "./control-plane-member.provider.ts";
import type { WorkerInputs } from "./worker.provider.ts";

/** A host that is a member of a cluster's control plane. */
export class ControlPlaneMember extends PluginResource {
  declare readonly nodeName: pulumi.Output<string>;
  /** Earliest end of the certificates that kubeadm made on the host, RFC 3339. */
  declare readonly certificateExpiry: pulumi.Output<string>;

  constructor(name: string, args: Args<ControlPlaneMemberInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:kubeadm:ControlPlaneMember", name, args, ["nodeName", "certificateExpiry"], opts);
  }
}

/** A host that is a worker of a cluster. */
export class Worker extends PluginResource {
  declare readonly nodeName: pulumi.Output<string>;

  constructor(name: string, args: Args<WorkerInputs>, opts?: pulumi.CustomResourceOptions) {
    super("spillway:kubeadm:Worker", name, args, ["nodeName"], opts);
  }
}
