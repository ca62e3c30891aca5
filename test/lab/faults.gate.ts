/** Where a host keeps what its gate counts and is told. */
export const folder = "/root/faults";

/*
 * sshd runs this instead of every command. From a cut on it refuses all, as a host does that is gone.
 * What runs has the connection's own stdin and stdout.
 *
 * Where commands are told apart, each is noted by a digest of what it runs without the values, but for the
 * name of a step, and by which of its like it is in the run: values may be random, and a run that goes on is
 * to be known by what it does.
 */
export const gate = `
script=
run() { if [ -n "$script" ]; then exec /bin/sh /dev/fd/3; else exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"; fi; }
learn() {
  kind=upload; what="$SSH_ORIGINAL_COMMAND"
  if [ "$what" = 'exec /bin/sh' ]; then
    IFS= read -r first; IFS= read -r second
    case $second in
      exec*) kind=script; end='/^exit "$code"$/{n;q}' ;;
      *) kind=lock; end='/^}$/q' ;;
    esac
    script=$(mktemp /run/faults.XXXXXX)
    { printf '%s\n' "$first" "$second"; sed -u "$end"; } >"$script"
    exec 3<"$script"
    what=$(sed -n "/^set -eu/,/^} <\\/dev/ { /^NAME=/p; /^[A-Z][A-Z0-9_]*=/!p }" "$script")
    rm "$script"
  fi
  digest=$(printf %s "$what" | sha256sum | cut -c 1-12)
  name=$(printf %s "$what" | sed -n "s/^NAME=[\\\\']*\\([a-z0-9-]*\\).*/step \\1: /p" | head -n 1)
  line=$(printf %s "$what" | grep -Ev '^(set -eu|NAME=|export KUBECONFIG=|$)' | head -n 1 | cut -c 1-50)
  label="$kind $digest $name$line"
}
is() { grep -qsxF -- "$label" "${folder}/$1"; }
# A run that outlived a cut gives that command again, so that its seconds cannot be told from its firsts.
first_or_again() { [ ! -e ${folder}/chosen ] || { [ -e ${folder}/again ] && [ "\${label##*, }" = 1 ]; }; }
drop() {
  exec 9>&-
  process=$$
  # Another channel's gate may have ended the connection already.
  while [ "$process" -gt 1 ]; do
    case $(cat "/proc/$process/comm") in sshd*) kill -9 "$process"; exit 1 ;; esac
    process=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$process/status")
  done
  exit 1
}
read -r at mode armed <${folder}/armed
if [ "$at" = next ]; then learn; fi
exec 9>>${folder}/lock
flock 9
if [ -e ${folder}/cut ]; then drop; fi
read -r count <${folder}/count
count=$((count + 1))
echo "$count" >${folder}/count
if [ "$at" = next ]; then
  label="$label, $(($(grep -cF -- "$label, " ${folder}/given) + 1))"
  printf '%s\n' "$label" >>${folder}/given
  if is plan && ! is cuts && ! is chosen && first_or_again; then
    printf '%s\n' "$label" >>${folder}/chosen
    rm -f ${folder}/again
  else
    at=none
  fi
fi
exec 9>&-
case $at in /* | next | "$count") ;; *) run ;; esac
case $mode in
  before) : >${folder}/cut; drop ;;
  after)
    (run)
    code=$?
    case $at in /*) [ -e "$at" ] || exit "$code" ;; esac
    # One that outlived its run does not cut the next.
    exec 9>>${folder}/lock
    flock 9
    read -r _ _ now <${folder}/armed
    if [ "$now" = "$armed" ]; then : >${folder}/cut; fi
    drop ;;
  power)
    : >${folder}/power
    (run)
    code=$?
    # Its answer does not come before the cut.
    while [ -e ${folder}/power ]; do sleep 0.1; done
    exit "$code" ;;
  hold)
    : >${folder}/held
    while [ -e ${folder}/held ]; do sleep 0.1; done
    run ;;
esac
`;

/** Puts the gate, which it reads from stdin, before every command. */
export const install = `
mkdir -p ${folder}
cat >${folder}/gate
echo 0 >${folder}/count
echo 0 none >${folder}/armed
touch ${folder}/plan ${folder}/cuts ${folder}/given
echo 'ForceCommand /bin/sh ${folder}/gate' >/etc/ssh/sshd_config.d/faults.conf
systemctl reload ssh
`;
