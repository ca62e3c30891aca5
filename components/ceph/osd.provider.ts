import type { Connection } from "../model/connection.ts";
import { dataLossProblem } from "../model/data-loss.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { osdDropIn } from "../render/ceph.ts";
import { onHost } from "../ssh/session.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { type ClusterInputs, DAEMONS, onCluster, orForget } from "./cluster.ts";
import { LOOK_AT_DEVICE } from "./device.ts";
import { MANAGER_POOLS } from "./pool.ts";

export interface OsdInputs extends ClusterInputs {
  connection: Connection;
  /** Name of its host. */
  host: string;
  /** Path of its device. */
  device: string;
  /** The device may be taken with what is on it. */
  wipe: boolean;
  /** Who takes the device, over all stacks. */
  owner: string;
  uuid: string;
  /** In Ceph's form; secret. */
  key: string;
  /** It may go with the only copies of what it holds. */
  allowDataLoss: boolean;
}

export interface OsdOutputs {
  /** Its number in the cluster. */
  osd: number;
}

/* A note tells the device's next inspection whose the OSD on it is. */
const CLAIM = `${LOOK_AT_DEVICE}
wipe() {
  if [ "$WIPE" != yes ]; then echo "$DEVICE holds something: $said" >&2; exit 3; fi
  wipefs --all --force "$DEVICE" >/dev/null
  dd if=/dev/zero of="$DEVICE" bs=1M count=10 conv=fsync status=none
}
said=$(look_at_device "$DEVICE")
case $said in
  "block "*" osd $UUID") ;;
  "block "*" mounted" | "block "*" swap" | "block "*" held")
    echo "$DEVICE is in use: $said" >&2; exit 3 ;;
  "block "*" osd "*)
    if [ -e "/var/lib/spillway/ceph-osds/\${said##* }" ]; then
      echo "$DEVICE is the device of another OSD here already; name it by one path" >&2; exit 3
    fi
    wipe ;;
  "block "*" data "*) wipe ;;
  "block "*) ;;
  *) echo "$DEVICE: $said" >&2; exit 3 ;;
esac
mkdir -p /var/lib/spillway/ceph-osds
printf '%s\\n' "$OWNER" "$DEVICE" >"/var/lib/spillway/ceph-osds/$UUID"
`;

/** The cluster gives the same number to the same UUID and key. */
const ENROL = `
ceph osd new "$UUID" -i "$SECRET"
`;

const MAKE = `${DAEMONS}
dir=/var/lib/ceph/osd/ceph-$OSD
if [ ! -e "$dir/ready" ]; then
  rm -rf "$dir"
  install -d -m 0750 -o ceph -g ceph "$dir"
  ln -s "$DEVICE" "$dir/block"
  chown -h ceph:ceph "$dir/block"
  chown ceph:ceph "$DEVICE"
  install -m 0600 -o ceph -g ceph "$KEYRING" "$dir/keyring"
  # It says much that sounds like errors, also when all is well.
  if ! said=$(ceph-osd --mkfs -i "$OSD" --osd-uuid "$UUID" --osd-objectstore bluestore --setuser ceph --setgroup ceph 2>&1); then
    printf '%s\\n' "$said" >&2
    exit 1
  fi
fi
unit=ceph-osd@$OSD
mkdir -p "/etc/systemd/system/$unit.service.d"
cp "$DROP_IN" "/etc/systemd/system/$unit.service.d/50-spillway.conf"
systemctl daemon-reload
start_daemons ceph-osd.target "$unit"
`;

/** The number of the OSD with a UUID, whether it is up and whether it is in; nothing when the cluster has none. */
const FIND = `
dump=$(ceph osd dump)
printf '%s\\n' "$dump" | sed -n "s/^osd\\.\\([0-9]*\\) *\\(up\\|down\\) *\\(in\\|out\\) .* $UUID\\$/\\1 \\2 \\3/p"
`;

const TAKE_IN = `
ceph osd in "osd.$OSD" >&2
`;

/*
 * Pools say how many copies they keep, the tree how many hosts are left for them. The
 * manager's own figures are nobody's data.
 */
const JUDGE = `
# One after the other: two that leave at once would each count on the other.
exec 9</etc/ceph/ceph.conf
flock 9
known=$(ceph osd pool ls)
pools=$(printf '%s\\n' "$known" | grep -vxF ${MANAGER_POOLS.map((name) => `-e ${name}`).join(" ")} || :)
if [ -z "$pools" ]; then echo free; exit 0; fi
size=0
for pool in $pools; do
  copies=$(ceph osd pool get "$pool" size)
  copies=\${copies#size: }
  if [ "$copies" -gt "$size" ]; then size=$copies; fi
done
tree=$(ceph osd tree up in)
hosts=$(printf '%s\\n' "$tree" | awk -v self="osd.$OSD" '$3 == "host" { host = $4 } $4 ~ /^osd\\./ && $4 != self { print host }' | sort -u | wc -l)
if [ "$hosts" -lt "$size" ]; then echo "short $hosts $size"; exit 0; fi
ceph osd out "osd.$OSD" >&2
echo enough
`;

/** Seconds: a disk of terabytes takes hours. */
const LONGEST_EMPTYING = 24 * 3600;

/** Waits until the objects of an OSD that is out are copied elsewhere, as long as that takes. */
const EMPTY = `
end=$(($(date +%s) + LIMIT))
until ceph osd safe-to-destroy "osd.$OSD" >/dev/null 2>&1; do
  if [ "$(date +%s)" -ge "$end" ]; then
    echo "what osd.$OSD holds is not elsewhere yet (\\\`ceph -s\\\`); run again to wait on" >&2
    exit 1
  fi
  ceph -s | grep -E 'misplaced|degraded|recovery:' >&2 || :
  sleep 5
done
`;

const PURGE = `
# Its daemon was stopped; monitors that lost their power meanwhile have not heard of it.
ceph osd down "osd.$OSD" >&2
turns=0
until said=$(ceph osd purge "osd.$OSD" --yes-i-really-mean-it 2>&1); do
  turns=$((turns + 1))
  case $said in
    *EBUSY*) if [ "$turns" -lt 30 ]; then sleep 2; ceph osd down "osd.$OSD" >&2; continue; fi ;;
  esac
  printf '%s\n' "$said" >&2
  exit 1
done
# Refused, and rightly so, as long as the host has other OSDs.
ceph osd crush rm "$HOST" >/dev/null 2>&1 || :
`;

/** The device is blank again afterwards, as it came. */
const REMOVE = `${LOOK_AT_DEVICE}${DAEMONS}
for dir in /var/lib/ceph/osd/ceph-*; do
  if [ ! -e "$dir/fsid" ] || [ "$(cat "$dir/fsid")" != "$UUID" ]; then continue; fi
  unit=ceph-osd@\${dir##*-}
  systemctl disable --now "$unit" >&2 2>/dev/null || :
  rm -rf "$dir" "/etc/systemd/system/$unit.service.d"
  systemctl daemon-reload
done
if [ ! -e "/var/lib/spillway/ceph-osds/$UUID" ]; then exit 0; fi
case $(look_at_device "$DEVICE") in "block "*" osd $UUID")
  dd if=/dev/zero of="$DEVICE" bs=1M count=10 conv=fsync status=none
  chown root:disk "$DEVICE" ;;
esac
rm -f "/var/lib/spillway/ceph-osds/$UUID"
release_targets
rmdir /var/lib/spillway/ceph-osds /var/lib/spillway 2>/dev/null || :
`;

const nameOf = ({ host, device }: OsdInputs) => `OSD on ${device} of ${host}`;

/** An OSD of a Ceph cluster: one device of a host. */
export const osd: ResourceType<OsdInputs, OsdOutputs> = {
  token: "spillway:ceph:Osd",
  words: ["allowDataLoss"],
  computed: ["osd"],
  unfinishedId: ({ uuid }) => uuid,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, {
      ignore: ["connection", "monitors", "wipe", "store"],
      replaceOn: ["host", "device", "uuid", "fsid"],
    }),

  async create(context, inputs) {
    return { id: inputs.uuid, outputs: { osd: await make(context, inputs) } };
  },

  async read(context, old) {
    const found = await find(context, old.inputs, false);
    if (found === undefined) return undefined;
    // One that is down is the cluster's to tell, in its health: it may come back by itself. One that was on its
    // way out is as changed by others: the next update takes it in again.
    const inputs = found.up && found.out ? { ...old.inputs, key: "" } : old.inputs;
    return { inputs, outputs: { osd: found.osd } };
  },

  async update(context, _old, inputs) {
    // The word was for what the device held when it came: another disk may have its path by now.
    const osd = await make(context, { ...inputs, wipe: false });
    const question = { name: `take osd.${osd} in`, text: TAKE_IN, values: { OSD: String(osd) } };
    await onCluster(inputs, context, question);
    return { osd };
  },

  async delete(context, { inputs }) {
    await orForget(context, inputs, async () => {
      const found = await find(context, inputs, true);
      if (found) await leave(context, inputs, found.osd);
    });
    const { UUID, DEVICE } = valuesOf(inputs);
    const script = {
      name: `remove ${nameOf(inputs)}`,
      text: REMOVE,
      values: { UUID, DEVICE },
      timeoutSeconds: 180,
    };
    await orGiveUp(context, () =>
      onHost(inputs.connection, context, (session) => session.run(script, context)),
    );
  },
};

const valuesOf = ({ uuid, device, owner, wipe, host }: OsdInputs) => ({
  UUID: uuid,
  DEVICE: device,
  OWNER: owner,
  WIPE: wipe ? "yes" : "no",
  HOST: host,
});

async function make(context: Context, inputs: OsdInputs): Promise<number> {
  const { connection, key, uuid, device, host } = inputs;
  const values = valuesOf(inputs);
  const claim = { name: `claim ${device}`, text: CLAIM, values, timeoutSeconds: 180 };
  await onHost(connection, context, (session) => session.run(claim, context));
  const printed = await onCluster(inputs, context, {
    name: `enrol ${nameOf(inputs)}`,
    text: ENROL,
    values: { UUID: uuid },
    secretFiles: { SECRET: JSON.stringify({ cephx_secret: key }) },
  });
  const number = Number(printed.trim());
  context.progress(`${host}: osd.${number} on ${device}`);
  const step = {
    name: `ceph-osd-${number}`,
    text: MAKE,
    values: { ...values, OSD: String(number) },
    files: { DROP_IN: osdDropIn(device) },
    secretFiles: { KEYRING: `[osd.${number}]\n\tkey = ${key}\n` },
    timeoutSeconds: 600,
  };
  await onHost(connection, context, (session) => session.step(step, context));
  // The store's file system waits until all of them are up.
  return number;
}

async function find(
  context: Context,
  inputs: OsdInputs,
  change: boolean,
): Promise<{ osd: number; up: boolean; out: boolean } | undefined> {
  const question = { name: `look for ${nameOf(inputs)}`, text: FIND, values: { UUID: inputs.uuid } };
  const [number, state, place] = (await onCluster(inputs, context, question, change)).trim().split(" ");
  return number ? { osd: Number(number), up: state === "up", out: place === "out" } : undefined;
}

/** Takes an OSD out of the cluster. What can be copied elsewhere is; the word counts where that cannot be. */
async function leave(context: Context, inputs: OsdInputs, number: number): Promise<void> {
  const values = { OSD: String(number), HOST: inputs.host };
  const judgement = await onCluster(inputs, context, { name: "judge the loss", text: JUDGE, values });
  const [verdict, hosts, copies] = judgement.trim().split(" ");
  if (verdict === "short" && !inputs.allowDataLoss)
    refuse(`CephStore "${inputs.store}"`, [shortProblem(inputs, hosts!, copies!)]);
  if (verdict === "enough") {
    const limit = context.timeoutSeconds || LONGEST_EMPTYING;
    context.progress(`${inputs.host}: moving what osd.${number} holds elsewhere, for up to ${limit} s`);
    const empty = { name: `empty osd.${number}`, text: EMPTY, values: { ...values, LIMIT: String(limit) } };
    await onCluster(inputs, context, { ...empty, timeoutSeconds: limit + 120 });
  }
  await onHost(inputs.connection, context, (session) =>
    session.run(
      { name: `stop osd.${number}`, text: `systemctl stop "ceph-osd@$OSD" 2>/dev/null || :`, values },
      context,
    ),
  ).catch(async (error: unknown) => orGiveUp(context, () => Promise.reject(error)));
  await onCluster(inputs, context, { name: `purge osd.${number}`, text: PURGE, values });
}

function shortProblem(inputs: OsdInputs, hosts: string, copies: string): Problem {
  const problem = dataLossProblem(
    `without the ${nameOf(inputs)} ${hosts} hosts are left for the ${copies} copies of what the store holds`,
  );
  return {
    ...problem,
    path: `osds.${inputs.host}`,
    remedy: `give the store another device first; ${problem.remedy}`,
  };
}
