/**
 * Shell text: `nothing_mounted_below DIRECTORY` ends a script that would remove what is in it. A bind mount
 * of the same file system is no border for `find -xdev` or `rm --one-file-system`.
 */
export const NOTHING_MOUNTED_BELOW = `
nothing_mounted_below() {
  # Spaces and the like are escaped in mountinfo; a path that has them is only not found.
  if ! awk -v above="$1/" 'index($5 "/", above) == 1 && $5 "/" != above { exit 1 }' /proc/self/mountinfo; then
    echo "something is mounted below $1: unmount that first, then run again" >&2
    exit 1
  fi
}
`;
