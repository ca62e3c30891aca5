# Runs a program of this package with a Node that is new enough: `entry` is its path below the
# package, `name` what to call it in the error.
package=$(dirname -- "$bin")

# Prints nothing and fails when there is no such program or it is older than Node 22.
is_recent() {
  [ -x "$(command -v "$1")" ] || return 1
  # Answered before Node sets itself up: each run of Pulumi waits for this.
  version=$("$1" --version 2>/dev/null)
  major=${version#v}
  [ "${major%%.*}" -ge 22 ] 2>/dev/null
}

# Each run of Pulumi starts the plugin anew: what Node compiled is kept for the next start.
if [ -z "$NODE_COMPILE_CACHE" ] && [ -n "$XDG_CACHE_HOME$HOME" ]; then
  export NODE_COMPILE_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/spillway/node"
fi

for node in node "$package/node_modules/.bin/node" "$package/../.bin/node" "$PWD/node_modules/.bin/node"; do
  if is_recent "$node"; then
    exec "$node" "$package/$entry" "$@"
  fi
done
echo "$name: no Node 22 or newer on PATH or in node_modules/.bin; install one, or: npm install node@24" >&2
exit 1
