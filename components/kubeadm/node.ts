import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import type { NodeSettings, Taint } from "../render/kubeadm.ts";
import { NOTE } from "../ssh/note.ts";
import { ConnectionError, onHost, type Session } from "../ssh/session.ts";
import { END_STEP } from "../ssh/step.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { STOP_POD_NETWORK } from "./pod-network.ts";

/** What every node of a cluster is made from, whatever its role. */
export interface NodeInputs {
  connection: Connection;
  /** Stack and cluster that own the host; a host of another owner is never touched. */
  owner: string;
  /** Identity of the cluster, which a new state of the same stack does not share. */
  cluster: string;
  /** Stable name and port of the API. */
  endpoint: string;
  /** `sha256:...` of the cluster authority's public key, which a joining node pins. */
  caHash: string;
  node: NodeSettings;
  /** Range of the node's pods. */
  podRange: string;
  /** Labels of the node. */
  labels: Record<string, string>;
  /** Checks of kubeadm that do not hold in a container. */
  ignorePreflight: string[];
}

/** What a node is in its cluster. */
export type Role = "control plane member" | "worker";

/** How far a host is on its way into the cluster; `otherwise` has joined it in another role or under another name. */
export interface NodeState {
  state: "absent" | "unfinished" | "joined" | "stopped" | "otherwise" | "foreign";
  /** Role and name under which a host joined `otherwise`. */
  as: string;
}

/** What the host's marker says of a node, in the values that scripts compare it with. */
export const self = (role: Role, { node }: NodeInputs) => ({
  SELF: `${role} ${node.name}`,
  ADDRESS: node.address,
});

/** Shell text that every script about a node begins with. A marker that is empty is none. */
export const PRELUDE = `
export KUBECONFIG=/etc/kubernetes/admin.conf
owner=/var/lib/spillway/owner
identity=/var/lib/spillway/cluster
marker=/var/lib/spillway/joined
claimed() { [ -s "$owner" ] || [ -s "$identity" ]; }
foreign() {
  { [ -s "$owner" ] && [ "$(cat "$owner")" != "$OWNER" ]; } ||
    { [ -s "$identity" ] && [ "$(cat "$identity")" != "$CLUSTER" ]; }
}
joined() { [ -s "$marker" ] && ! foreign; }
# A node does not follow its machine to another address: it joins anew.
joined_here() { joined && [ "$(cat "$marker")" = "$SELF at $ADDRESS" ]; }
`;

const STATE = `${PRELUDE}
if foreign; then echo foreign
elif joined && case $(cat "$marker") in "$SELF at "*) false ;; *) true ;; esac; then echo "otherwise $(cat "$marker")"
elif joined_here && [ -e /etc/kubernetes/kubelet.conf ]; then
  if systemctl -q is-active kubelet; then echo joined; else echo stopped; fi
elif claimed; then echo unfinished
elif [ -e /etc/kubernetes/kubelet.conf ]; then echo foreign
else echo absent
fi
`;

/** Whether a host is in the cluster, with or without a kubelet that runs. */
export const isIn = ({ state }: Pick<NodeState, "state">): boolean =>
  state === "joined" || state === "stopped";

/** Inputs as if others had changed them: the next update starts the kubelet. */
export const asStopped = <I extends NodeInputs>(inputs: I): I => ({
  ...inputs,
  labels: { ...inputs.labels, kubelet: "stopped" },
});

export const START_KUBELET = `
if joined && ! systemctl -q is-active kubelet; then
  systemctl reset-failed kubelet 2>/dev/null || :
  systemctl start kubelet
fi
`;

/** Looks how far the host is. */
export async function nodeState(
  session: Session,
  inputs: NodeInputs,
  role: Role,
  context: Context,
): Promise<NodeState> {
  const values = { ...identity(inputs), ...self(role, inputs) };
  const answer = await session.run({ name: "look for a node", text: STATE, values }, context);
  const [state, ...as] = answer.trim().split(" ");
  return { state: state as NodeState["state"], as: as.join(" ") };
}

/**
 * A join would reset the host under its running pods, or its etcd, and the removal of its former self
 * after it would take the new one down.
 */
export function refuseSecondSelf({ state, as }: NodeState, role: Role, name: string): void {
  if (state !== "otherwise") return;
  const path = role === "worker" ? "pools" : "controlPlane";
  const found = `the machine of ${name} is in this cluster already, as ${as}`;
  const remedy = "take it out of there with one `pulumi up`, and name it here with the next";
  throw new Refusal(`${role} ${name}`, [{ path, found, remedy }]);
}

/** Looks at the host before anything is changed. */
export async function previewNode(context: Context, inputs: NodeInputs, role: Role): Promise<void> {
  const look = (session: Session) => nodeState(session, inputs, role, context);
  const state = await onHost(inputs.connection, context, look, { change: false });
  refuseSecondSelf(state, role, inputs.node.name);
}

/** Whether a resource has nothing on its host, because a refused join left it beside what the host really is. */
export async function isOtherwise(inputs: NodeInputs, role: Role, context: Context): Promise<boolean> {
  const look = (session: Session) => nodeState(session, inputs, role, context);
  try {
    return (await onHost(inputs.connection, context, look, { change: false })).state === "otherwise";
  } catch (error) {
    if (error instanceof ConnectionError) return false;
    throw error;
  }
}

/** The values that PRELUDE reads. */
export const identity = ({ owner, cluster }: NodeInputs) => ({ OWNER: owner, CLUSTER: cluster });

/** Begins a join or init: whose the host is gets known before anything else does. */
export const CLAIM = `${PRELUDE}${NOTE}
if foreign; then
  echo "this host belongs to another cluster or state ($(cat "$owner" 2>/dev/null)); destroy that one first, or reset the host" >&2
  exit 3
fi
if ! claimed && [ -e /etc/kubernetes/kubelet.conf ]; then
  echo "this host is a node of a cluster that Spillway did not make; reset it (kubeadm reset) or name another" >&2
  exit 3
fi
mkdir -p /var/lib/spillway
note "$owner" "$OWNER"
note "$identity" "$CLUSTER"
`;

/** Ends a join or init that came to its end. */
export const JOINED = `note "$marker" "$SELF at $ADDRESS"
`;

/** Takes kubeadm's traces away, and those of the pods that ran. */
export const RESET = `
systemctl stop kubelet 2>/dev/null || :
if [ -e /etc/kubernetes ] && command -v kubeadm >/dev/null; then
  kubeadm reset --force --cleanup-tmp-dir >&2 || :
fi
for target in $(awk '$2 ~ "^/var/lib/kubelet/" {print $2}' /proc/mounts | sort -r); do umount -l "$target" || :; done
# A volume may be a bind mount of the same file system, which keeps no find from going on.
if grep -q ' /var/lib/kubelet/' /proc/mounts; then
  echo "volumes of pods are still mounted below /var/lib/kubelet: unmount them, then run again" >&2
  exit 1
fi
rm -rf /etc/kubernetes /var/lib/cni /var/log/pods /var/log/containers /var/log/kubernetes /var/lib/spillway/joined
# Another etcd may have its data beside.
rm -rf --one-file-system /var/lib/etcd/member
[ ! -d /var/lib/kubelet ] || find /var/lib/kubelet -mindepth 1 -xdev -delete 2>/dev/null || :
`;

/** Behind RESET, when the host leaves for good: rules, interfaces and images of the cluster. */
export const LEAVE = `${RESET}${STOP_POD_NETWORK}
if command -v ctr >/dev/null && systemctl -q is-active containerd; then
  ctr -n k8s.io images ls -q | xargs -r ctr -n k8s.io images rm >/dev/null || :
fi
for folder in /var/lib/etcd /var/lib/kubelet; do rmdir "$folder" 2>/dev/null || :; done
for name in owner cluster joined; do rm -f "/var/lib/spillway/$name" "/var/lib/spillway/$name.new"; done
rmdir /var/lib/spillway 2>/dev/null || :
`;

/**
 * Behind a join or init, before anything is asked of the API: after a loss of power it is away for
 * seconds, and refuses its own administrator for some more.
 */
export const AWAIT_NODE = `
turns=0
until kubectl --request-timeout=5s get node "$NODE" >/dev/null 2>&1 || [ "$turns" -ge 60 ]; do
  sleep 1; turns=$((turns + 1))
done
`;

/** Annotations in which a node names which of its labels (keys) and taints (`key:effect`) are the program's. */
const LABELS_ANNOTATION = "spillway.io/labels";
const TAINTS_ANNOTATION = "spillway.io/taints";

/**
 * Range, labels and taints of the node, then wait until it is ready. What the annotations name and the
 * program does not goes, also what only an update said that failed; labels and taints of others stay.
 */
export const SETTLE = `
if here=$(kubectl --request-timeout=30s get node "$NODE" --ignore-not-found -o name) && [ -z "$here" ]; then
  echo "the node $NODE is not in the cluster any more; run pulumi refresh, then pulumi up" >&2
  exit 1
fi
# A kubelet may write what it likes into its node's annotations: nothing but keys is taken from them.
ours() {
  words=$(kubectl --request-timeout=30s get node "$NODE" -o "jsonpath={.metadata.annotations.spillway\\.io/$1}")
  printf %s "$words" | tr , '\\n' | grep -xE '[A-Za-z0-9][A-Za-z0-9./_-]*(:[A-Za-z]+)?' || :
}
among() { case " $2 " in *" $1 "*) true ;; *) false ;; esac; }
listed() { echo $* | tr ' ' ,; }
old_labels=$(ours labels)
old_taints=$(ours taints)
# Named before they are there: a run that is cut leaves none that nobody knows.
kubectl --request-timeout=30s annotate node "$NODE" --overwrite \\
  "${LABELS_ANNOTATION}=$(listed $old_labels $LABELS)" "${TAINTS_ANNOTATION}=$(listed $old_taints $TAINT_KEYS)" >&2
for label in $old_labels; do
  among "$label" "$LABELS" || kubectl --request-timeout=30s label node "$NODE" "$label-" >&2
done
for taint in $TAINTS; do kubectl --request-timeout=30s taint node "$NODE" "$taint" --overwrite >&2; done
for taint in $old_taints; do
  among "$taint" "$TAINT_KEYS" || kubectl --request-timeout=30s taint node "$NODE" "$taint-" >&2 || :
done
kubectl --request-timeout=30s patch node "$NODE" --type=merge -p "$PATCH" >&2
# In short turns: an API that goes away under a wait is not noticed by it.
end=$(($(date +%s) + 150))
until kubectl wait --for=condition=Ready "node/$NODE" --timeout=20s >&2; do
  if [ "$(date +%s)" -ge "$end" ]; then
    kubectl --request-timeout=10s get node "$NODE" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].message}' >&2 || :
    echo "; the node $NODE did not become ready in 150 s: see journalctl -u kubelet and of its network's daemon on it, then run again" >&2
    exit 1
  fi
  sleep 1
done
`;

/** The values of SETTLE: what the program says of a node. */
export function settling({ node, labels, podRange }: NodeInputs): Record<string, string> {
  const keys = Object.keys(labels);
  const taints = node.taints.map(taintKey);
  const patch = {
    metadata: {
      labels,
      annotations: { [LABELS_ANNOTATION]: keys.join(","), [TAINTS_ANNOTATION]: taints.join(",") },
    },
    spec: { podCIDR: podRange, podCIDRs: [podRange] },
  };
  return {
    NODE: node.name,
    PATCH: JSON.stringify(patch),
    LABELS: keys.join(" "),
    TAINTS: node.taints.map(({ key, value = "", effect }) => `${key}=${value}:${effect}`).join(" "),
    TAINT_KEYS: taints.join(" "),
  };
}

const taintKey = ({ key, effect }: Taint) => `${key}:${effect}`;

const OBSERVE = `${PRELUDE}
joined || exit 0
found=$(kubectl --request-timeout=10s get node "$NODE" --ignore-not-found -o json 2>/dev/null) || exit 0
printf '%s\\n' "\${found:-absent}"
`;

/** A node as the API shows it. */
export interface ObservedNode {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { taints?: Taint[] };
}

/**
 * Inputs as the cluster shows the node: of labels and taints those that are ours. `undefined` when it is not
 * in the cluster; as they were when no API answers.
 */
export async function nodeAsFound<I extends NodeInputs>(
  members: Record<string, Connection>,
  inputs: I,
  context: Context,
): Promise<I | undefined> {
  const values = { ...identity(inputs), NODE: inputs.node.name };
  const script = { name: `look for node ${inputs.node.name}`, text: OBSERVE, values, timeoutSeconds: 30 };
  for (const member of Object.values(members)) {
    const look = (session: Session) => session.run(script, context);
    const answer = await onHost(member, context, look, { change: false }).catch((error: unknown) => {
      if (error instanceof ConnectionError) return "";
      throw error;
    });
    if (answer.trim() === "absent") return undefined;
    if (answer.trim() !== "") return asFound(inputs, JSON.parse(answer) as ObservedNode);
  }
  return inputs;
}

/** Inputs with the node's own labels and taints: those that they name or that its annotations do. */
export function asFound<I extends NodeInputs>(inputs: I, { metadata, spec }: ObservedNode): I {
  const { labels: found = {}, annotations = {} } = metadata;
  const named = (annotation: string) => annotations[annotation]?.split(",") ?? [];
  const keys = new Set([...Object.keys(inputs.labels), ...named(LABELS_ANNOTATION)]);
  const labels = [...keys].flatMap((key) => (found[key] === undefined ? [] : [[key, found[key]] as const]));
  const own = inputs.node.taints;
  const known = new Map(spec.taints?.map((taint) => [taintKey(taint), taint]));
  const taints = [...new Set([...own.map(taintKey), ...named(TAINTS_ANNOTATION)])].flatMap((name) => {
    const taint = known.get(name);
    if (!taint) return [];
    const same = own.find((one) => taintKey(one) === name && (one.value ?? "") === (taint.value ?? ""));
    return [same ?? { key: taint.key, ...(taint.value ? { value: taint.value } : {}), effect: taint.effect }];
  });
  return { ...inputs, labels: Object.fromEntries(labels), node: { ...inputs.node, taints } };
}

/** Resets the host, also from an init or join that still runs because nobody waited for it. */
export async function leave(inputs: NodeInputs, context: Context): Promise<void> {
  const values = { ...identity(inputs), NODE: inputs.node.name };
  const text = `${PRELUDE}${END_STEP}
if ! claimed || foreign; then exit 0; fi
end_step "enter-$NODE"
end_step "join-$NODE"
${LEAVE}`;
  const step = { name: `leave-${inputs.node.name}`, text, values, timeoutSeconds: 300 };
  await orGiveUp(context, () => onHost(inputs.connection, context, (session) => session.step(step, context)));
}
