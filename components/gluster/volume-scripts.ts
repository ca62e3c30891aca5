import { NOTHING_MOUNTED_BELOW } from "../ssh/mounts.ts";
import { PRELUDE } from "./pool.ts";

/* Shell text about one volume, for a member of its pool or the host of a brick. */

/*
 * Bricks that the volume has and shall not have give way to those that it lacks; one that has lost its
 * directory is made anew in its place. Each is filled by the self-heal daemon before the next is touched,
 * and none is touched while another is away or behind: the one that goes may have the only good copy.
 */
export const ENSURE = `${PRELUDE}
info() { gluster --mode=script volume info "$VOLUME" 2>/dev/null; }
# What fails ends the script also where it is asked by a loop or a test: a silent glusterd is none without bricks.
have_bricks() {
  known=$(gluster --mode=script volume info "$VOLUME") || exit 1
  have=$(printf '%s\\n' "$known" | sed -n 's/^Brick[0-9][0-9]*: \\([^ ]*\\).*/\\1/p')
  if [ -z "$have" ]; then echo "gluster names no bricks of $VOLUME" >&2; exit 1; fi
}
among() { for each in $2; do if [ "$each" = "$1" ]; then return 0; fi; done; return 1; }
# Bricks that are away, and the sum of what the others say is left to heal.
heal_state() {
  heals=$(gluster --mode=script volume heal "$VOLUME" info 2>/dev/null) || { echo unknown; return; }
  printf '%s\\n' "$heals" | awk '
    /^Brick / { brick = $2; seen++ }
    /^Status:/ && !/Connected/ { away = away " " brick }
    /^Number of entries:/ { told++; if ($4 != "-") left += $4 }
    END { if (!seen || told < seen) print "unknown"; else print (left + 0) away }'
}
healed() {
  away=0
  while :; do
    state=$(heal_state)
    if [ "$state" = 0 ]; then return; fi
    case $state in
      unknown|*" "*) away=$((away + 1)) ;;
      *) away=0 ;;
    esac
    if [ "$away" -ge 90 ]; then
      echo "$VOLUME does not heal, as bricks are away ($state); see gluster volume status $VOLUME" >&2; exit 1
    fi
    echo "healing $VOLUME: $state left" >&2
    sleep 2
  done
}
safe_without() {
  turns=0
  while :; do
    state=$(heal_state)
    case $state in
      0|*" $1") away=\${state#* }; if [ "$state" = 0 ] || [ "$away" = "$1" ]; then return; fi ;;
    esac
    turns=$((turns + 1))
    case $state in
      unknown|*" "*) if [ "$turns" -ge 30 ]; then
        echo "$1 cannot be taken out of $VOLUME while other bricks are away ($state)" >&2; exit 1
      fi ;;
    esac
    echo "healing $VOLUME before $1 is touched: $state left" >&2
    sleep 2
  done
}
set_options() {
  set --
  known=$(info)
  while IFS='=' read -r key value <&3; do
    if ! printf '%s\\n' "$known" | grep -qxF "$key: $value"; then set -- "$@" "$key" "$value"; fi
  done 3<"$OPTIONS"
  if [ "$#" -gt 0 ]; then g volume set "$VOLUME" "$@" >&2; fi
}
if ! said=$(gluster --mode=script volume info "$VOLUME" 2>&1); then
  case $said in *"does not exist"*) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac
  # No word of FORCE when it is empty.
  g volume create "$VOLUME" $LAYOUT $BRICKS $FORCE >&2
fi
set_options
if ! info | grep -q '^Status: Started'; then g volume start "$VOLUME" >&2; fi
# The arbiter's brick is the last: a copy takes the place of a copy, an arbiter that of an arbiter.
last() { for each in $1; do :; done; printf '%s' "$each"; }
if [ -n "$ARBITER" ]; then
  have_bricks
  former=$(last "$have")
  if [ "$former" != "$ARBITER" ]; then
    safe_without "$former"
    echo "replacing $former by $ARBITER" >&2
    g volume replace-brick "$VOLUME" "$former" "$ARBITER" commit force >&2
    sleep 3; g volume heal "$VOLUME" full >&2 || :
    healed
  fi
fi
have_bricks
for brick in $have; do
  if among "$brick" "$BRICKS"; then continue; fi
  for new in $BRICKS; do
    have_bricks
    if among "$new" "$have"; then continue; fi
    safe_without "$brick"
    echo "replacing $brick by $new" >&2
    g volume replace-brick "$VOLUME" "$brick" "$new" commit force >&2
    sleep 3; g volume heal "$VOLUME" full >&2 || :
    healed
    break
  done
done
for brick in $RESET; do
  safe_without "$brick"
  echo "making $brick anew" >&2
  g volume reset-brick "$VOLUME" "$brick" start >&2
  g volume reset-brick "$VOLUME" "$brick" "$brick" commit force >&2
  sleep 3; g volume heal "$VOLUME" full >&2 || :
  healed
done
have_bricks
for brick in $have; do
  if ! among "$brick" "$BRICKS"; then echo "$brick is still in $VOLUME; run again" >&2; exit 1; fi
done
# A brick that was replaced has added names of the pool to who may mount.
set_options
turns=0
until [ "$(heal_state)" != unknown ]; do
  turns=$((turns + 1))
  if [ "$turns" -ge 60 ]; then gluster --mode=script volume status "$VOLUME" >&2 || :; exit 1; fi
  sleep 1
done
`;

export const REMOVE = `${PRELUDE}
if said=$(gluster --mode=script volume info "$VOLUME" 2>&1); then
  if printf '%s\\n' "$said" | grep -q '^Status: Started'; then g volume stop "$VOLUME" force >&2; fi
  g volume delete "$VOLUME" >&2
else
  case $said in *"does not exist"*|*"No volumes"*) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac
fi
`;

export const STATE = `${PRELUDE}
if ! said=$(gluster --mode=script volume info "$VOLUME" 2>&1); then
  case $said in *"does not exist"*) echo absent; exit 0 ;; esac
  printf '%s\\n' "$said" >&2; exit 1
fi
if printf '%s\\n' "$said" | grep -q '^Status: Started'; then echo started; else echo stopped; fi
while IFS='=' read -r key value <&3; do
  known=$(g volume get "$VOLUME" "$key")
  printf 'option %s %s\\n' "$key" "$(printf '%s\\n' "$known" | awk -v key="$key" '$1 == key { print $2 }')"
done 3<"$OPTIONS"
printf '%s\\n' "$said" | sed -n 's/^Brick[0-9][0-9]*: \\([^ ]*\\).*/brick \\1/p'
`;

/** What a brick holds besides Gluster's own books. */
export const HOLDS = `
if [ ! -d "$BRICK" ]; then echo gone; exit 0; fi
if [ ! -d "$BRICK/.glusterfs" ]; then echo lost; exit 0; fi
find "$BRICK" -mindepth 1 -maxdepth 1 ! -name '.glusterfs*' ! -name .trashcan -printf . | head -c 1000 | wc -c
`;

/** A directory that never became a brick is somebody else's. Gluster's own books go last: they tell. */
export const CLEAR = `${NOTHING_MOUNTED_BELOW}
if [ -d "$BRICK/.glusterfs" ]; then
  nothing_mounted_below "$BRICK"
  find "$BRICK" -mindepth 1 -maxdepth 1 ! -name .glusterfs -exec rm -rf --one-file-system -- {} +
  rm -rf --one-file-system "$BRICK"
fi
`;

/** The kind of disk that a brick would come to lie on, and what is there already. */
export const FORESEE = `
above=$BRICK
until [ -d "$above" ]; do above=\${above%/*}; above=\${above:-/}; done
if [ "$(stat -c %d "$above")" = "$(stat -c %d /)" ]; then echo root; else echo own; fi
if [ -e "$BRICK" ] && [ ! -d "$BRICK/.glusterfs" ]; then
  find "$BRICK" -mindepth 1 -maxdepth 1 ! -name lost+found -printf . | head -c 1000 | wc -c
else echo 0
fi
`;
