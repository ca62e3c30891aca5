import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import type { NodeSettings } from "../render/kubeadm.ts";
import { ConnectionError, onHost, type Session } from "../ssh/session.ts";
import { END_STEP } from "../ssh/step.ts";
import { orGiveUp } from "../ssh/unreachable.ts";

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
  state: "absent" | "unfinished" | "joined" | "otherwise" | "foreign";
  /** Role and name under which a host joined `otherwise`. */
  as: string;
}

/** What the host's marker says of a node, in the values that scripts compare it with. */
export const self = (role: Role, { node }: NodeInputs) => ({
  SELF: `${role} ${node.name}`,
  ADDRESS: node.address,
});

/** Shell text that every script about a node begins with. */
export const PRELUDE = `
export KUBECONFIG=/etc/kubernetes/admin.conf
owner=/var/lib/spillway/owner
identity=/var/lib/spillway/cluster
marker=/var/lib/spillway/joined
claimed() { [ -e "$owner" ]; }
foreign() {
  { claimed && [ "$(cat "$owner")" != "$OWNER" ]; } ||
    { [ -e "$identity" ] && [ "$(cat "$identity")" != "$CLUSTER" ]; }
}
joined() { [ -e "$marker" ] && ! foreign; }
# A node does not follow its machine to another address: it joins anew.
joined_here() { joined && [ "$(cat "$marker")" = "$SELF at $ADDRESS" ]; }
`;

const STATE = `${PRELUDE}
if foreign; then echo foreign
elif joined && case $(cat "$marker") in "$SELF at "*) false ;; *) true ;; esac; then echo "otherwise $(cat "$marker")"
elif joined_here && [ -e /etc/kubernetes/kubelet.conf ] && systemctl -q is-active kubelet; then echo joined
elif claimed; then echo unfinished
elif [ -e /etc/kubernetes/kubelet.conf ]; then echo foreign
else echo absent
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
export const CLAIM = `${PRELUDE}
if foreign; then
  echo "this host belongs to another cluster or state ($(cat "$owner")); destroy that one first, or reset the host" >&2
  exit 3
fi
if ! claimed && [ -e /etc/kubernetes/kubelet.conf ]; then
  echo "this host is a node of a cluster that Spillway did not make; reset it (kubeadm reset) or name another" >&2
  exit 3
fi
mkdir -p /var/lib/spillway
printf %s "$OWNER" >"$owner"
printf %s "$CLUSTER" >"$identity"
`;

/** Takes kubeadm's traces away, and those of the pods that ran. */
export const RESET = `
systemctl stop kubelet 2>/dev/null || :
if [ -e /etc/kubernetes ] && command -v kubeadm >/dev/null; then
  kubeadm reset --force --cleanup-tmp-dir >&2 || :
fi
for target in $(awk '$2 ~ "^/var/lib/kubelet/" {print $2}' /proc/mounts | sort -r); do umount -l "$target" || :; done
rm -rf /etc/kubernetes /var/lib/cni /var/log/pods /var/log/containers /var/log/kubernetes /var/lib/spillway/joined
for folder in /var/lib/etcd /var/lib/kubelet; do
  [ ! -d "$folder" ] || find "$folder" -mindepth 1 -xdev -delete 2>/dev/null || :
done
`;

/** Behind RESET, when the host leaves for good: rules, interfaces and images of the cluster. */
export const LEAVE = `${RESET}
# It would put its rules back as long as it runs.
systemctl stop flanneld 2>/dev/null || :
for tool in iptables ip6tables; do
  command -v $tool-save >/dev/null || continue
  $tool-save 2>/dev/null | grep -Ev '(KUBE-|CNI-|FLANNEL)' | $tool-restore 2>/dev/null || :
done
for link in cni0 flannel.1; do ip link delete $link 2>/dev/null || :; done
if command -v ctr >/dev/null && systemctl -q is-active containerd; then
  ctr -n k8s.io images ls -q | xargs -r ctr -n k8s.io images rm >/dev/null || :
fi
for folder in /var/lib/etcd /var/lib/kubelet; do rmdir "$folder" 2>/dev/null || :; done
rm -f /var/lib/spillway/owner /var/lib/spillway/cluster
rmdir /var/lib/spillway 2>/dev/null || :
`;

/** Before a join or init: the overlay's daemon, which LEAVE may have stopped. */
export const START_OVERLAY = `
if [ -e /etc/systemd/system/flanneld.service ]; then systemctl start flanneld; fi
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

/** Range, labels and taints of the node, then wait until it is ready. */
export const SETTLE = `
kubectl --request-timeout=30s patch node "$NODE" --type=merge -p "$PATCH" >&2
kubectl wait --for=condition=Ready "node/$NODE" --timeout=180s >&2
`;

/** Patch that gives a node what the program says of it; labels that went are taken off. */
export function nodePatch(inputs: NodeInputs, gone: readonly string[] = []): string {
  const removed = Object.fromEntries(gone.map((label) => [label, null]));
  return JSON.stringify({
    metadata: { labels: { ...removed, ...inputs.labels } },
    spec: { podCIDR: inputs.podRange, podCIDRs: [inputs.podRange], taints: inputs.node.taints },
  });
}

const READY = `${PRELUDE}
if joined && kubectl --request-timeout=5s get --raw=/readyz >/dev/null 2>&1; then echo ready
elif claimed && ! foreign && [ -e /etc/kubernetes ]; then echo silent
else echo absent
fi
`;

/** What the control plane's hosts answer. */
export interface ControlPlaneView {
  /** A member whose API answers. @default none does */
  live?: Connection;
  /** Hosts that belong to the cluster but whose API does not answer, or that were not reached. */
  silent: string[];
  /** Why one of them was not reached. @default all were */
  unreached?: ConnectionError;
}

/** Asks the members in parallel; the first by name of those that answer is taken. */
export async function askControlPlane(
  members: Record<string, Connection>,
  inputs: NodeInputs,
  context: Context,
): Promise<ControlPlaneView> {
  const script = { name: "ask the API", text: READY, values: identity(inputs), timeoutSeconds: 20 };
  let unreached: ConnectionError | undefined;
  const answers = await Promise.all(
    Object.entries(members).map(async ([name, connection]) => {
      const look = (session: Session) => session.run(script, context);
      const answer = await onHost(connection, context, look, { change: false }).catch((error: unknown) => {
        if (!(error instanceof ConnectionError)) throw error;
        unreached = error;
        return "silent";
      });
      return { name, connection, answer: answer.trim() };
    }),
  );
  return {
    live: answers.find(({ answer }) => answer === "ready")?.connection,
    silent: answers.filter(({ answer }) => answer === "silent").map(({ name }) => name),
    unreached,
  };
}

/** Stops a removal that the cluster cannot be told of: the node, or a vote in etcd, would be left in it. */
export async function mustBeReached({ live, unreached }: ControlPlaneView, context: Context): Promise<void> {
  if (!live && unreached) await orGiveUp(context, () => Promise.reject(unreached));
}

/*
 * A join that comes before the controller manager has signed the cluster's introduction for its token
 * asks again only after five seconds, hence the wait.
 */
const TOKEN = `${PRELUDE}
token=$(kubeadm token create --ttl 15m --description "made by Spillway for one join" 2>/dev/null)
keys='{{range $key, $value := .data}} {{$key}} {{end}}'
signed() {
  found=$(kubectl --request-timeout=5s -n kube-public get configmap cluster-info -o "go-template=$keys" || :)
  case $found in *" jws-kubeconfig-\${token%%.*} "*) true ;; *) false ;; esac
}
turns=0
until signed || [ "$turns" -ge 30 ]; do sleep 0.2; turns=$((turns + 1)); done
echo "$token"
`;

/** A join token that ends after fifteen minutes; a secret. */
export async function joinToken(live: Connection, context: Context): Promise<string> {
  const script = { name: "make a join token", text: TOKEN, timeoutSeconds: 60 };
  return (await onHost(live, context, (session) => session.run(script, context))).trim();
}

const DRAIN = `${PRELUDE}
kubectl --request-timeout=30s get node "$NODE" >/dev/null 2>&1 || exit 0
# The kubelet of a node that is not ready ends no pod: nothing would come of waiting.
ready() {
  status=$(kubectl --request-timeout=30s get node "$NODE" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')
  [ "$status" = True ]
}
empty() { kubectl drain "$NODE" --ignore-daemonsets --delete-emptydir-data --force --timeout="$LIMIT"s >&2; }
if ! ready || empty; then exit 0; fi
if ready; then
  echo "its pods do not go elsewhere; see whether a PodDisruptionBudget holds them (kubectl get pdb -A), then run again" >&2
  exit 1
fi
`;

/** Moves the pods of a node elsewhere, bounded. */
export async function drain(
  live: Connection,
  inputs: NodeInputs,
  context: Context,
  seconds: number,
): Promise<void> {
  const values = { ...identity(inputs), NODE: inputs.node.name, LIMIT: String(seconds) };
  const script = { name: `drain ${inputs.node.name}`, text: DRAIN, values, timeoutSeconds: seconds + 60 };
  await onHost(live, context, (session) => session.run(script, context));
}

const FORGET = `${PRELUDE}
kubectl --request-timeout=30s delete node "$NODE" --ignore-not-found >&2
`;

/** Takes a node whose host has left out of the cluster. */
export async function forget(live: Connection, inputs: NodeInputs, context: Context): Promise<void> {
  const values = { ...identity(inputs), NODE: inputs.node.name };
  const script = { name: `delete node ${inputs.node.name}`, text: FORGET, values, timeoutSeconds: 60 };
  await onHost(live, context, (session) => session.run(script, context));
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
