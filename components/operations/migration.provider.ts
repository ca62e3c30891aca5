import { type FillingInputs, fillingType } from "./filling.ts";
import type { Place } from "./place.ts";
import { COPY_TREE } from "./tree.ts";

export interface MigrationInputs extends FillingInputs {
  /** Stays as it is. */
  from: Place;
}

const MIGRATE = `${COPY_TREE}
copy_tree "$base/source" "$base/data"
`;

/** A volume's files in another volume, compared file by file. */
export const migration = fillingType<MigrationInputs>({
  token: "spillway:operations:Migration",
  name: "Migration",
  fillingOf: ({ from }) => ({ text: MIGRATE, places: { source: from }, source: { from: from.volume } }),
});
