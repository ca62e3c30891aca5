import type { Problem } from "../model/problem.ts";

/** Least size of an OSD's device, in GiB. */
export const LEAST_GIB = 4;

/**
 * Shell text: one line about a block device: `missing`, `other`, or `block BYTES` with what speaks
 * against taking it (`mounted`, `swap`, `held`, `data WHAT`) or for it (`osd UUID`).
 */
export const LOOK_AT_DEVICE = `
# Of the block device with a number: what speaks against taking it.
use_of() {
  if awk -v number="$1" '$3 == number { found = 1 } END { exit !found }' /proc/self/mountinfo; then echo mounted
  elif sed -n '2,$s/ .*//p' /proc/swaps | while read -r swap; do
    printf '%d:%d\\n' "0x$(stat -Lc %t "$swap")" "0x$(stat -Lc %T "$swap")"
  done 2>/dev/null | grep -qxF "$1"; then echo swap
  elif [ -n "$(ls -A "/sys/dev/block/$1/holders" 2>/dev/null)" ]; then echo held
  fi
}
# Of a disk or any of its partitions.
uses_of() {
  use_of "$1"
  for part in "/sys/dev/block/$1"/*/partition; do
    if [ -e "$part" ]; then use_of "$(cat "\${part%/*}/dev")"; fi
  done
}
look_at_device() {
  device=$(readlink -f -- "$1") || device=$1
  if [ ! -e "$device" ]; then echo missing; return; fi
  if [ ! -b "$device" ]; then echo other; return; fi
  bytes=$(blockdev --getsize64 "$device")
  number=$(printf '%d:%d' "0x$(stat -c %t "$device")" "0x$(stat -c %T "$device")")
  use=$(uses_of "$number" | head -n 1)
  label=$(head -c 60 "$device" | tr -d '\\0')
  if [ -n "$use" ]; then echo "block $bytes $use"
  elif [ "\${label%%
*}" = "bluestore block device" ]; then echo "block $bytes osd $(printf '%s\\n' "$label" | sed -n 2p | cut -c 1-36)"
  elif what=$(blkid -p -s TYPE -s PTTYPE -o value "$device" 2>/dev/null) && [ -n "$what" ]; then
    # A mounted btrfs, and a member of a ZFS pool, are in none of the lists above: only who opens them for
    # himself alone hears of it.
    if wipefs --all --no-act "$device" 2>&1 >/dev/null | grep -q busy; then echo "block $bytes held"
    else echo "block $bytes data $(echo $what)"
    fi
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
  /** Paths of the devices of this store's OSDs on the host, by their UUIDs. */
  ours: Readonly<Record<string, string>>;
}

/** Why a device cannot become an OSD's. Pure. */
export function deviceProblems({ host, device, wipe, said, ours }: DeviceFacts): Problem[] {
  const [kind, bytes, state, ...what] = said.split(" ");
  const say = (found: string, remedy: string): Problem[] => [
    { path: `osds.${host}`, found: `${device} ${found}`, remedy },
  ];
  if (kind === "missing") return say("is not there", "give a device that the host has (`lsblk` shows them)");
  if (kind !== "block") return say("is no block device", "give a whole disk or a partition");
  const known = state === "osd" ? ours[what[0]!] : undefined;
  if (known === device) return [];
  if (known !== undefined)
    return say(`is the device that the store has as ${known}`, "name it by that path, or take it out first");
  if (Number(bytes) < LEAST_GIB * 2 ** 30)
    return say(`has ${(Number(bytes) / 2 ** 30).toFixed(1)} GiB`, `give one of at least ${LEAST_GIB} GiB`);
  if (state === "mounted") return say("is mounted", "unmount it, or give another device");
  if (state === "swap") return say("is swap in use", "turn it off, or give another device");
  if (state === "held") return say("is in use, or part of another device", "give another device");
  if (wipe || state === undefined) return [];
  const holds = state === "osd" ? "an OSD of another Ceph cluster" : `data (${what.join(" ")})`;
  return say(
    `holds ${holds}`,
    `give another device, or lose what is on it: { device: "${device}", wipe: true }`,
  );
}
