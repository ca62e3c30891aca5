import { NAME_LIMIT, nameProblems, quote } from "./names.ts";
import type { Problem } from "./problem.ts";
import { argumentProblems, flag, named, number, type Shape } from "./shape.ts";

/** How much a store holds, in bytes. What replicas take is counted once. */
export interface Capacity {
  /** Bytes that it may hold, copies counted once. */
  total: number;
  /** Bytes that it holds. */
  used: number;
  /** Bytes that it has room for. */
  available: number;
}

/** Arguments of a volume. */
export interface VolumeArgs {
  /** Most that it may hold, in GiB, where the store has quotas. @default as much as the store has */
  capacityGiB?: number;
  /**
   * The volume may go, or shrink, with the data in it: the word that a `destroy` asks for. It counts
   * once a `pulumi up` has recorded it. @default the store's
   */
  allowDataLoss?: boolean;
}

/** Shapes of the arguments that every store's volumes have. */
export const VOLUME_SHAPE = { capacityGiB: number, allowDataLoss: flag };

/**
 * What is wrong with a volume's name and arguments.
 *
 * @param store name of the store
 * @param taken names of its other volumes
 */
export function volumeProblems(
  store: string,
  name: string,
  args: VolumeArgs,
  taken: ReadonlySet<string>,
  shape: Record<string, Shape> = VOLUME_SHAPE,
): Problem[] {
  return argumentProblems(named(shape), args, (args) => {
    const { capacityGiB } = args;
    const longest = NAME_LIMIT - store.length - 1;
    return [
      ...nameProblems("name", name),
      ...(name.length <= longest
        ? []
        : [
            {
              path: "name",
              found: `${quote(name)} and the store's name make more than ${NAME_LIMIT} letters`,
              remedy: `use at most ${longest}: the two together name what is on hosts`,
            },
          ]),
      ...(taken.has(name)
        ? [{ path: "name", found: `the store has a volume ${quote(name)} already`, remedy: "choose another" }]
        : []),
      ...(capacityGiB === undefined || (capacityGiB >= 2 ** -10 && capacityGiB <= 2 ** 23)
        ? []
        : [
            {
              path: "capacityGiB",
              found: String(capacityGiB),
              remedy: `give a number of GiB from ${2 ** -10} (1 MiB) to ${2 ** 23}`,
            },
          ]),
    ];
  });
}

/** What is wrong with a path on a host that may become part of unit files and options: plain and absolute. */
export function plainPathProblems(path: string, value: string, example: string): Problem[] {
  if (/^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/.test(value)) return [];
  return [
    { path, found: `${quote(value)} is no plain absolute path`, remedy: `give one such as ${example}` },
  ];
}

/** A place for data that exists once: a directory or a device of a host. */
interface Place {
  host: string;
  path: string;
  owner: string;
}

/** The directories, devices and mount points of a site's hosts that the program has given away. */
export class Places {
  readonly #taken: Place[] = [];

  /** Why a place cannot be given to somebody: it is, is in, or holds what another has. */
  problems(argument: string, host: string, path: string): Problem[] {
    const other = this.#taken.find(
      (place) =>
        place.host === host &&
        (place.path === path || place.path.startsWith(`${path}/`) || path.startsWith(`${place.path}/`)),
    );
    if (!other) return [];
    const found =
      other.path === path
        ? `${path} of ${host} belongs to ${other.owner} already`
        : `${path} of ${host} overlaps ${other.path}, which belongs to ${other.owner}`;
    return [{ path: argument, found, remedy: "choose another place" }];
  }

  /** @param owner whose it is, for messages: `HostStore "scratch"` */
  take(host: string, path: string, owner: string): void {
    this.#taken.push({ host, path, owner });
  }
}
