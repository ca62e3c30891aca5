#!/bin/bash
# What a person without Spillway would run on hosts that have Ceph's packages to the same end: Ceph's own
# commands over ssh, hosts in parallel.
#   bare-ceph.sh FOLDER up|down
# FOLDER has: ssh_config; hosts, a line NAME ADDRESS for each. Each host has a monitor, a manager, a metadata
# server and an OSD on /dev/sdb; the first two mount a volume at /srv/data.
set -euo pipefail
library=$(cd "$(dirname "$0")" && pwd)/bare-hosts.sh
cd "$1"
. "$library"

take_down() {
  on "$1" 'bash -s' <<'DOWN'
umount /srv/data 2>/dev/null || :
systemctl disable --now 'ceph*.service' ceph.target ceph-mon.target ceph-mgr.target ceph-mds.target ceph-osd.target 2>/dev/null
systemctl stop 'ceph-*@*' 2>/dev/null
rm -rf /var/lib/ceph/{mon,mgr,mds,osd}/* /etc/systemd/system/ceph-osd@*.service.d /etc/ceph /srv/data
dd if=/dev/zero of=/dev/sdb bs=1M count=10 conv=fsync status=none
systemctl reset-failed 2>/dev/null || :
DOWN
}
if [ "$2" = down ]; then all take_down "${names[@]}"; exit; fi

open() { on "$1" true; }
all open "${names[@]}" &
opening=$!
mkdir -p work
fsid=$(cat /proc/sys/kernel/random/uuid)
members=$(IFS=,; echo "${addresses[*]}")
cat >work/ceph.conf <<CONF
[global]
fsid = $fsid
mon host = $members
mon initial members = $(IFS=,; echo "${names[*]}")
public network = ${addresses[0]%.*}.0/24
osd pool default size = 3
osd pool default min size = 2
[mon]
auth allow insecure global id reclaim = false
mon data avail warn = 2
mon data avail crit = 1
CONF
wait "$opening"

# The first host has the tools that make keys.
on "$first" 'sh -se' -- "$fsid" "${names[@]}" "${addresses[@]}" >work/seed.tar <<'SEED'
fsid=$1; shift
cd "$(mktemp -d)"
ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool keyring --gen-key -n client.admin --cap mon 'allow *' --cap mgr 'allow *' --cap osd 'allow *' --cap mds 'allow *' >/dev/null
half=$(($# / 2)); names=; i=0
for each in "$@"; do i=$((i + 1)); if [ "$i" -le "$half" ]; then names="$names $each"; fi; done
shift "$half"
monmaptool --create --clobber --fsid "$fsid" monmap >/dev/null
for name in $names; do
  monmaptool --addv "$name" "[v2:$1:3300,v1:$1:6789]" monmap >/dev/null; shift
  ceph-authtool keyring --gen-key -n "mgr.$name" --cap mon 'allow profile mgr' --cap osd 'allow *' --cap mds 'allow *' >/dev/null
  ceph-authtool keyring --gen-key -n "mds.$name" --cap mon 'allow profile mds' --cap mgr 'allow profile mds' --cap osd 'allow rw tag cephfs *=*' >/dev/null
done
tar -c keyring monmap
SEED
tar -C work -xf work/seed.tar

daemons() {
  tar -C work -c ceph.conf keyring monmap | on "$1" 'mkdir -p /etc/ceph && cd /etc/ceph && tar --no-same-owner -x'
  on "$1" 'sh -se' -- "$1" <<'DAEMONS'
name=$1
cd /etc/ceph
part() { printf '[%s]\n\tkey = %s\n' "$1" "$(ceph-authtool keyring -p -n "$1")"; }
part client.admin >ceph.client.admin.keyring
install -d -o ceph -g ceph "/var/lib/ceph/mon/ceph-$name" "/var/lib/ceph/mgr/ceph-$name" "/var/lib/ceph/mds/ceph-$name"
ceph-mon --mkfs -i "$name" --monmap monmap --keyring keyring
chown -R ceph:ceph "/var/lib/ceph/mon/ceph-$name"
for kind in mgr mds; do
  part "$kind.$name" >"/var/lib/ceph/$kind/ceph-$name/keyring"
  chown -R ceph:ceph "/var/lib/ceph/$kind/ceph-$name"
done
rm keyring monmap
systemctl enable --now ceph.target ceph-mon.target ceph-mgr.target ceph-mds.target "ceph-mon@$name" "ceph-mgr@$name" "ceph-mds@$name" 2>/dev/null
DAEMONS
}
all daemons "${names[@]}"

osd() {
  on "$1" 'sh -se' <<'OSD'
uuid=$(cat /proc/sys/kernel/random/uuid)
key=$(ceph-authtool --gen-print-key)
number=$(printf '{"cephx_secret": "%s"}' "$key" | ceph osd new "$uuid" -i -)
dir=/var/lib/ceph/osd/ceph-$number
install -d -o ceph -g ceph "$dir"
ln -s /dev/sdb "$dir/block"; chown ceph:ceph /dev/sdb
printf '[osd.%s]\n\tkey = %s\n' "$number" "$key" >"$dir/keyring"; chown ceph:ceph "$dir/keyring"
ceph-osd --mkfs -i "$number" --osd-uuid "$uuid" --setuser ceph --setgroup ceph 2>/dev/null
mkdir -p "/etc/systemd/system/ceph-osd@$number.service.d"
printf '[Service]\nExecStartPre=+/usr/bin/chown ceph:ceph /dev/sdb\n' >"/etc/systemd/system/ceph-osd@$number.service.d/own.conf"
systemctl daemon-reload
systemctl enable --now ceph-osd.target "ceph-osd@$number" 2>/dev/null
OSD
}
all osd "${names[@]}"

on "$first" 'sh -se' -- "${#names[@]}" >work/client.tar <<'VOLUME'
count=$1
ceph osd pool create shared-metadata 8 2>/dev/null; ceph osd pool create shared-data 16 2>/dev/null
ceph fs new shared shared-metadata shared-data 2>/dev/null
ceph fs set shared allow_standby_replay true 2>/dev/null
ceph config set osd osd_memory_target 939524096
ready() {
  ceph mds stat | grep -q 'shared:.*up:active' && ceph mgr stat | grep -q '"available": true' &&
    ceph osd stat | grep -q "$count up" && ceph fs subvolume ls shared >/dev/null 2>&1 && ceph health | grep -q ^HEALTH_OK
}
until ready; do sleep 2; done
ceph fs subvolume create shared data --size $((1 << 30)) --mode 0777 --namespace-isolated
path=$(ceph fs subvolume getpath shared data)
cd "$(mktemp -d)"
ceph fs authorize shared client.data "$path" rws >client.keyring 2>/dev/null
printf '[client.data]\nclient fs = shared\nclient mountpoint = %s\nkeyring = /etc/ceph/client.keyring\n' "$path" >client.conf
tar -c client.keyring client.conf
VOLUME

mount_volume() {
  on "$1" 'mkdir -p /etc/ceph /srv/data && cd /etc/ceph && tar --no-same-owner -x' <work/client.tar
  on "$1" 'cd /etc/ceph && { cat ceph.conf client.conf; } >volume.conf && mount -t fuse.ceph -o ceph.id=data,ceph.conf=/etc/ceph/volume.conf none /srv/data'
}
all mount_volume "${names[@]:0:2}"
