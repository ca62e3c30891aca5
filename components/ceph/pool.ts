import { minSize } from "../render/ceph.ts";

/** Pools of a manager's own figures, by Ceph's release; it makes one some time after its start. */
export const MANAGER_POOLS = ["device_health_metrics", ".mgr"];

/**
 * Shell text. `pools NAME PLACEMENT_GROUPS ...` makes pools with `$REPLICAS` copies, or sets them anew: they begin
 * with few placement groups, and Ceph's autoscaler makes more. The manager's get as many copies.
 * `remove_pool NAME` is for one whose data may go.
 */
export const POOL = `
pools() {
  # Running monitors read no file again.
  if [ "$REPLICAS" = 1 ]; then ceph config set global mon_allow_pool_size_one true >&2; fi
  names="${MANAGER_POOLS.join(" ")}"
  making=
  while [ "$#" -gt 0 ]; do
    # Of one that is there this changes nothing.
    ceph osd pool create "$1" "$2" "$2" replicated --size "$REPLICAS" --autoscale_mode on >&2 &
    making="$making $!"
    names="$names $1"
    shift 2
  done
  for one in $making; do wait "$one"; done
  detail=$(ceph osd pool ls detail)
  for pool in $names; do
    case $(printf '%s\\n' "$detail" | grep -F " '$pool' ") in
      "" | *" size $REPLICAS min_size $MIN_SIZE "*) continue ;;
    esac
    ceph osd pool set "$pool" size "$REPLICAS" --yes-i-really-mean-it >&2
    ceph osd pool set "$pool" min_size "$MIN_SIZE" >&2
  done
}
remove_pool() {
  turns=0
  while is_pool "$1"; do
    # A monitor learns of a setting a moment later, and another removal may take it back meanwhile.
    ceph config set mon mon_allow_pool_delete true
    if ceph osd pool rm "$1" "$1" --yes-i-really-really-mean-it >&2; then break; fi
    turns=$((turns + 1)); if [ "$turns" -gt 30 ]; then exit 1; fi
    sleep 1
  done
  ceph config rm mon mon_allow_pool_delete
}
`;

/** What `pools` is told. */
export const copies = (replicas: number) => ({
  REPLICAS: String(replicas),
  MIN_SIZE: String(minSize(replicas)),
});
