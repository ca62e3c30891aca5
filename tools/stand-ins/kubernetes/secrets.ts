import { isPlain, type KubernetesObject, type Plain } from "./objects.ts";

const encode = (text: unknown): string => Buffer.from(String(text), "utf8").toString("base64");
const decode = (text: unknown): string => Buffer.from(String(text), "base64").toString("utf8");

/** Properties of a Secret that are secret whatever they were made of. */
export const secretFields = (inputs: Plain): string[] =>
  inputs.apiVersion === "v1" && inputs.kind === "Secret" ? ["data", "stringData"] : [];

/**
 * The manifest to apply. `stringData` becomes `data`: the API server never gives it back, and under
 * server-side apply a key removed from it would stay.
 */
export function manifestOf(inputs: Plain): KubernetesObject {
  if (secretFields(inputs).length === 0 || !isPlain(inputs.stringData)) return inputs as KubernetesObject;
  const { stringData, ...rest } = inputs;
  const encoded = Object.entries(stringData as Plain).map(([key, value]) => [key, encode(value)]);
  return {
    ...rest,
    data: { ...(rest.data as Plain), ...Object.fromEntries(encoded) },
  } as unknown as KubernetesObject;
}

/** Puts what was found in `data` back to where the program wrote it. */
export function asWritten(inputs: Plain, found: Plain): Plain {
  if (secretFields(inputs).length === 0 || !isPlain(inputs.stringData)) return found;
  const data = isPlain(found.data) ? found.data : {};
  const pick = (written: unknown, read: (value: unknown) => unknown) => {
    const names = isPlain(written) ? Object.keys(written).filter((name) => name in data) : [];
    return Object.fromEntries(names.map((name) => [name, read(data[name])]));
  };
  const stringData = pick(inputs.stringData, decode);
  const { data: _, ...rest } = found;
  return inputs.data === undefined
    ? { ...rest, stringData }
    : { ...rest, stringData, data: pick(inputs.data, (value) => value) };
}
