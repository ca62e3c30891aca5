import { NOTHING_MOUNTED_BELOW } from "../ssh/mounts.ts";

/*
 * What a store or a disk puts at the top of every volume is not its user's data. Sizes and link counts of
 * directories belong to the file system.
 */
const own = ["lost+found", ".trashcan"];

/**
 * Shell text about trees of files.
 *
 * `tree DIR` prints all that a copy has to keep, a record ended by NUL for each fact, sorted: type, mode,
 * owner, time, size, target of each entry, which names are one file, extended attributes and access
 * control lists, SHA-256 of each content.
 */
export const TREE = `${NOTHING_MOUNTED_BELOW}
each() { find . \\( ${own.map((name) => `-path ./${name}`).join(" -o ")} \\) -prune -o "$@"; }
tree() (
  cd "$1"
  # A part that fails is not missed in a pipe.
  failed=$(mktemp)
  trap 'rm -f "$failed"' EXIT
  {
    { each -type d -printf '%p\\t%y %m %U:%G %T@\\0' -o -printf '%p\\t%y %m %U:%G %T@ %s %n -> %l\\0' || echo list >>"$failed"; }
    { each ! -type d -links +1 -printf '%i %p\\0' || echo links >>"$failed"; } | sort -z |
      perl -0ne 'chomp; my ($i, $p) = split / /, $_, 2; $first{$i} //= $p; print "$p\\tis $first{$i}\\0"'
    each -print0 | xargs -0 -r getfattr -h -d -m '^(user\\.|security\\.capability|system\\.posix_acl)' \\
      -e hex --absolute-names -- | perl -00 -pe 's/\\n+$//; s/$/\\0/'
    each -type f -print0 | { xargs -0 -r sha256sum -z -- || echo contents >>"$failed"; }
  } | sort -z
  if [ -s "$failed" ]; then echo "$1 cannot be read as a whole ($(xargs <"$failed"))" >&2; exit 1; fi
)
holds_data() {
  top=$(find "$1" -mindepth 1 -maxdepth 1 ${own.map((name) => `! -name ${name}`).join(" ")} -printf . -quit) || exit 1
  [ -n "$top" ]
}
clear_out() {
  nothing_mounted_below "$1"
  find "$1" -mindepth 1 -maxdepth 1 ${own.map((name) => `! -name ${name}`).join(" ")} \\
    -exec rm -rf --one-file-system -- {} +
}
# Entries by name, and bytes of files; those of one file count once.
count() {
  ( cd "$1"; each ! -path . -printf '%y %i %s\\n' ) |
    awk '{ n++ } $1 == "f" && !seen[$2]++ { bytes += $3 } END { printf "%d %.0f\\n", n, bytes }'
}
`;

/**
 * `copy_tree FROM TO` makes one tree as the other and compares the two. The second pass takes what changed
 * during the first. Goes on where an earlier one was cut.
 */
export const COPY_TREE = `
pass() {
  code=0
  rsync -aHAX --numeric-ids --sparse --delete --info=progress2 --outbuf=L \\
    ${own.map((name) => `--exclude=/${name}`).join(" ")} "$1/" "$2/" >&2 || code=$?
  # 24: files vanished under way, which the next pass or the comparison will tell.
  if [ "$code" != 0 ] && [ "$code" != 24 ]; then exit "$code"; fi
}
compare() {
  echo "comparing" >&2
  mkfifo "$base/one" "$base/other"
  tree "$1" >"$base/one" &
  one=$!
  tree "$2" >"$base/other" &
  other=$!
  different=$(comm -z -3 "$base/one" "$base/other" | tr '\\0' '\\n' | head -n 6 | tr -c '[:print:]\\n' '?')
  wait "$one"
  wait "$other"
  rm "$base/one" "$base/other"
  if [ -n "$different" ]; then
    echo "the copy differs; if the source is still written to, stop that first. The first differences:" >&2
    printf '%s\\n' "$different" >&2
    exit 1
  fi
}
copy_tree() {
  pass "$1" "$2"
  pass "$1" "$2"
  compare "$1" "$2"
}
`;
