import type { Problem } from "../model/problem.ts";

/** What a resource's operation knows of the run it is part of. */
export interface Context {
  /** URN of the resource, or a test's name. */
  urn: string;
  /** True during `preview`: nothing may be changed, looking is allowed. */
  preview: boolean;
  /** Shows a short-lived line of progress next to the resource. Never given a secret. */
  progress(message: string): void;
  /** Shows a lasting line on the resource, for what a person is to read once. */
  info(message: string): void;
  /** Shows a lasting warning on the resource. */
  warn(message: string): void;
  /** Aborted by Ctrl-C; long work stops at the next safe point. */
  signal: AbortSignal;
  /** Seconds the user allows for this operation (`customTimeouts`); 0 when nothing was said. */
  timeoutSeconds: number;
}

/** What changed between two sets of inputs. */
export interface Difference {
  /** Paths of the inputs that changed, such as `files["/etc/hosts"].content`. */
  paths: string[];
  /** Paths among them that cannot be updated in place. @default none */
  replace?: string[];
  /** Old one goes before the new one comes. @default true: hosts and names are exclusive */
  deleteBeforeReplace?: boolean;
}

/** A resource as it is in the state. */
export interface Existing<I, O> {
  id: string;
  inputs: I;
  outputs: O;
}

/**
 * One resource type of the plugin: plain functions over plain values, so that tests call them
 * without an engine. Secrets arrive unwrapped. Outputs are stored together with the inputs:
 * `outputs` holds only what the inputs do not.
 */
export interface ResourceType<I extends object, O extends object> {
  /** Type token, such as `spillway:ssh:HostState`. Never changes. */
  token: string;
  /** Outputs besides the inputs: unknown in the preview of a create. */
  computed: readonly (keyof O & string)[];
  /** Outputs that are secret although no input of the same name is. @default none */
  secret?: readonly (keyof O & string)[];
  /**
   * Everything wrong with the inputs. Values unknown at preview arrive as `undefined` and their
   * names in `unknown`, so an absent one is not called missing.
   */
  check?(inputs: Partial<I>, unknown: ReadonlySet<string>): Problem[];
  /** @default a deep comparison of the inputs; `connection` is left out */
  diff?(old: Existing<I, O>, inputs: I): Difference;
  /** Input paths (first name) that force a replacement in the default diff. @default none */
  replaceOn?: readonly (keyof I & string)[];
  /** Inputs that allow something later: an update of these alone does no work, so that it never fails. @default none */
  words?: readonly (keyof I & string)[];
  /** Looks before a create when all inputs are known; throws what would fail. @default nothing */
  preview?(context: Context, inputs: I): Promise<void>;
  /** Outputs that an update makes anew: unknown in its preview. @default none */
  renews?(old: Existing<I, O>, inputs: I): readonly (keyof O & string)[];
  /** Looks before an update when all inputs are known; throws what would fail. @default nothing */
  previewUpdate?(context: Context, old: Existing<I, O>, inputs: I): Promise<void>;
  /**
   * Id under which a create that failed half-way is kept in the state, so that the next `up` goes on
   * with `create` and a `destroy` takes back what there is. @default a failed create leaves nothing
   */
  unfinishedId?(inputs: I): string;
  /** Re-enterable: when its answer was lost, the same create is called again. */
  create(context: Context, inputs: I): Promise<{ id: string; outputs: O }>;
  /** What is really there, `undefined` when gone. Inputs that drifted are returned as found. */
  read?(context: Context, old: Existing<I, O>): Promise<{ inputs: I; outputs: O } | undefined>;
  /** @default every difference replaces */
  update?(context: Context, old: Existing<I, O>, inputs: I): Promise<O>;
  /** Re-enterable; succeeds when the thing is gone already. */
  delete(context: Context, old: Existing<I, O>): Promise<void>;
}

/** Keeps the type parameters of one type while the list of all types forgets them. */
export type AnyResourceType = ResourceType<never, never>;
