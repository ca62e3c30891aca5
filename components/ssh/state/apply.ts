import { NOTHING_MOUNTED_BELOW } from "../mounts.ts";
import type { Script } from "../script.ts";
import { sealFormat, stateRoot } from "./ledger.ts";

/** One thing to do on a host; arguments are single lines. */
export interface Action {
  verb: string;
  args?: string[];
  /** Content for the verbs that write. */
  bytes?: Buffer;
}

/*
 * Does what PLAN lists: a verb a line, then its arguments, a line each. Contents are pieces of one
 * file, so that a state of many files needs no program for each that is right already. Output of
 * package tools goes to a log: a lost connection must not break a pipe under dpkg.
 */
const text = `${NOTHING_MOUNTED_BELOW}
set -f
root=${stateRoot}
state=$root/$STATE
doing=starting; new=
ended() {
  code=$?
  if [ -n "$new" ]; then rm -rf "$new"; fi
  if [ "$code" != 0 ]; then printf '(while doing: %s)\\n' "$doing" >&2; fi
}
trap ended EXIT
arg() { IFS= read -r "$1" <&3; }
say() { printf '%s\\n' "$1"; }
piece() { tail -c "+$offset" "$CONTENTS" | head -c "$length"; }
# What a loss of power left half-written beside a path goes with the next try, or with the path.
tidy() { set +f; rm -rf "\${1%/*}/.spillway-$2."*; set -f; }
beside() { tidy "$1" "$2"; new=$(mktemp "\${1%/*}/.spillway-$2.XXXXXX"); }
install_piece() {
  beside "$1" "$4"
  piece >"$new"; chown "$3" "$new"; chmod "$2" "$new"
  if [ "\${5:-}" = durable ]; then sync "$new"; fi
  mv -fT "$new" "$1"; new=
}
# Lines of other paths stay, a new one comes last.
seal() {
  if [ -e "$state/seals" ]; then
    while IFS= read -r line; do
      case $line in *" $1") ;; *) say "$line" ;; esac
    done <"$state/seals"
  fi >"$state/seals.new"
  if [ -n "$2" ]; then say "$(stat -c '${sealFormat}' -- "$1") $2 $1" >>"$state/seals.new"; fi
  mv "$state/seals.new" "$state/seals"
}
log="${"$"}{CONTENTS%/*}/log"
logged() { "$@" >"$log" 2>&1 </dev/null 3<&-; }
shown() { logged "$@" || { tail -c 3000 "$log" >&2; return 1; }; }
# dpkg itself does not wait for whom it finds at work, such as a host's own upgrades after its boot.
patiently() {
  turns=0
  until logged "$@"; do
    grep -q 'locked by another process' "$log" || return 1
    turns=$((turns + 1))
    if [ "$turns" -ge 60 ]; then tail -c 3000 "$log" >&2; exit 1; fi
    sleep 2
  done
}
unit() {
  # The unit alone decides: a package's old init script may have lost its links.
  if SYSTEMCTL_SKIP_SYSV=1 systemctl --quiet "$1" -- "$2" 3<&- >&2; then return 0; fi
  # What is still mounted would be forgotten, and taken for the empty directory below it.
  case "$1 $2" in "stop "*.mount)
    if systemctl --quiet is-active -- "$2"; then
      echo "it is in use (\\\`fuser -vm\\\` shows by whom): end that, then run again" >&2
      return 1
    fi ;;
  esac
  if [ "$tolerant" = yes ]; then return 0; fi
  case $1 in *start) journalctl -u "$2" -n 15 --no-pager -o cat >&2 || : ;; esac
  return 1
}
if command -v dpkg-query >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  list() {
    packages=$(dpkg-query -W -f '\${db:Status-Status} \${Package}\\n') || exit 1
    printf '%s\\n' "$packages" | sed -n 's/^installed //p' | sort -u
  }
  get() {
    shown apt-get -y -q -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confdef \\
      -o Dpkg::Options::=--force-confold "$@"
  }
  # What is the host's already stays: who would have to take something away says so. Names of what comes are
  # noted first: what somebody installs by hand after a failure is not ours.
  bring() {
    shown apt-get -s -q --no-remove --no-install-recommends "$@" || return 1
    sed -n 's/^Inst \\([^ :]*\\)[^ ]* (.*/\\1/p' "$log" >>"$state/coming"
    get --no-remove --no-install-recommends "$@"
  }
  add() {
    if [ -n "$(ls /var/lib/dpkg/updates)" ]; then
      patiently dpkg --configure -a || { tail -c 3000 "$log" >&2; return 1; }
    fi
    if ls /var/lib/apt/lists | grep -q _Packages &&
      bring -o "Dir::Cache::archives=$state/apt" install "$@" 2>/dev/null; then return 0; fi
    mkdir -p "$state/lists/partial"
    get -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/apt" update
    bring -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/apt" install "$@"
  }
  drop() { patiently dpkg --purge "$@" || :; }
elif command -v dnf >/dev/null; then
  list() { packages=$(rpm -qa --qf '%{NAME}\\n') || exit 1; printf '%s\\n' "$packages" | sort -u; }
  add() {
    list >"$state/earlier"
    shown dnf -y --setopt=install_weak_deps=False install "$@" || return 1
    list | comm -13 "$state/earlier" - >>"$state/coming"
    rm -f "$state/earlier"
  }
  drop() { logged rpm -e "$@" || for one; do logged rpm -e "$one" || :; done; }
else
  list() { :; }
  add() { echo "neither apt-get nor dnf is here" >&2; return 1; }
  drop() { :; }
fi
install_packages() {
  mkdir -p "$state/apt/archives/partial" "$state/apt/partial"
  # A note of a try that was cut serves the same try alone.
  if [ "$(cat "$state/asked" 2>/dev/null)" != "$*" ]; then rm -f "$state/coming"; say "$*" >"$state/asked"; fi
  add "$@"
  list >"$state/after"
  sort -u "$state/coming" | comm -12 - "$state/after" >>"$state/installed"
  rm -rf "$state/asked" "$state/coming" "$state/after" "$state/apt" "$state/lists"
}
remove_packages() {
  drop "$@"
  printf '%s\\n' "$@" | sort -u >"$state/removed"
  list >"$state/after"
  comm -12 "$state/removed" "$state/after" | while IFS= read -r name; do
    if [ -n "$heir" ]; then say "$name" >>"$root/$heir/installed"; else say "warn package $name stays: others need it"; fi
  done
  sort -u "$state/installed" | comm -23 - "$state/removed" >"$state/installed.new"
  mv "$state/installed.new" "$state/installed"
  rm -f "$state/removed" "$state/after"
}
tolerant=no
while arg verb; do
  case $verb in
    tolerate) arg tolerant ;;
    ledger)
      arg offset; arg length; doing="noting what is done"
      mkdir -p "$root"; chmod 0700 "$root"; mkdir -p "$state"
      install_piece "$state/ledger" 600 root:root ledger durable ;;
    keep)
      arg path; arg id; doing="keeping the original of $path"
      mkdir -p "$root"; chmod 0700 "$root"; mkdir -p "$state/originals"
      rm -rf "$state/originals/$id"; cp -aT "$path" "$state/originals/$id" ;;
    discard) arg id; rm -rf "$state/originals/$id"; rmdir "$state/originals" 2>/dev/null || : ;;
    install) arg names; doing="installing $names"; install_packages $names ;;
    remove) arg names; arg heir; doing="removing $names"; remove_packages $names ;;
    bequeath) arg names; arg heir; printf '%s\\n' $names >>"$root/$heir/installed" ;;
    modprobe) arg name; doing="loading module $name"; modprobe -- "$name" ;;
    unload) arg name; modprobe -r -- "$name" 2>/dev/null || say "warn module $name stays loaded: in use" ;;
    sysctl) arg path; arg value; doing="setting $path"; say "$value" >"$path" ;;
    reset) arg path; arg value; doing="setting back $path"; if [ -e "$path" ]; then say "$value" >"$path"; fi ;;
    directory)
      arg path; arg mode; arg owner; doing="making directory $path"
      if [ ! -d "$path" ]; then mkdir "$path"; fi; chown "$owner" "$path"; chmod "$mode" "$path" ;;
    attributes)
      arg path; arg mode; arg owner; doing="mode and owner of $path"
      if [ -e "$path" ]; then chown "$owner" "$path"; chmod "$mode" "$path"; fi ;;
    empty)
      arg path; doing="emptying $path"
      if [ -d "$path" ]; then nothing_mounted_below "$path"; find "$path" -xdev -mindepth 1 -delete; fi ;;
    prune) arg path; if [ -d "$path" ]; then rmdir "$path" 2>/dev/null || :; fi ;;
    rmdir)
      arg path; doing="removing directory $path"
      if [ -d "$path" ]; then rmdir "$path" 2>/dev/null || say "warn directory $path stays: it is not empty"; fi ;;
    write)
      arg path; arg mode; arg owner; arg id; arg offset; arg length; doing="writing $path"
      install_piece "$path" "$mode" "$owner" "$id" ;;
    restore)
      arg path; arg id; doing="putting back the original of $path"
      beside "$path" "$id"
      rm -f "$new"; cp -aT "$state/originals/$id" "$new"; mv -fT "$new" "$path"; new= ;;
    unlink) arg path; arg id; doing="removing $path"; tidy "$path" "$id"; rm -f "$path"
      if [ -e "$state/seals" ]; then seal "$path" ""; fi ;;
    seal) arg path; arg sum; doing="noting what $path is"; seal "$path" "$sum" ;;
    hosts)
      arg offset; arg length; doing="writing /etc/hosts"
      beside /etc/hosts hosts
      if [ -e /etc/hosts ]; then
        sed -e "/ # spillway:$STATE$/d" -e '$a\\' /etc/hosts >"$new"
        chown --reference=/etc/hosts "$new"; chmod --reference=/etc/hosts "$new"
      else chmod 0644 "$new"; fi
      piece >>"$new"
      if [ -s "$new" ]; then mv -fT "$new" /etc/hosts; else rm -f /etc/hosts "$new"; fi
      new= ;;
    reload) doing="reloading systemd"; systemctl daemon-reload ;;
    unit) arg command; arg name; doing="systemctl $command $name"; unit "$command" "$name" ;;
    healthy)
      arg name; doing="checking $name"
      if systemctl --quiet is-failed -- "$name"; then
        echo "it failed right after its start" >&2; journalctl -u "$name" -n 15 --no-pager -o cat >&2 || :
        exit 1
      fi ;;
    settle) sleep 0.3 ;;
    forget) doing="forgetting the state"; rm -rf "$state"; rmdir "$root" "\${root%/*}" 2>/dev/null || : ;;
    *) echo "unknown verb" >&2; exit 64 ;;
  esac
done 3<"$PLAN"
`;

/** The script that does these things in this order. */
export function application(state: string, actions: Action[], timeoutSeconds?: number): Script {
  const plan: string[] = [];
  const pieces: Buffer[] = [];
  let offset = 1;
  for (const { verb, args = [], bytes } of actions) {
    plan.push(verb, ...args);
    if (bytes === undefined) continue;
    plan.push(String(offset), String(bytes.length));
    pieces.push(bytes);
    offset += bytes.length;
  }
  const bad = plan.find((line) => /[\n\0]/.test(line));
  if (bad !== undefined) throw new Error(`${JSON.stringify(bad)} is not one line`);
  return {
    text,
    values: { STATE: state },
    files: { PLAN: `${plan.join("\n")}\n` },
    secretFiles: { CONTENTS: Buffer.concat(pieces).toString("utf8") },
    timeoutSeconds,
  };
}

/** What the script warned of. */
export function warningsIn(printed: string): string[] {
  return printed.split("\n").flatMap((line) => (line.startsWith("warn ") ? [line.slice(5)] : []));
}
