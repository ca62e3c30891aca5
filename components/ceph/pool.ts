import { minSize } from "../render/ceph.ts";

/**
 * Shell text. `pool NAME PLACEMENT_GROUPS` makes a pool with `$REPLICAS` copies, or sets them anew: it begins
 * with few placement groups, and Ceph's autoscaler makes more. `remove_pool NAME` is for one whose data may go.
 */
export const POOL = `
pool() {
  ceph osd pool ls | grep -qxF "$1" || ceph osd pool create "$1" "$2" >&2
  ceph osd pool set "$1" size "$REPLICAS" --yes-i-really-mean-it >&2
  ceph osd pool set "$1" min_size "$MIN_SIZE" >&2
  ceph osd pool set "$1" pg_autoscale_mode on >&2
}
remove_pool() {
  turns=0
  while ceph osd pool ls | grep -qxF "$1"; do
    # A monitor learns of a setting a moment later, and another removal may take it back meanwhile.
    ceph config set mon mon_allow_pool_delete true
    if ceph osd pool rm "$1" "$1" --yes-i-really-really-mean-it >&2; then break; fi
    turns=$((turns + 1)); if [ "$turns" -gt 30 ]; then exit 1; fi
    sleep 1
  done
  ceph config rm mon mon_allow_pool_delete
}
`;

/** What `pool` is told. */
export const copies = (replicas: number) => ({
  REPLICAS: String(replicas),
  MIN_SIZE: String(minSize(replicas)),
});
