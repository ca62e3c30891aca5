import deserialize from "@pulumi/policy/deserialize.js";

type Read = (struct: object, keepsSecrets: boolean) => object;

/**
 * The SDK reads a resource's properties anew for each policy, which with as many as the pack has is most of a run.
 * From here on each is read once: policies change nothing in it. The function is none that the SDK promises; where
 * it is not there, the pack is slower and judges the same.
 */
export function readOnce(): void {
  const sdk = deserialize as unknown as { deserializeProperties?: Read };
  const read = sdk.deserializeProperties;
  if (!read) return;
  const known = new WeakMap<object, object>();
  sdk.deserializeProperties = (struct, keepsSecrets) => {
    const before = keepsSecrets ? undefined : known.get(struct);
    const made = before ?? read(struct, keepsSecrets);
    if (!keepsSecrets) known.set(struct, made);
    return made;
  };
}
