import type { Connection } from "../model/connection.ts";
import { Refusal } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { joinConfig } from "../render/kubeadm.ts";
import { goneManifests } from "../render/manifests.ts";
import { onHost, type Session } from "../ssh/session.ts";
import { GIVE_UP, givesUp, orGiveUp } from "../ssh/unreachable.ts";
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
import { type EtcdMember, removalProblem } from "./quorum.ts";

/** The cluster's authorities and signing keys, PEM; they come from the state, so that every member is alike. */
export interface ClusterKeys {
  caCertificate: string;
  caKey: string;
  etcdCaCertificate: string;
  etcdCaKey: string;
  frontProxyCaCertificate: string;
  frontProxyCaKey: string;
  serviceAccountKey: string;
  serviceAccountPublicKey: string;
}

export interface ControlPlaneMemberInputs extends NodeInputs {
  /** The other members, by name. */
  peers: Record<string, Connection>;
  /** Configuration of `kubeadm init`, for the case that there is no cluster yet. */
  initConfig: string;
  /** Port of the API server. */
  apiPort: number;
  /** Secret. */
  keys: ClusterKeys;
  /** Images by digest of what kubeadm itself can only name by tag. */
  images: { coredns?: string; kubeProxy?: string };
  /** What belongs to the cluster itself, such as the rights of the pod network; YAML. */
  manifests: string;
}

export interface ControlPlaneMemberOutputs {
  /** Name of the node in the cluster. */
  nodeName: string;
  /** Earliest end of the certificates that kubeadm made, RFC 3339; `kubeadm certs renew` moves it. */
  certificateExpiry: string;
}

const KEYS = `
umask 077
mkdir -p /etc/kubernetes/pki/etcd
install -m 0644 "$CA_CERTIFICATE" /etc/kubernetes/pki/ca.crt
install -m 0600 "$CA_KEY" /etc/kubernetes/pki/ca.key
install -m 0644 "$ETCD_CA_CERTIFICATE" /etc/kubernetes/pki/etcd/ca.crt
install -m 0600 "$ETCD_CA_KEY" /etc/kubernetes/pki/etcd/ca.key
install -m 0644 "$FRONT_PROXY_CA_CERTIFICATE" /etc/kubernetes/pki/front-proxy-ca.crt
install -m 0600 "$FRONT_PROXY_CA_KEY" /etc/kubernetes/pki/front-proxy-ca.key
install -m 0600 "$SERVICE_ACCOUNT_KEY" /etc/kubernetes/pki/sa.key
install -m 0644 "$SERVICE_ACCOUNT_PUBLIC_KEY" /etc/kubernetes/pki/sa.pub
umask 022
`;

const ENTER = `${CLAIM}
if joined_here && [ -e /etc/kubernetes/admin.conf ]; then
  # A node that was deleted is registered again by a kubelet that starts.
  systemctl restart kubelet
  exit 0
fi
# What an init or join left that was cut.
if [ -e /etc/kubernetes ] || [ -e /var/lib/etcd/member ]; then
${RESET}
fi
${KEYS}
systemctl enable kubelet >&2
${START_POD_NETWORK}
if [ "$ROLE" = init ]; then
  kubeadm init --config "$CONFIG" --skip-token-print --ignore-preflight-errors "$IGNORE" >&2
else
  kubeadm join --config "$CONFIG" --ignore-preflight-errors "$IGNORE" >&2
fi
${JOINED}`;

const FURNISH = `${PRELUDE}${START_KUBELET}${AWAIT_NODE}
[ ! -s "$GONE" ] || kubectl --request-timeout=30s delete --ignore-not-found -f "$GONE" >&2
# Kinds that a daemon of the network brings come a little after it.
end=$(($(date +%s) + 150))
until [ ! -s "$MANIFESTS" ] ||
  kubectl --request-timeout=30s apply --server-side --force-conflicts --field-manager=spillway -f "$MANIFESTS" >&2; do
  [ "$(date +%s)" -lt "$end" ] || exit 1
  sleep 2
done
[ -z "$KUBE_PROXY" ] || kubectl -n kube-system set image daemonset/kube-proxy kube-proxy="$KUBE_PROXY" >&2
[ -z "$COREDNS" ] || kubectl -n kube-system set image deployment/coredns coredns="$COREDNS" >&2
${SETTLE}
# kubeadm's own marks, which a node that was deleted comes back without.
for mark in node-role.kubernetes.io/control-plane node.kubernetes.io/exclude-from-external-load-balancers; do
  kubectl --request-timeout=30s label node "$NODE" "$mark=" --overwrite >&2
done
kubeadm certs check-expiration -o json
`;

/* What nobody can tell just now is as it was. */
const CERTIFICATES = {
  name: "look at the certificates",
  text: "timeout 20 kubeadm certs check-expiration -o json 2>/dev/null || :",
  timeoutSeconds: 60,
};

const ETCDCTL = `
etcdctl() {
  kubectl -n kube-system exec "etcd-$VIA" -- etcdctl --endpoints=https://127.0.0.1:2379 \\
    --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt \\
    --key=/etc/kubernetes/pki/etcd/healthcheck-client.key "$@"
}
`;

/** Members as "ID NAME URL HEALTH" lines; one that never started has no name. */
const LIST = `${PRELUDE}${ETCDCTL}
members=$(etcdctl member list)
health=$(etcdctl endpoint health --cluster 2>&1) ||
  case $health in *healthy*) ;; *) printf '%s\\n' "$health" >&2; exit 1 ;; esac
printf '%s\\n' "$members" | while IFS= read -r line; do
  id=\${line%%,*}
  name=$(printf %s "$line" | awk -F', ' '{print $3 == "" ? "-" : $3}')
  url=$(printf %s "$line" | awk -F', ' '{print $4}')
  client=$(printf %s "$line" | awk -F', ' '{print $5}')
  if [ -n "$client" ] && printf '%s\\n' "$health" | grep -qF "$client is healthy"; then well=yes; else well=no; fi
  echo "$id $name $url $well"
done
`;

const REMOVE = `${PRELUDE}${ETCDCTL}
etcdctl member remove "$MEMBER" >&2
`;

const role: Role = "control plane member";

/** A host that is a member of the control plane, its etcd stacked: kubeadm's init or join, and its undoing. */
export const controlPlaneMember: ResourceType<ControlPlaneMemberInputs, ControlPlaneMemberOutputs> = {
  token: "spillway:kubeadm:ControlPlaneMember",
  computed: ["nodeName", "certificateExpiry"],
  unfinishedId: ({ node }) => node.name,

  diff(old, inputs) {
    // What a cluster was begun with: the preflight guards what a program says of it.
    const ignore = ["connection", "peers", "ignorePreflight", "initConfig"];
    const difference = differenceOf(old.inputs, inputs, { ignore });
    const fixed = difference.paths.filter((path) => !/^(labels|node\.taints|images|manifests)/.test(path));
    if (fixed.length === 0 || "unfinished" in old.outputs) return difference;
    // A secret's path may be named, its value may not.
    throw new Refusal(`control plane member ${inputs.node.name}`, [
      {
        path: [...new Set(fixed)].join(", "),
        found: "it cannot be changed on a running cluster",
        remedy: "put the former value back; a cluster made otherwise is a new cluster under a new name",
      },
    ]);
  },

  preview: (context, inputs) => previewNode(context, inputs, role),

  async create(context, inputs) {
    const { connection, node } = inputs;
    const look = (session: Session) => nodeState(session, inputs, role, context);
    const found = await onHost(connection, context, look);
    refuseSecondSelf(found, role, node.name);
    const config = isIn(found) ? { role: "join", text: "" } : await entry(inputs, context);
    context.progress(
      `${node.name}: ${config.role === "init" ? "making the cluster" : "joining the control plane"}`,
    );
    const certificates = await onHost(connection, context, async (session) => {
      await session.step(enterStep(inputs, config), context);
      context.progress(`${node.name}: waiting until the node is ready`);
      return session.run(furnish(inputs), context);
    });
    return { id: node.name, outputs: outputsOf(inputs, certificates) };
  },

  async read(context, old) {
    const look = async (session: Session) => {
      const { state } = await nodeState(session, old.inputs, role, context);
      return { state, certificates: isIn({ state }) ? await session.run(CERTIFICATES, context) : "" };
    };
    const { state, certificates } = await onHost(old.inputs.connection, context, look, { change: false });
    if (!isIn({ state })) return undefined;
    const { node, connection, peers } = old.inputs;
    const inputs = await nodeAsFound({ [node.name]: connection, ...peers }, old.inputs, context);
    const outputs = certificates.trim() === "" ? old.outputs : outputsOf(old.inputs, certificates);
    return inputs && { inputs: state === "stopped" ? asStopped(inputs) : inputs, outputs };
  },

  async update(context, old, inputs) {
    const script = furnish(inputs, old.inputs);
    const certificates = await onHost(inputs.connection, context, (session) => session.run(script, context));
    return outputsOf(inputs, certificates);
  },

  async delete(context, { inputs }) {
    if (await isOtherwise(inputs, role, context)) return;
    const { node } = inputs;
    const view = await askControlPlane(inputs.peers, inputs, context);
    await mustBeReached(view, context);
    const { live, silent } = view;
    if (!live && silent.length > 0 && !givesUp()) throw quorumUnknown(node.name, silent);
    await orGiveUp(context, () =>
      onHost(inputs.connection, context, (session) => session.run(HELLO, context)),
    );
    if (live) {
      const members = await etcdMembers(live, inputs, context);
      refuseQuorumLoss(members, node.name);
      await drain(live, inputs, context, 120);
      const own = members.filter(({ name }) => name === node.name);
      await removeMembers(live, own, inputs, context);
    }
    await leave(inputs, context);
    if (live) await forget(live, inputs, context);
  },
};

/** A host that does not answer keeps its vote: who reverts the program has it in etcd still. */
const HELLO = { name: "see that the host answers", text: ":" };

function quorumUnknown(name: string, silent: readonly string[]): Error {
  const found = `the API of ${silent.join(", ")} does not answer, so that nobody knows what becomes of etcd's quorum`;
  return new Error(
    `control plane member ${name}: ${found}; bring it back, then run again\n  or, if the cluster is gone for good, run with ${GIVE_UP}`,
  );
}

/** Reads the answer of `kubeadm certs check-expiration`; our own authorities last longer and are left out. */
function outputsOf(inputs: ControlPlaneMemberInputs, answer: string): ControlPlaneMemberOutputs {
  const { certificates } = JSON.parse(answer) as { certificates: { expirationDate: string }[] };
  const ends = certificates.map(({ expirationDate }) => expirationDate).sort();
  return { nodeName: inputs.node.name, certificateExpiry: ends[0] ?? "" };
}

/** How the host gets in: through a member that answers, or by init when there is no cluster yet. */
async function entry(
  inputs: ControlPlaneMemberInputs,
  context: Context,
): Promise<{ role: string; text: string }> {
  const { live, silent } = await askControlPlane(inputs.peers, inputs, context);
  if (!live && silent.length > 0) {
    throw new Refusal(`control plane member ${inputs.node.name}`, [
      {
        path: "controlPlane",
        found: `${silent.join(", ")} may hold the cluster but does not answer`,
        remedy: "bring it back, then run again; a second cluster is never made beside it",
      },
    ]);
  }
  if (!live) return { role: "init", text: inputs.initConfig };
  await makeRoom(live, inputs, context);
  const joining = {
    endpoint: inputs.endpoint,
    caHash: inputs.caHash,
    token: await joinToken(live, context),
    controlPlane: { port: inputs.apiPort },
  };
  return { role: "join", text: joinConfig(inputs.node, joining) };
}

/**
 * Takes away what keeps etcd from taking this host: a member of its own that never started, left by a
 * join that was cut, and dead members that the program no longer names, which this host replaces.
 */
async function makeRoom(live: Connection, inputs: ControlPlaneMemberInputs, context: Context): Promise<void> {
  const url = `https://${inputs.node.address}:2380`;
  const members = await etcdMembers(live, inputs, context);
  const isGone = (member: ListedMember) =>
    member.url === url || (!member.healthy && !(member.name in inputs.peers));
  refuseSickCluster(
    members.filter((member) => !isGone(member)),
    inputs.node.name,
  );
  await removeMembers(live, members.filter(isGone), inputs, context);
}

function enterStep(inputs: ControlPlaneMemberInputs, config: { role: string; text: string }) {
  const { keys, node } = inputs;
  return {
    name: `enter-${node.name}`,
    text: ENTER,
    values: {
      ...identity(inputs),
      ...self(role, inputs),
      ROLE: config.role,
      IGNORE: inputs.ignorePreflight.join(","),
    },
    secretFiles: {
      CONFIG: config.text,
      CA_CERTIFICATE: keys.caCertificate,
      CA_KEY: keys.caKey,
      ETCD_CA_CERTIFICATE: keys.etcdCaCertificate,
      ETCD_CA_KEY: keys.etcdCaKey,
      FRONT_PROXY_CA_CERTIFICATE: keys.frontProxyCaCertificate,
      FRONT_PROXY_CA_KEY: keys.frontProxyCaKey,
      SERVICE_ACCOUNT_KEY: keys.serviceAccountKey,
      SERVICE_ACCOUNT_PUBLIC_KEY: keys.serviceAccountPublicKey,
    },
    timeoutSeconds: 900,
  };
}

function furnish(inputs: ControlPlaneMemberInputs, before = inputs) {
  return {
    name: `settle ${inputs.node.name}`,
    text: FURNISH,
    values: {
      ...identity(inputs),
      ...settling(inputs),
      COREDNS: inputs.images.coredns ?? "",
      KUBE_PROXY: inputs.images.kubeProxy ?? "",
    },
    files: { MANIFESTS: inputs.manifests, GONE: goneManifests(before.manifests, inputs.manifests) },
    timeoutSeconds: 480,
  };
}

interface ListedMember extends EtcdMember {
  id: string;
  url: string;
}

async function etcdMembers(
  live: Connection,
  inputs: ControlPlaneMemberInputs,
  context: Context,
): Promise<ListedMember[]> {
  const values = { ...identity(inputs), VIA: live.host };
  const script = { name: "list etcd's members", text: LIST, values, timeoutSeconds: 60 };
  const answer = await onHost(live, context, (session) => session.run(script, context));
  const members = answer
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id = "", name = "", url = "", well = ""] = line.split(" ");
      return { id, name, url, healthy: well === "yes" };
    });
  if (members.length === 0)
    throw new Error(`etcd on ${live.host} names no members; see to it, then run again`);
  return members;
}

/** etcd takes no member while another is down; kubeadm would try for minutes and then say so. */
function refuseSickCluster(members: readonly ListedMember[], name: string): void {
  const sick = members.filter((member) => !member.healthy);
  if (sick.length === 0) return;
  const found = `etcd on ${sick.map((member) => member.name).join(", ")} is not healthy, so no member can join`;
  const remedy = "bring it back, or name another host in its place, then run again";
  throw new Refusal(`control plane member ${name}`, [{ path: "controlPlane", found, remedy }]);
}

function refuseQuorumLoss(members: readonly EtcdMember[], name: string): void {
  const problem = removalProblem(members, name);
  if (problem)
    throw new Error(`control plane member ${name}: removing it would end etcd's quorum: ${problem}`);
}

async function removeMembers(
  live: Connection,
  members: readonly ListedMember[],
  inputs: ControlPlaneMemberInputs,
  context: Context,
): Promise<void> {
  for (const { id } of members) {
    const values = { ...identity(inputs), VIA: live.host, MEMBER: id };
    const script = { name: "remove an etcd member", text: REMOVE, values, timeoutSeconds: 60 };
    await onHost(live, context, (session) => session.run(script, context));
  }
}
