# Hosts over ssh, for scripts in a folder with ssh_config and hosts, a line NAME ADDRESS for each.
mapfile -t names < <(cut -d ' ' -f 1 hosts)
mapfile -t addresses < <(cut -d ' ' -f 2 hosts)
first=${names[0]}
on() { ssh -F ssh_config -o ControlMaster=auto -o ControlPersist=60 -o ControlPath="$PWD/%C" "$@"; }
trap 'for host in "${names[@]}"; do on -O exit "$host" 2>/dev/null || :; done' EXIT

all() { # all COMMAND HOST...: of these jobs none may fail
  local jobs=() job command=$1
  shift
  for host in "$@"; do "$command" "$host" & jobs+=($!); done
  for job in "${jobs[@]}"; do wait "$job"; done
}
