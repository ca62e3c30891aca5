import type { Script } from "../script.ts";
import { type Ledger, parseLedger, sealFormat, stateRoot } from "./ledger.ts";
import type { Wanted } from "./wanted.ts";

export interface PathFact {
  kind: "file" | "directory" | "other";
  mode: string;
  /** `user:group`, a number where nobody has it. */
  owner: string;
  /** The same in numbers. */
  ids: string;
  /** Regular files only. */
  sha256?: string;
}

export interface UnitFact {
  loaded: boolean;
  active: boolean;
  enabled: boolean;
  /** The file changed since systemd read it. */
  stale: boolean;
}

/** What is on a host, as far as a state is concerned. */
export interface Facts {
  packages: ReadonlySet<string>;
  modules: ReadonlySet<string>;
  sysctls: ReadonlyMap<string, string>;
  paths: ReadonlyMap<string, PathFact>;
  /** Our lines of /etc/hosts. */
  hosts: string[];
  /** Parent directories that are missing, outermost first. */
  gaps: string[];
  units: ReadonlyMap<string, UnitFact>;
  /** Every state's ledger, this one's too. */
  ledgers: ReadonlyMap<string, Ledger>;
  /** Packages that states newly installed. */
  installed: ReadonlyMap<string, ReadonlySet<string>>;
}

/*
 * Reads lines of pairs (kind, name) from PLAN; prints one fact a line. Paths come back as their
 * number in PLAN. One `stat`, one `sha256sum`, one `systemctl` for all, since starting programs is
 * what takes the time. A large file is hashed anew only when its inode, size or time of change is not
 * what it was when it was put there: `ctime` moves with every write and cannot be set by hand.
 */
const text = `
set -f
packages=; units=; sysctls=
seals=" $(cat ${stateRoot}/"$STATE"/seals 2>/dev/null | tr '\\n' ' ')"
say() { printf '%s\\n' "$1"; }
each() { while IFS= read -r kind <&3 && IFS= read -r name <&3; do "$1"; done 3<"$PLAN"; }
look() {
  case $kind in
    package) packages="$packages $name" ;;
    unit) units="$units $name" ;;
    module) if [ -e "/sys/module/$name" ] || compiled_in; then say "module $name"; fi ;;
    sysctl) sysctls="$sysctls $name" ;;
    path) if [ ! -e "$name" ] && [ ! -L "$name" ]; then gaps "$name"; fi ;;
  esac
}
compiled_in() {
  grep -qs "/$(say "$name" | sed 's/_/[_-]/g')\\.ko" "/lib/modules/$(uname -r)/modules.builtin"
}
gaps() {
  parent=\${1%/*}
  while [ -n "$parent" ] && [ ! -e "$parent" ]; do say "gap $parent"; parent=\${parent%/*}; done
}
attributes() {
  number=0; set --
  while IFS= read -r kind <&3 && IFS= read -r name <&3; do
    if [ "$kind" = path ]; then
      if [ -e "$name" ] || [ -L "$name" ]; then echo "have $number"; set -- "$@" "$name"; fi
      number=$((number + 1))
    fi
  done 3<"$PLAN"
  if [ $# -gt 0 ]; then stat -c 'stat %f %a %u:%g %U:%G' -- "$@"; fi
}
known() {
  if [ "$seals" = " " ]; then return 1; fi
  seal=$(stat -c '${sealFormat}' -- "$1")
  case $seals in *" $seal "*) ;; *) return 1 ;; esac
  sum=\${seals#*" $seal "}
  say "known $number \${sum%% *}"
}
digests() {
  number=0; set --
  while IFS= read -r kind <&3 && IFS= read -r name <&3; do
    if [ "$kind" = path ]; then
      if [ -f "$name" ] && [ ! -L "$name" ] && ! known "$name"; then echo "content $number"; set -- "$@" "$name"; fi
      number=$((number + 1))
    fi
  done 3<"$PLAN"
  if [ $# -gt 0 ]; then sha256sum -z -- "$@" | tr '\\n\\0' '\\1\\n' | sed 's/^\\([0-9a-f]*\\).*/sum \\1/'; fi
}
each look
attributes
digests
if [ -n "$packages" ]; then
  if command -v dpkg-query >/dev/null; then
    dpkg-query -W -f '\${db:Status-Status} \${Package}\\n' $packages 2>/dev/null | sed -n 's/^installed /package /p'
  elif command -v rpm >/dev/null; then
    rpm -q --qf 'package %{NAME}\\n' $packages | sed -n '/^package [^ ]*$/p'
  fi
fi
grep -s " # spillway:$STATE$" /etc/hosts | sed 's/^/hosts /' || :
if [ -n "$sysctls" ]; then grep -sH '' $sysctls | sed 's/^/sysctl /' || :; fi
if [ -n "$units" ]; then
  for unit in $units; do say "unit $unit"; done
  systemctl show -p LoadState -p ActiveState -p UnitFileState -p NeedDaemonReload -- $units | sed 's/^$/-/; s/^/show /'
fi
set +f
for ledger in ${stateRoot}/*/ledger; do
  [ -e "$ledger" ] || continue
  dir=\${ledger%/ledger}; state=\${dir##*/}
  IFS= read -r line <"$ledger" || :
  printf 'ledger %s %s\\n' "$state" "$line"
  if [ -e "$dir/installed" ]; then
    while IFS= read -r line; do say "installed $state $line"; done <"$dir/installed"
  fi
done
`;

/** The script that finds out all that matters for a state, in one round trip. */
export function observation(wanted: Wanted): Script {
  const pairs = [
    ...wanted.packages.map((name) => ["package", name]),
    ...wanted.modules.map((name) => ["module", name]),
    ...Object.keys(wanted.sysctls).map((name) => ["sysctl", name]),
    ...observedPaths(wanted).map((name) => ["path", name]),
    ...wanted.units.map(({ name }) => ["unit", name]),
  ];
  return {
    text,
    values: { STATE: wanted.name },
    files: {
      PLAN: pairs
        .flat()
        .map((line) => `${line}\n`)
        .join(""),
    },
  };
}

function observedPaths(wanted: Wanted): string[] {
  return [...Object.keys(wanted.directories), ...wanted.files.map(({ path }) => path)];
}

/** Reads what the script printed. */
export function parseFacts(wanted: Wanted, printed: string): Facts {
  const paths = observedPaths(wanted);
  const lines = printed.split("\n").map((line) => {
    const space = line.indexOf(" ");
    return { kind: line.slice(0, space), rest: line.slice(space + 1) };
  });
  const of = (kind: string) => lines.filter((line) => line.kind === kind).map(({ rest }) => rest);
  const pair = (rest: string): [string, string] => {
    const space = rest.indexOf(" ");
    return [rest.slice(0, space), rest.slice(space + 1)];
  };
  const stats = of("stat");
  const sums = of("sum");
  const digests = new Map([
    ...of("known").map(pair),
    ...of("content").map((number, i): [string, string] => [number, sums[i] ?? ""]),
  ]);
  const installed = new Map<string, Set<string>>();
  for (const [state, name] of of("installed").map(pair)) {
    installed.set(state, (installed.get(state) ?? new Set()).add(name));
  }
  return {
    packages: new Set(of("package")),
    modules: new Set(of("module")),
    sysctls: new Map(
      of("sysctl").map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon), spaced(line.slice(colon + 1))];
      }),
    ),
    paths: new Map(
      of("have").map((number, i) => [
        paths[Number(number)] ?? "",
        pathFact(stats[i] ?? "", digests.get(number)),
      ]),
    ),
    gaps: [...new Set(of("gap"))].sort((a, b) => a.length - b.length),
    hosts: of("hosts"),
    units: new Map(unitFacts(of("unit"), of("show"))),
    ledgers: new Map(
      of("ledger")
        .map(pair)
        .map(([state, json]) => [state, parseLedger(state, json)]),
    ),
    installed,
  };
}

/** The kernel separates a setting's parts by tabs. */
export function spaced(value: string): string {
  return value.trim().split(/\s+/).join(" ");
}

function pathFact(stat: string, sha256: string | undefined): PathFact {
  const [raw = "0", mode = "", ids = "", names = ""] = stat.split(" ");
  const numbers = ids.split(":");
  const owner = names
    .split(":")
    .map((name, i) => (name === "UNKNOWN" ? numbers[i] : name))
    .join(":");
  const type = Number.parseInt(raw, 16) & 0o170000;
  const kind = type === 0o100000 ? "file" : type === 0o040000 ? "directory" : "other";
  return { kind, mode, owner, ids, sha256 };
}

/** An owner as it was found, in numbers where it was said in numbers. */
export function ownerAs(said: string, { owner, ids }: Pick<PathFact, "owner" | "ids">): string {
  const [names, numbers] = [owner.split(":"), ids.split(":")];
  return said
    .split(":")
    .map((part, i) => (/^\d+$/.test(part) ? numbers[i] : names[i]))
    .join(":");
}

function unitFacts(names: string[], shown: string[]): [string, UnitFact][] {
  const blocks: Record<string, string>[] = [{}];
  for (const line of shown) {
    const [key = "", value = ""] = line.split("=");
    if (line === "-") blocks.push({});
    else blocks.at(-1)![key] = value;
  }
  return names.map((name, i) => {
    const { LoadState = "", ActiveState = "", UnitFileState = "", NeedDaemonReload = "" } = blocks[i] ?? {};
    return [
      name,
      {
        loaded: LoadState === "loaded",
        active: ActiveState === "active" || ActiveState === "activating" || ActiveState === "reloading",
        // `static` and such cannot be enabled and need not be.
        enabled: ["enabled", "static", "alias", "indirect", "generated"].includes(UnitFileState),
        stale: NeedDaemonReload === "yes",
      },
    ];
  });
}
