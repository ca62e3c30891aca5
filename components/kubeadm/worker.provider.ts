import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { joinConfig } from "../render/kubeadm.ts";
import { onHost, type Session } from "../ssh/session.ts";
import { askControlPlane, drain, forget, joinToken, mustBeReached } from "./control-plane.ts";
import {
  AWAIT_NODE,
  asStopped,
  CLAIM,
  identity,
  isIn,
  isOtherwise,
  JOINED,
  leave,
  type NodeInputs,
  nodeAsFound,
  nodeState,
  PRELUDE,
  previewNode,
  RESET,
  type Role,
  refuseSecondSelf,
  SETTLE,
  START_KUBELET,
  self,
  settling,
} from "./node.ts";
import { START_POD_NETWORK } from "./pod-network.ts";

export interface WorkerInputs extends NodeInputs {
  /** Every member of the control plane, by name: whichever answers is asked. */
  controlPlane: Record<string, Connection>;
  /** Seconds that a removal gives the pods to go elsewhere. */
  drainSeconds: number;
}

export interface WorkerOutputs {
  /** Name of the node in the cluster. */
  nodeName: string;
}

const JOIN = `${CLAIM}
if joined_here && [ -e /etc/kubernetes/kubelet.conf ]; then
  # A node that was deleted is registered again by a kubelet that starts.
  systemctl restart kubelet
  exit 0
fi
# What a join left that was cut.
if [ -e /etc/kubernetes/kubelet.conf ] || [ -e /etc/kubernetes/bootstrap-kubelet.conf ]; then
${RESET}
fi
systemctl enable kubelet >&2
${START_POD_NETWORK}
kubeadm join --config "$CONFIG" --ignore-preflight-errors "$IGNORE" >&2
${JOINED}`;

const role: Role = "worker";

/** A host that is a worker of the cluster: kubeadm's join, and its undoing. */
export const worker: ResourceType<WorkerInputs, WorkerOutputs> = {
  token: "spillway:kubeadm:Worker",
  computed: ["nodeName"],
  unfinishedId: ({ node }) => node.name,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, {
      ignore: ["connection", "controlPlane", "ignorePreflight", "drainSeconds"],
      replaceOn: ["owner", "cluster", "endpoint", "caHash", "podRange"],
    }),

  preview: (context, inputs) => previewNode(context, inputs, role),

  async create(context, inputs) {
    const live = await mustAnswer(inputs, context);
    const { node } = inputs;
    const look = (session: Session) => nodeState(session, inputs, role, context);
    const found = await onHost(inputs.connection, context, look);
    refuseSecondSelf(found, role, node.name);
    const joining = { endpoint: inputs.endpoint, caHash: inputs.caHash };
    const token = isIn(found) ? "" : await joinToken(live, context);
    context.progress(`${node.name}: joining the cluster`);
    await onHost(inputs.connection, context, (session) =>
      session.step(
        {
          name: `join-${node.name}`,
          text: JOIN,
          values: {
            ...identity(inputs),
            ...self(role, inputs),
            IGNORE: inputs.ignorePreflight.join(","),
          },
          secretFiles: { CONFIG: joinConfig(node, { ...joining, token }) },
          timeoutSeconds: 600,
        },
        context,
      ),
    );
    await settle(live, inputs, context);
    return { id: node.name, outputs: { nodeName: node.name } };
  },

  async read(context, old) {
    const look = (session: Session) => nodeState(session, old.inputs, role, context);
    const { state } = await onHost(old.inputs.connection, context, look, { change: false });
    if (!isIn({ state })) return undefined;
    const inputs = await nodeAsFound(old.inputs.controlPlane, old.inputs, context);
    return inputs && { inputs: state === "stopped" ? asStopped(inputs) : inputs, outputs: old.outputs };
  },

  async update(context, _old, inputs) {
    const start = {
      name: "start the kubelet",
      text: `${PRELUDE}${START_KUBELET}`,
      values: { ...identity(inputs), ...self(role, inputs) },
    };
    await onHost(inputs.connection, context, (session) => session.run(start, context));
    await settle(await mustAnswer(inputs, context), inputs, context);
    return { nodeName: inputs.node.name };
  },

  async delete(context, { inputs }) {
    if (await isOtherwise(inputs, role, context)) return;
    const view = await askControlPlane(inputs.controlPlane, inputs, context);
    await mustBeReached(view, context);
    const { live } = view;
    if (live) await drain(live, inputs, context, inputs.drainSeconds);
    else context.warn(`no control plane answers: ${inputs.node.name} is reset without being drained`);
    await leave(inputs, context);
    if (live) await forget(live, inputs, context);
  },
};

async function mustAnswer(inputs: WorkerInputs, context: Context): Promise<Connection> {
  const { live, silent } = await askControlPlane(inputs.controlPlane, inputs, context);
  if (live) return live;
  throw new Refusal(`worker ${inputs.node.name}`, [
    {
      path: "controlPlane",
      found: `no API answers on ${Object.keys(inputs.controlPlane).join(", ")}${silent.length > 0 ? ` (silent: ${silent.join(", ")})` : ""}`,
      remedy: "see that the control plane's hosts are up, then run again",
    },
  ]);
}

async function settle(live: Connection, inputs: WorkerInputs, context: Context): Promise<void> {
  const values = { ...identity(inputs), ...settling(inputs) };
  const script = {
    name: `settle ${inputs.node.name}`,
    text: `${PRELUDE}${AWAIT_NODE}${SETTLE}`,
    values,
    timeoutSeconds: 300,
  };
  context.progress(`${inputs.node.name}: waiting until the node is ready`);
  await onHost(live, context, (session) => session.run(script, context));
}
