import type { MountState } from "../ssh/host-state.ts";
import type { Script } from "../ssh/session.ts";

/** A volume as one host reaches it. */
export interface Place {
  /** `STORE/VOLUME`. */
  volume: string;
  /** Directory of the host that is the volume. @default it is mounted */
  directory?: string;
  /** How it is mounted. @default it is a directory of the host */
  mount?: MountState;
}

/** Where an operation finds its volumes: below `$base`, by these names. */
export type Places = Readonly<Record<string, Place>>;

/*
 * A namespace of its own: other programs do not see the mounts, and none is left however this ends. What
 * a file system in user space has still to write it writes after the unmount, so its daemon is waited for.
 */
const PRELUDE = `
base=\${WORK%/*}/mounts
namespace=$(readlink /proc/self/ns/mnt)
mkdir "$base"
mount -t tmpfs -o mode=0700 spillway "$base"
daemons=no
daemon_left() {
  links=$(stat -c %N /proc/[0-9]*/ns/mnt 2>/dev/null || :)
  # This shell and the one that asks are there as well.
  [ "$(printf '%s\\n' "$links" | grep -cF "$namespace")" -gt 2 ]
}
unmount() {
  cd /
  umount -R "$base" || umount -R -l "$base" || :
  turns=0
  while [ "$daemons" = yes ] && [ "$turns" -lt 300 ] && daemon_left; do sleep 0.2; turns=$((turns + 1)); done
}
trap unmount EXIT
trap 'exit 143' HUP INT TERM
open_volume() {
  mkdir "$base/$1"
  if [ -n "$3" ]; then
    if [ ! -d "$3" ]; then echo "volume $2: there is no directory $3 on this host" >&2; exit 1; fi
    mount --bind "$3" "$base/$1"
    return
  fi
  case $4 in fuse*|glusterfs) daemons=yes ;; esac
  timeout 90 mount -t "$4" \${6:+-o "$6"} -- "$5" "$base/$1" ||
    { echo "volume $2 cannot be mounted on this host; see that its store is healthy" >&2; exit 1; }
}
`;

/** Makes a script run where only it sees the volumes; its text finds them at `$base/NAME`. */
export function withVolumes<S extends Script>(script: S, places: Places): S {
  const values = { ...script.values, ...Object.assign({}, ...Object.entries(places).map(valuesOf)) };
  const files = { ...script.files, WORK: PRELUDE + Object.keys(places).map(opening).join("") + script.text };
  const names = [...Object.keys(values), ...Object.keys(files), ...Object.keys(script.secretFiles ?? {})];
  const text = `
export ${names.join(" ")}
unshare --mount --propagation private /bin/sh -eu "$WORK"
`;
  return { ...script, text, values, files };
}

const fields = ["VOLUME", "DIRECTORY", "TYPE", "WHAT", "OPTIONS"] as const;

function valuesOf([name, place]: [string, Place]): Record<string, string> {
  const { volume, directory = "", mount } = place;
  const given = [volume, directory, mount?.type ?? "", mount?.what ?? "", mount?.options ?? ""];
  return Object.fromEntries(fields.map((field, i) => [`${name.toUpperCase()}_${field}`, given[i]!]));
}

const opening = (name: string): string =>
  `open_volume ${name} ${fields.map((field) => `"$${name.toUpperCase()}_${field}"`).join(" ")}\n`;
