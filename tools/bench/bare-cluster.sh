#!/bin/bash
# What a person without Spillway would run on hosts that are ready: kubeadm over ssh, hosts in parallel.
#   bare-cluster.sh FOLDER
# FOLDER has: ssh_config; pki/ with the cluster's keys; init.yaml; join-WORKER.yaml, in which the token
# stands as @TOKEN@; the files control-plane, workers and ignore with names and kubeadm's checks to ignore.
set -euo pipefail
cd "$1"
on() { ssh -F ssh_config -o ControlMaster=auto -o ControlPersist=60 -o ControlPath="$PWD/%C" "$@"; }
control_plane=$(<control-plane)
workers=$(<workers)
ignore=$(<ignore)
trap 'for host in $control_plane $workers; do on -O exit "$host" 2>/dev/null || :; done' EXIT

all() { # all COMMAND: of these jobs none may fail
  local jobs=() job
  for host in $workers; do "$1" "$host" & jobs+=($!); done
  for job in "${jobs[@]}"; do wait "$job"; done
}

open() { on "$1" true; }
all open &
opening=$!
tar -C pki -c . | on "$control_plane" 'mkdir -p /etc/kubernetes/pki && tar -C /etc/kubernetes/pki --no-same-owner -x'
on "$control_plane" "umask 077; cat >/run/init.yaml; kubeadm init --config /run/init.yaml --skip-token-print --ignore-preflight-errors=$ignore" <init.yaml
token=$(on "$control_plane" kubeadm token create)
wait "$opening"

join() {
  sed "s/@TOKEN@/$token/" "join-$1.yaml" |
    on "$1" "umask 077; cat >/run/join.yaml; kubeadm join --config /run/join.yaml --ignore-preflight-errors=$ignore"
}
all join
on "$control_plane" 'kubectl --kubeconfig /etc/kubernetes/admin.conf wait --for=condition=Ready nodes --all --timeout=180s'
