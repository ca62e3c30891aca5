import { type Filling, type FillingInputs, fillingType } from "./filling.ts";
import { type Repository, repositoryName, withRepository } from "./restic.ts";

export interface RestoreInputs extends FillingInputs {
  /** The point, and where it lies. */
  backup: {
    repository: Repository;
    snapshotId: string;
    /** The program names the point, and another one is brought back; else it stays the one that it was. */
    pinned: boolean;
  };
}

const LOOK_FOR_POINT = `
if ! reach; then echo "$SHOWN is no repository" >&2; exit 1; fi
known=$(listed "$SNAPSHOT")
case $known in
  *'"spillway"'*) ;;
  *)
    echo "$SHOWN has no point $SNAPSHOT that a Backup made; 'restic snapshots' shows those that it has" >&2
    exit 1
    ;;
esac
`;

const RESTORE_POINT = `
clear_out "$base/data"
echo "restoring" >&2
patient restore "$SNAPSHOT" --target "$base" --verify >&2
`;

function fillingOf({ backup, connection: { host } }: RestoreInputs): Filling {
  const { repository, snapshotId, pinned } = backup;
  const looking = { text: LOOK_FOR_POINT, values: { SNAPSHOT: snapshotId } };
  const { script, places } = withRepository(looking, host, repository);
  const point = `${repositoryName(host, repository)} ${pinned ? snapshotId : ""}`;
  return { ...script, before: script.text, text: RESTORE_POINT, places, source: { backup: point } };
}

/** A volume as it was at one point. */
export const restore = fillingType<RestoreInputs>({
  token: "spillway:operations:Restore",
  name: "Restore",
  fillingOf,
});
