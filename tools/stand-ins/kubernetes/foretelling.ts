import { UNKNOWN } from "../../../components/provider/wire.ts";
import { at, isPlain, list, type Plain } from "./objects.ts";

/** Outputs of a create that did not happen: what the server will choose is unknown, not absent or guessed. */
export function withServerChoices(inputs: Plain, outputs: Plain): Plain {
  const result = { ...outputs };
  if (isPlain(outputs.metadata)) {
    const chosen = ["uid", "resourceVersion", "creationTimestamp", "generation"];
    result.metadata = { ...outputs.metadata, ...Object.fromEntries(chosen.map((name) => [name, UNKNOWN])) };
  }
  if ("status" in outputs) result.status = UNKNOWN;
  const isService = outputs.apiVersion === "v1" && outputs.kind === "Service";
  if (isService && isPlain(outputs.spec)) result.spec = withAddresses(inputs.spec, outputs.spec);
  return result;
}

/** A dry run draws addresses and ports that the real run draws anew. */
function withAddresses(wanted: unknown, spec: Plain): Plain {
  const result = { ...spec };
  const { type = "ClusterIP" } = spec;
  if (type !== "ExternalName" && at(wanted, "clusterIP") === undefined) {
    result.clusterIP = UNKNOWN;
    result.clusterIPs = UNKNOWN;
  }
  if ("healthCheckNodePort" in spec && at(wanted, "healthCheckNodePort") === undefined) {
    result.healthCheckNodePort = UNKNOWN;
  }
  if (["NodePort", "LoadBalancer", UNKNOWN].includes(String(type)) && Array.isArray(spec.ports)) {
    const asked = list(at(wanted, "ports"));
    result.ports = spec.ports.map((port, index) =>
      isPlain(port) && at(asked[index], "nodePort") === undefined ? { ...port, nodePort: UNKNOWN } : port,
    );
  }
  return result;
}

export function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isPlain(value) && Object.values(value).some(containsUnknown);
}
