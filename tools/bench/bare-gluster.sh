#!/bin/bash
# What a person without Spillway would run on hosts that have Gluster's packages to the same end: its own
# commands over ssh.
#   bare-gluster.sh FOLDER up|down
# FOLDER has: ssh_config; hosts, a line NAME ADDRESS for each. Each host has a brick; the first two mount the
# volume at /srv/data.
set -euo pipefail
library=$(cd "$(dirname "$0")" && pwd)/bare-hosts.sh
cd "$1"
. "$library"

take_down() {
  on "$1" 'bash -s' <<'DOWN'
umount /srv/data 2>/dev/null || :
# Bricks first: they are in glusterd's control group, and its stop waits until that is empty.
for name in glusterfsd glusterfs; do for pid in $(pidof "$name"); do kill "$pid"; done; done
systemctl disable --now glusterd 2>/dev/null
sed -i '/[.]bare$/d' /etc/hosts
rm -rf /var/lib/glusterd/{glusterd.info,peers,vols,glustershd,options} /srv/disk/bricks /srv/data
DOWN
}
if [ "$2" = down ]; then all take_down "${names[@]}"; exit; fi

prepare() {
  sed 's/\([^ ]*\) \(.*\)/\2 \1.bare/' hosts |
    on "$1" 'cat >>/etc/hosts; mkdir -p /srv/disk/bricks/data && systemctl enable --now glusterd 2>/dev/null'
}
all prepare "${names[@]}"
bricks=()
for name in "${names[@]}"; do bricks+=("$name.bare:/srv/disk/bricks/data"); done
on "$first" 'bash -se' -- "$(IFS=,; echo "${addresses[*]}")" "${names[@]:1}" -- "${bricks[@]}" <<'VOLUME'
members=$1; shift
while [ "$1" != -- ]; do gluster peer probe "$1.bare" >/dev/null; others+=("$1"); shift; done
shift
until [ "$(gluster pool list | grep -c Connected)" = $((${#others[@]} + 1)) ]; do sleep 0.5; done
gluster --mode=script volume create data replica 3 "$@" >/dev/null
gluster --mode=script volume set data auth.allow "127.0.0.1,$members" network.ping-timeout 10 >/dev/null
gluster --mode=script volume start data >/dev/null
VOLUME
mount_volume() { on "$1" "mkdir -p /srv/data && mount -t glusterfs $first.bare:/data /srv/data"; }
all mount_volume "${names[@]:0:2}"
