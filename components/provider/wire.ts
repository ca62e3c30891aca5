import structs, { type JavaScriptValue, type Struct } from "google-protobuf/google/protobuf/struct_pb.js";

// Both constants are Pulumi's own: sdk/go/common/resource/properties.go.
/** Stands for a value that is not known during a preview. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

type Plain = Record<string, unknown>;

const isObject = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Plain values out of a Struct; secrets unwrapped, unknown ones dropped or kept as `UNKNOWN`. */
export function fromStruct(struct: Struct | undefined, options: { unknown: "keep" | "drop" }): Plain {
  return struct ? (unwrap(struct.toJavaScript(), options.unknown === "keep") as Plain) : {};
}

/** Names of the properties that hold an unknown value somewhere inside. */
export function unknownNames(struct: Struct | undefined): Set<string> {
  const entries = Object.entries(struct?.toJavaScript() ?? {});
  return new Set(entries.filter(([, value]) => containsUnknown(value)).map(([name]) => name));
}

/** A Struct out of plain values; what is `undefined` is left out, the properties named become secrets. */
export function toStruct(values: object, secretNames: readonly string[] = []): Struct {
  const plain = clean(values) as Plain;
  for (const name of secretNames) {
    if (name in plain) plain[name] = { [SIGNATURE]: SECRET, value: plain[name] };
  }
  return structs.Struct.fromJavaScript(plain as { [key: string]: JavaScriptValue });
}

function unwrap(value: unknown, keepUnknown: boolean): unknown {
  if (value === UNKNOWN) return keepUnknown ? value : undefined;
  if (Array.isArray(value)) return value.map((item) => unwrap(item, keepUnknown));
  if (!isObject(value)) return value;
  if (value[SIGNATURE] === SECRET) return unwrap(value.value, keepUnknown);
  const entries = Object.entries(value).map(([key, item]) => [key, unwrap(item, keepUnknown)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isObject(value) && Object.values(value).some(containsUnknown);
}

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => clean(item) ?? null);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, clean(item)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}
