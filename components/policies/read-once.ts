import deserialize from "@pulumi/policy/deserialize.js";
import analyzer from "@pulumi/pulumi/proto/analyzer_grpc_pb.js";

type Read = (struct: object, keepsSecrets: boolean) => object;
type Decode = (bytes: Uint8Array) => object;

/**
 * The SDK reads a resource's properties anew for each policy, and once more when the engine asks whether a policy
 * would change the resource, which is most of a run. From here on each is read once: policies change nothing in it.
 * Neither function is promised by the SDK; where one is not there, the pack is slower and judges the same.
 */
export function readOnce(): void {
  readPropertiesOnce();
  readNothingToChange();
}

function readPropertiesOnce(): void {
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

/** No policy of the pack remediates: the first request for that, a stack's, does for all. */
function readNothingToChange(): void {
  const { AnalyzerService } = analyzer as unknown as {
    AnalyzerService?: Record<string, { requestDeserialize: Decode }>;
  };
  const remediate = AnalyzerService?.remediate;
  if (!remediate) return;
  const decode = remediate.requestDeserialize;
  let first: object | undefined;
  remediate.requestDeserialize = (bytes) => {
    first ??= decode(bytes);
    return first;
  };
}
