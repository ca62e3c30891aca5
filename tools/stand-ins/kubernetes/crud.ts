import { setTimeout as sleep } from "node:timers/promises";
import { UNKNOWN } from "../../../components/provider/wire.ts";
import { ApiError, type Cluster, type Coordinates, UnknownKind, Unreachable } from "./cluster.ts";
import { importedInputs, observed } from "./drift.ts";
import { containsUnknown, withServerChoices } from "./foretelling.ts";
import {
  annotation,
  at,
  idOf,
  isPlain,
  type KubernetesObject,
  list,
  type Plain,
  parseId,
  titleOf,
  withoutBookkeeping,
} from "./objects.ts";
import { Failed, pending } from "./readiness.ts";
import { asWritten, manifestOf } from "./secrets.ts";
import type { Settings } from "./settings.ts";
import { symptoms } from "./symptoms.ts";

/** What an operation knows of the run it is part of. */
export interface Run {
  /** Seconds that `customTimeouts` allows; 0 when nothing was said. */
  timeoutSeconds: number;
  signal: AbortSignal;
  progress(message: string): void;
  warn(message: string): void;
}

/** The object is there, but not ready: the engine keeps it and comes back to it. */
export class NotReady extends Error {
  readonly id: string;
  readonly outputs: Plain;
  readonly reasons: string[];

  constructor(object: KubernetesObject, outputs: Plain, reasons: string[], what: string) {
    super(`${titleOf(object)}: ${what}: ${reasons.join("; ")}`);
    this.id = idOf(object);
    this.outputs = outputs;
    this.reasons = reasons;
  }
}

const DEFAULT_TIMEOUT_SECONDS = 600;
const POLL_MILLISECONDS = 500;
/** A definition that was just made takes a moment to be served. */
const KIND_PATIENCE_SECONDS = 10;

/** Operations on objects of one cluster, over plain values. */
export class Objects {
  readonly #cluster: Cluster;
  readonly #settings: Settings;

  constructor(cluster: Cluster, settings: Settings) {
    this.#cluster = cluster;
    this.#settings = settings;
  }

  /** Inputs with the namespace that they will land in. */
  async located(inputs: Plain): Promise<Plain> {
    if (!isPlain(inputs.metadata) || inputs.metadata.namespace !== undefined) return inputs;
    try {
      const { namespaced } = await this.#cluster.kind(String(inputs.apiVersion), String(inputs.kind));
      if (!namespaced) return inputs;
    } catch (error) {
      // Its definition may be made in this very run.
      if (error instanceof UnknownKind) return inputs;
      throw error;
    }
    return { ...inputs, metadata: { ...inputs.metadata, namespace: this.#cluster.namespace } };
  }

  /** The outputs of a create that is only previewed; `replacing` when the old object is still there. */
  async foretellCreate(run: Run, inputs: Plain, replacing: boolean): Promise<Plain> {
    const vague = withServerChoices(inputs, { ...inputs, status: UNKNOWN });
    if (replacing || containsUnknown(inputs)) return vague;
    const object = manifestOf(inputs);
    try {
      if (await this.#cluster.get(coordinatesOf(object))) {
        if (!this.#settings.upsertExistingObjects) run.warn(alreadyExists(object));
      }
      return withServerChoices(inputs, outputsOf(inputs, await this.#apply(object, true)));
    } catch (error) {
      const namespaceMissing = error instanceof ApiError && error.code === 404;
      if (namespaceMissing || error instanceof UnknownKind) return vague;
      throw error;
    }
  }

  async create(run: Run, inputs: Plain): Promise<{ id: string; outputs: Plain }> {
    const object = manifestOf(inputs);
    await this.#kindServed(run, object);
    if (!this.#settings.upsertExistingObjects && (await this.#cluster.get(coordinatesOf(object)))) {
      throw new Error(alreadyExists(object));
    }
    const made = await this.#apply(object, false);
    return { id: idOf(made), outputs: await this.#ready(run, inputs, made) };
  }

  async foretellUpdate(inputs: Plain, oldOutputs: Plain): Promise<Plain> {
    if (containsUnknown(inputs)) return { ...oldOutputs, ...inputs };
    return outputsOf(inputs, await this.#apply(manifestOf(inputs), true));
  }

  async update(run: Run, inputs: Plain): Promise<Plain> {
    return this.#ready(run, inputs, await this.#apply(manifestOf(inputs), false));
  }

  /** What is there, `undefined` when gone; without `inputs`, everything in it becomes inputs. */
  async read(
    id: string,
    kind: { apiVersion: string; kind: string },
    inputs: Plain,
  ): Promise<{ inputs: Plain; outputs: Plain; unready?: NotReady } | undefined> {
    const live = await this.#find({ ...kind, ...parseId(id) });
    if (!live) return undefined;
    if (Object.keys(inputs).length === 0)
      return { inputs: importedInputs(live), outputs: outputsOf({}, live) };
    const manifest = manifestOf(inputs);
    const found = asWritten(inputs, observed(manifest, await this.#desired(manifest), live));
    const outputs = outputsOf(found, live);
    const reasons = waits(inputs) ? await reasonsOf(live, this.#cluster) : [];
    if (reasons.length === 0) return { inputs: found, outputs };
    return { inputs: found, outputs, unready: new NotReady(live, outputs, reasons, "is not ready") };
  }

  /** Deletes with its dependents and waits until it is gone. */
  async delete(
    run: Run,
    id: string,
    kind: { apiVersion: string; kind: string },
    inputs: Plain,
  ): Promise<void> {
    const coordinates = { ...kind, ...parseId(id) };
    try {
      const policy = annotation(inputs, "pulumi.com/deletionPropagationPolicy") ?? "foreground";
      const there = await this.#cluster.delete(coordinates, policy[0]!.toUpperCase() + policy.slice(1));
      if (there && waits(inputs)) await this.#gone(run, coordinates, inputs);
    } catch (error) {
      if (error instanceof UnknownKind) return;
      if (!(error instanceof Unreachable && this.#settings.deleteUnreachable)) throw error;
      run.warn(`${kind.kind} ${id} is forgotten: ${error.message}`);
    }
  }

  async #find(coordinates: Coordinates): Promise<KubernetesObject | undefined> {
    try {
      return await this.#cluster.get(coordinates);
    } catch (error) {
      if (error instanceof UnknownKind) return undefined;
      throw error;
    }
  }

  async #apply(object: KubernetesObject, dryRun: boolean): Promise<KubernetesObject> {
    const said = annotation(object, "pulumi.com/patchForce");
    const force = said === undefined ? this.#settings.enablePatchForce : said === "true";
    try {
      return await this.#cluster.apply(object, { dryRun, force });
    } catch (error) {
      if (error instanceof ApiError && error.code === 409) {
        throw new Error(
          `${titleOf(object)}: ${error.message}; to take these fields over, set the annotation pulumi.com/patchForce: "true" or the provider's enablePatchForce`,
        );
      }
      if (error instanceof ApiError) error.message = `${titleOf(object)}: ${error.message}`;
      throw error;
    }
  }

  /** What the API server would make of the manifest; the manifest itself where it refuses. */
  async #desired(manifest: KubernetesObject): Promise<KubernetesObject> {
    try {
      return await this.#cluster.apply(manifest, { dryRun: true, force: true });
    } catch (error) {
      if (error instanceof ApiError) return manifest;
      throw error;
    }
  }

  async #kindServed(run: Run, { apiVersion, kind }: KubernetesObject): Promise<void> {
    const deadline = Date.now() + KIND_PATIENCE_SECONDS * 1000;
    for (;;) {
      try {
        await this.#cluster.kind(apiVersion, kind);
        return;
      } catch (error) {
        if (!(error instanceof UnknownKind) || Date.now() > deadline) throw error;
        await sleep(POLL_MILLISECONDS, undefined, { signal: run.signal });
      }
    }
  }

  async #ready(run: Run, inputs: Plain, object: KubernetesObject): Promise<Plain> {
    if (!waits(inputs)) return outputsOf(inputs, object);
    const seconds = secondsFor(run, inputs);
    const deadline = Date.now() + seconds * 1000;
    let live = object;
    for (let shown = ""; ; ) {
      const outcome = await verdict(live, this.#cluster);
      if (outcome.reasons.length === 0) return outputsOf(inputs, live);
      const message = outcome.reasons.join("; ");
      if (message !== shown) run.progress(message);
      shown = message;
      const ended = outcome.final
        ? "will not become ready"
        : run.signal.aborted
          ? "interrupted while it was not ready"
          : Date.now() >= deadline
            ? `not ready after ${seconds} s`
            : undefined;
      if (ended) {
        const reasons = [...outcome.reasons, ...(await symptoms(live, this.#cluster))];
        throw new NotReady(live, outputsOf(inputs, live), reasons, ended);
      }
      await sleep(POLL_MILLISECONDS, undefined, { signal: run.signal }).catch(() => {});
      const next = await this.#cluster.get(coordinatesOf(live));
      if (!next)
        throw new Error(`${titleOf(live)}: somebody deleted it while we waited for it; run up again`);
      live = next;
    }
  }

  async #gone(run: Run, coordinates: Coordinates, inputs: Plain): Promise<void> {
    const seconds = secondsFor(run, inputs);
    const deadline = Date.now() + seconds * 1000;
    const uid = (await this.#find(coordinates))?.metadata.uid;
    for (;;) {
      const live = await this.#find(coordinates);
      if (!live || live.metadata.uid !== uid) return;
      const { finalizers = [] } = live.metadata;
      run.progress(
        `waiting until it is gone${finalizers.length > 0 ? `; finalizers: ${finalizers.join(", ")}` : ""}`,
      );
      if (Date.now() >= deadline || run.signal.aborted) {
        const conditions = (list(at(live, "status", "conditions")) as Plain[])
          .filter(({ status }) => status === "True")
          .map(({ type, message }) => `${type}: ${message}`);
        const why = [`finalizers: ${finalizers.join(", ") || "none"}`, ...conditions].join("; ");
        throw new Error(
          `${titleOf(live)}: ${run.signal.aborted ? "interrupted while it was" : `after ${seconds} s`} still being deleted; ${why}; run again to go on waiting`,
        );
      }
      await sleep(POLL_MILLISECONDS, undefined, { signal: run.signal }).catch(() => {});
    }
  }
}

const waits = (inputs: Plain): boolean => annotation(inputs, "pulumi.com/skipAwait") !== "true";

function secondsFor(run: Run, inputs: Plain): number {
  const annotated = Number(annotation(inputs, "pulumi.com/timeoutSeconds"));
  return run.timeoutSeconds || annotated || DEFAULT_TIMEOUT_SECONDS;
}

async function verdict(
  object: KubernetesObject,
  cluster: Cluster,
): Promise<{ reasons: string[]; final: boolean }> {
  try {
    return { reasons: await pending(object, cluster), final: false };
  } catch (error) {
    if (error instanceof Failed) return { reasons: [error.message], final: true };
    throw error;
  }
}

const reasonsOf = async (object: KubernetesObject, cluster: Cluster): Promise<string[]> =>
  (await verdict(object, cluster)).reasons;

const coordinatesOf = ({ apiVersion, kind, metadata }: KubernetesObject): Coordinates => ({
  apiVersion,
  kind,
  name: metadata.name,
  namespace: metadata.namespace,
});

const alreadyExists = (object: KubernetesObject): string =>
  `${titleOf(object)} exists already and is not in this stack's state; import it, choose another name, or set the provider's upsertExistingObjects`;

/** The live object; what the program wrote and the server never gives back is added. */
function outputsOf(inputs: Plain, live: KubernetesObject): Plain {
  const outputs: Plain = withoutBookkeeping(live);
  return inputs.stringData === undefined ? outputs : { ...outputs, stringData: inputs.stringData };
}
