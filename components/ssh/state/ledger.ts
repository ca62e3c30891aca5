/** What a unit was before the first touch. */
export interface UnitBefore {
  /** The unit's file is ours, so it goes altogether. */
  own: boolean;
  /** Only when the state says something about it. */
  enabled?: boolean;
  /** Only when the state says something about it. */
  active?: boolean;
}

/** Kept on the host, so that exactly what was put can be taken back. */
export interface Ledger {
  version: 1;
  /** Resource that owns the state. */
  urn: string;
  /** Packages declared; which were newly installed is in the file `installed` beside. */
  packages: string[];
  /** True for those that were loaded here. */
  modules: Record<string, boolean>;
  /** Values before, by path under /proc/sys. */
  sysctls: Record<string, string>;
  /** Lines of /etc/hosts are ours. */
  hosts: boolean;
  /** `made` ones go when empty; others get back their attributes. */
  directories: Record<
    string,
    ({ made: true } | { made: false; mode: string; owner: string }) & { emptied?: boolean }
  >;
  /** True when an original was kept. */
  files: Record<string, { original: boolean }>;
  units: Record<string, UnitBefore>;
  /** Paths whose change units have yet to see, should the run be cut. */
  pending: string[];
}

export const stateRoot = "/var/lib/spillway/state";

/**
 * For `stat -c`: what changes when a file's content does. Beside the digest of each uploaded file it is
 * kept in the file `seals` of a state, a line each.
 */
export const sealFormat = "%d:%i:%s:%.9Z";

export function emptyLedger(urn: string): Ledger {
  return {
    version: 1,
    urn,
    packages: [],
    modules: {},
    sysctls: {},
    hosts: false,
    directories: {},
    files: {},
    units: {},
    pending: [],
  };
}

/**
 * Reads the ledger of a state. One that is damaged is not taken for none: what the state put would be somebody
 * else's, and packages that it needs would go with another's.
 *
 * @throws Error when the text is no ledger.
 */
export function parseLedger(state: string, text: string): Ledger {
  const file = `${stateRoot}/${state}/ledger`;
  let ledger: Partial<Ledger>;
  try {
    ledger = Object(JSON.parse(text));
  } catch {
    throw new Error(
      `${file}, which says what is Spillway's there, is ${text === "" ? "empty" : "damaged"}; put it back from a backup of the host, ` +
        "or install the host anew and run `pulumi up --refresh`",
    );
  }
  if (ledger.version !== 1)
    throw new Error(`${file} is of version ${ledger.version}; a newer Spillway wrote it, use that one`);
  return ledger as Ledger;
}
