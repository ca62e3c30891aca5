import type { Control } from "../../control.ts";
import { join } from "../../pods.ts";
import type { Finding } from "../../resource.ts";
import { isKnown, isObject, textOf } from "../../value.ts";
import { isSecretVariable } from "../credentials.ts";
import { get, items, jsonOf, type Place, part, whole } from "./cloud.ts";

/** Properties that hold variables, as a list of names and values or by name, whatever a service calls them. */
const VARIABLES =
  /^(?:(?:runtime|build|plain)?environment(?:variables?|vars)?|(?:build)?env(?:s|vars|variables)?|variables|appsettings)$/i;

/** Where a service takes its containers as JSON text; the path is the one in the text. */
const IN_JSON = new Set(["containerDefinitions", "containerProperties"]);

/** A value that is a name in a store of secrets by what its neighbour says (CodeBuild). */
const STORES = new Set(["SECRETS_MANAGER", "PARAMETER_STORE"]);

function* variables(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  if (isObject(value)) {
    for (const [name, each] of Object.entries(value))
      if (isSecretVariable(name, textOf(each) ?? "")) yield { path: join(path, name) };
    return;
  }
  for (const each of items(place, key)) {
    const [name, text] = [textOf(get(each.value, "name")), textOf(get(each.value, "value"))];
    const type = get(each.value, "type");
    if (!isKnown(type) || STORES.has(textOf(type) ?? "")) continue;
    if (isSecretVariable(name ?? "", text ?? "")) yield { path: join(each.path, "value") };
  }
}

function* everywhere(place: Place): Generator<Finding> {
  const { value } = place;
  if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) yield* everywhere({ path: `${place.path}[${i}]`, value: each });
  }
  if (!isObject(value)) return;
  for (const key of Object.keys(value)) {
    if (VARIABLES.test(key)) yield* variables(place, key);
    const { path, value: below } = part(place, key);
    yield* everywhere({ path, value: IN_JSON.has(key) ? jsonOf(below) : below });
  }
}

const CLOUD = /^(?:aws|aws-native|awsx|azure|azure-native(?:_\w+)?|gcp):/;

export const secretInFunction: Control = {
  id: "secret-in-function",
  practice: "secrets",
  title: "No credential stands in the environment of a function or a task of a cloud",
  remedy:
    "name it in the cloud's secret store: `secrets` (ECS), `secretRef` (Azure), `valueSource` (Cloud Run)",
  types: ["aws:*", "aws-native:*", "awsx:*", "azure:*", "azure-native:*", "gcp:*"],
  *find({ type, props }) {
    if (CLOUD.test(type)) yield* everywhere(whole(props));
  },
};
