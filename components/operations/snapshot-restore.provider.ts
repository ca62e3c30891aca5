import { type FillingInputs, fillingType } from "./filling.ts";
import type { Place } from "./place.ts";
import { COPY_TREE } from "./tree.ts";

export interface SnapshotRestoreInputs extends FillingInputs {
  /** The volume that the snapshot is of, its name, and its directory below the volume's top. */
  snapshot: { of: Place; name: string; path: string };
}

const RESTORE = `${COPY_TREE}
copy_tree "$base/source/$SNAPSHOT" "$base/data"
`;

/** A volume as it was when a snapshot was taken, of itself or of another one. */
export const snapshotRestore = fillingType<SnapshotRestoreInputs>({
  token: "spillway:operations:SnapshotRestore",
  name: "Restore",
  fillingOf: ({ snapshot }) => ({
    text: RESTORE,
    values: { SNAPSHOT: snapshot.path },
    places: { source: snapshot.of },
    source: { snapshot: `${snapshot.of.volume}@${snapshot.name}` },
  }),
});
