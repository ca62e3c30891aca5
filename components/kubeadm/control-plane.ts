import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../model/connection.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, onHost, type Session } from "../ssh/session.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { identity, type NodeInputs, PRELUDE } from "./node.ts";

/* What is asked of the cluster, through a member of its control plane that answers. */

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

/** How long an API may take to come back after its machine lost power. */
const API_SECONDS = 60;

/**
 * Asks the members in parallel; the first by name of those that answer is taken. One whose machine
 * answers and whose API does not is waited for.
 */
export async function askControlPlane(
  members: Record<string, Connection>,
  inputs: NodeInputs,
  context: Context,
): Promise<ControlPlaneView> {
  for (const until = Date.now() + API_SECONDS * 1000; ; ) {
    const view = await askOnce(members, inputs, context);
    const { live, silent, unreached } = view;
    if (live || unreached || silent.length === 0 || context.signal.aborted || Date.now() > until) return view;
    context.progress(`waiting for the API on ${silent.join(", ")}`);
    await sleep(2000);
  }
}

async function askOnce(
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
token=$(kubeadm token create --ttl 15m --description "made by Spillway for one join")
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

/*
 * An API server that began a moment ago refuses what it has not read the rights to yet, which failed a
 * destroy: https://github.com/kubernetes/kubernetes/issues/121635. And its address moves among members.
 */
const PATIENTLY = `
patiently() {
  turns=0
  until kubectl --request-timeout=30s "$@"; do
    turns=$((turns + 1))
    [ "$turns" -lt 10 ] || return 1
    sleep 2
  done
}
`;

/*
 * In short turns: a budget that holds a pod may give way when another node is ready, and when the last node
 * that could take pods leaves as well, as in a destroy, there is nothing to move them to.
 */
const DRAIN = `${PRELUDE}${PATIENTLY}
status() {
  patiently get node "$NODE" --ignore-not-found -o 'jsonpath={.metadata.name} {.status.conditions[?(@.type=="Ready")].status}'
}
now=$(status) || exit 1
if [ -z "$now" ]; then exit 0; fi
# The kubelet of a node that is not ready ends no pod: nothing would come of waiting.
ready() {
  now=$(status) || exit 1
  case $now in *" True") ;; *) return 1 ;; esac
}
room() {
  nodes=$(patiently get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.spec.taints[*].effect}{"\\n"}{end}') || exit 1
  printf '%s\\n' "$nodes" |
    awk -v self="$NODE" '$1 != self && $2 == "True" && !/ NoSchedule/ && !/ NoExecute/ { found = 1 } END { exit !found }'
}
patiently cordon "$NODE" >&2
end=$(($(date +%s) + LIMIT))
while ready; do
  room || exit 0
  if said=$(kubectl drain "$NODE" --ignore-daemonsets --delete-emptydir-data --force --timeout=10s 2>&1); then exit 0; fi
  if [ "$(date +%s)" -ge "$end" ]; then
    patiently uncordon "$NODE" >&2
    printf '%s\\n' "$said" | tail -n 3 >&2
    echo "its pods do not go elsewhere; see whether a PodDisruptionBudget holds them (kubectl get pdb -A), then run again" >&2
    exit 1
  fi
done
`;

/** Moves the pods of a node elsewhere, bounded. */
export async function drain(
  live: Connection,
  inputs: NodeInputs,
  context: Context,
  seconds: number,
): Promise<void> {
  context.progress(`${inputs.node.name}: moving its pods elsewhere, for up to ${seconds} s`);
  const values = { ...identity(inputs), NODE: inputs.node.name, LIMIT: String(seconds) };
  const script = { name: `drain ${inputs.node.name}`, text: DRAIN, values, timeoutSeconds: seconds + 60 };
  await onHost(live, context, (session) => session.run(script, context));
}

const FORGET = `${PRELUDE}${PATIENTLY}
patiently delete node "$NODE" --ignore-not-found >&2
`;

/** Takes a node whose host has left out of the cluster. */
export async function forget(live: Connection, inputs: NodeInputs, context: Context): Promise<void> {
  const values = { ...identity(inputs), NODE: inputs.node.name };
  const script = { name: `delete node ${inputs.node.name}`, text: FORGET, values, timeoutSeconds: 120 };
  await onHost(live, context, (session) => session.run(script, context));
}
