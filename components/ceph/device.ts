import type { Problem } from "../model/problem.ts";

/** Least size of an OSD's device, in GiB. */
export const LEAST_GIB = 4;

/**
 * Shell text: one line about a block device: `missing`, `other`, or `block BYTES` with what speaks
 * against taking it (`mounted`, `swap`, `held`, `data WHAT`) or for it (`osd UUID`).
 */
export const LOOK_AT_DEVICE = `
look_at_device() {
  device=$(readlink -f -- "$1") || device=$1
  if [ ! -e "$device" ]; then echo missing; return; fi
  if [ ! -b "$device" ]; then echo other; return; fi
  bytes=$(blockdev --getsize64 "$device")
  number=$(printf '%d:%d' "0x$(stat -c %t "$device")" "0x$(stat -c %T "$device")")
  label=$(head -c 60 "$device" | tr -d '\\0')
  if awk -v number="$number" '$3 == number { found = 1 } END { exit !found }' /proc/self/mountinfo; then
    echo "block $bytes mounted"
  elif grep -q "^$device " /proc/swaps; then echo "block $bytes swap"
  elif [ -n "$(ls -A "/sys/dev/block/$number/holders" 2>/dev/null)" ]; then echo "block $bytes held"
  elif [ "\${label%%
*}" = "bluestore block device" ]; then echo "block $bytes osd $(printf '%s\\n' "$label" | sed -n 2p | cut -c 1-36)"
  elif what=$(blkid -p -s TYPE -s PTTYPE -o value "$device" 2>/dev/null) && [ -n "$what" ]; then
    echo "block $bytes data $(echo $what)"
  elif [ "$(head -c 1048576 "$device" | tr -d '\\0' | head -c 1 | wc -c)" -gt 0 ]; then echo "block $bytes data unknown"
  else echo "block $bytes"
  fi
}
`;

/** What a host said of a device. */
export interface DeviceFacts {
  host: string;
  device: string;
  /** It may be taken with what is on it. */
  wipe: boolean;
  /** Line of `look_at_device`. */
  said: string;
  /** UUIDs of this store's OSDs on the host. */
  ours: readonly string[];
}

/** Why a device cannot become an OSD's. Pure. */
export function deviceProblems({ host, device, wipe, said, ours }: DeviceFacts): Problem[] {
  const [kind, bytes, state, ...what] = said.split(" ");
  const say = (found: string, remedy: string): Problem[] => [
    { path: `osds.${host}`, found: `${device} ${found}`, remedy },
  ];
  if (kind === "missing") return say("is not there", "give a device that the host has (`lsblk` shows them)");
  if (kind !== "block") return say("is no block device", "give a whole disk or a partition");
  if (state === "osd" && ours.includes(what[0]!)) return [];
  if (Number(bytes) < LEAST_GIB * 2 ** 30)
    return say(`has ${(Number(bytes) / 2 ** 30).toFixed(1)} GiB`, `give one of at least ${LEAST_GIB} GiB`);
  if (state === "mounted") return say("is mounted", "unmount it, or give another device");
  if (state === "swap") return say("is swap in use", "turn it off, or give another device");
  if (state === "held") return say("is part of another device", "give another device");
  if (wipe || state === undefined) return [];
  const holds = state === "osd" ? "an OSD of another Ceph cluster" : `data (${what.join(" ")})`;
  return say(
    `holds ${holds}`,
    `give another device, or lose what is on it: { device: "${device}", wipe: true }`,
  );
}
