import { createHash, randomBytes } from "node:crypto";
import { UNKNOWN } from "../../../components/provider/wire.ts";
import { annotation, at, isPlain, type Plain } from "./objects.ts";

const AUTONAMED = "pulumi.com/autonamed";

/** What the engine says about names: a name it proposes, or that it wants none made up. */
export interface Autonaming {
  proposed?: string;
  disabled?: boolean;
}

/** True when the name was made up, so that an old and a new object can stand side by side. */
export const isAutonamed = (inputs: Plain): boolean => annotation(inputs, AUTONAMED) === "true";

/**
 * Inputs with a name: the given one, the one made up before, or `<resource>-xxxxxxxx`, drawn from
 * the engine's seed so that it can be foretold.
 */
export function named(
  inputs: Plain,
  old: Plain,
  resource: string,
  seed: Uint8Array,
  autonaming: Autonaming = {},
): Plain {
  const given = inputs.metadata === UNKNOWN || at(inputs, "metadata", "name") !== undefined;
  if (given || autonaming.disabled) return inputs;
  const before = isAutonamed(old) ? at(old, "metadata", "name") : undefined;
  const name = before ?? autonaming.proposed ?? `${resource}-${suffix(seed)}`;
  const metadata = isPlain(inputs.metadata) ? inputs.metadata : {};
  const annotations = isPlain(metadata.annotations) ? metadata.annotations : {};
  return {
    ...inputs,
    metadata: { ...metadata, name, annotations: { ...annotations, [AUTONAMED]: "true" } },
  };
}

function suffix(seed: Uint8Array): string {
  const source = seed.length > 0 ? seed : randomBytes(16);
  return createHash("sha256").update(source).digest("hex").slice(0, 8);
}
