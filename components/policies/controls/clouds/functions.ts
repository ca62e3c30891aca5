import type { Control } from "../../control.ts";
import { holdsCredential, isSecretVariable } from "../../credentials.ts";
import { join } from "../../pods.ts";
import type { Finding } from "../../resource.ts";
import { isKnown, isObject, textOf } from "../../value.ts";
import { get, items, jsonOf, type Place, part, whole, withoutVersion } from "./cloud.ts";

/** Properties that hold variables, as a list of names and values or by name, whatever a service calls them. */
const VARIABLES =
  /^(?:(?:runtime|build|plain)?environment(?:variables?|vars)?|(?:build)?env(?:s|vars|variables)?|variables|appsettings)$/i;

/** Where a service takes its containers as JSON text; the path is the one in the text. */
const IN_JSON = new Set(["containerDefinitions", "containerProperties"]);

/** Properties of some types that hold variables, by names which elsewhere are anything. */
const OWN_VARIABLES: Readonly<Record<string, string>> = {
  "azure-native:web:WebAppApplicationSettings": "properties",
  "azure-native:web:WebAppApplicationSettingsSlot": "properties",
  "aws:elasticbeanstalk/environment:Environment": "settings",
  "aws:elasticbeanstalk/configurationTemplate:ConfigurationTemplate": "settings",
};

/** Types that hold connection strings by name. */
const OWN_CONNECTIONS: Readonly<Record<string, string>> = {
  "azure-native:web:WebAppConnectionStrings": "properties",
  "azure-native:web:WebAppConnectionStringsSlot": "properties",
};

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

/** Texts by which a program of Azure reaches its database, with the password in them, in a list or by name. */
function* connections(place: Place, key: string): Generator<Finding> {
  const { value, path } = part(place, key);
  const all = isObject(value)
    ? Object.entries(value).map(([name, each]) => ({ path: join(path, name), value: each }))
    : items(place, key);
  for (const each of all) {
    for (const own of ["connectionString", "value"]) {
      const text = part(each, own);
      if (holdsCredential(textOf(text.value) ?? "")) yield { path: text.path };
    }
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
    if (key === "connectionStrings") yield* connections(place, key);
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
    if (!CLOUD.test(type)) return;
    const [variablesAt, connectionsAt] = [OWN_VARIABLES, OWN_CONNECTIONS].map(
      (own) => own[withoutVersion(type)],
    );
    if (variablesAt !== undefined) yield* variables(whole(props), variablesAt);
    if (connectionsAt !== undefined) yield* connections(whole(props), connectionsAt);
    yield* everywhere(whole(props));
  },
};
