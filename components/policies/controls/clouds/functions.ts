import type { Control } from "../../control.ts";
import { join } from "../../pods.ts";
import type { Finding } from "../../resource.ts";
import { isKnown, isObject, listOf, textOf } from "../../value.ts";
import { CREDENTIAL, isCredential } from "../secrets.ts";
import { cloudControl, forTypes, get, items, jsonOf, type Place, part, whole } from "./cloud.ts";
import { isElsewhere } from "./credentials.ts";

function isSecret(name: unknown, value: unknown): boolean {
  const text = textOf(value) ?? "";
  const isNamed = isCredential(textOf(name) ?? "", text) && !isElsewhere(text);
  return text !== "" && (isNamed || CREDENTIAL.test(text));
}

/** Variables as a list of names and values. */
function* variables(container: Place, key: string): Generator<Finding> {
  for (const { path, value } of items(container, key))
    if (isSecret(get(value, "name"), get(value, "value"))) yield { path: join(path, "value") };
}

function* variablesOfEach(place: Place, containers: string, key: string): Generator<Finding> {
  for (const container of items(place, containers)) yield* variables(container, key);
}

function* lambda(props: unknown): Generator<Finding> {
  const { value, path } = part(whole(props), "environment.variables");
  if (!isObject(value)) return;
  for (const [name, each] of Object.entries(value))
    if (isSecret(name, each)) yield { path: join(path, name) };
}

/** ECS takes its containers as JSON text; the path is the one in the text. */
function* ecs(props: unknown): Generator<Finding> {
  const definitions = get(props, "containerDefinitions");
  const read = isKnown(definitions) ? listOf(jsonOf(definitions)) : [];
  yield* variablesOfEach(whole({ containerDefinitions: read }), "containerDefinitions", "environment");
}

export const secretInFunction: Control = cloudControl(
  {
    id: "secret-in-function",
    practice: "secrets",
    title: "No credential stands in the environment of a function or a task of a cloud",
    remedy:
      "name it in the cloud's secret store: `secrets` (ECS), `secretRef` (Azure), `valueSource` (Cloud Run)",
  },
  {
    ...forTypes(["aws:lambda/function:Function", "aws-native:lambda:Function"], lambda),
    ...forTypes(["aws:ecs/taskDefinition:TaskDefinition", "aws-native:ecs:TaskDefinition"], ecs),
    "azure-native:containerinstance:ContainerGroup": (props) =>
      variablesOfEach(whole(props), "containers", "environmentVariables"),
    "azure-native:app:ContainerApp": (props) => variablesOfEach(whole(props), "template.containers", "env"),
    "gcp:cloudrunv2/service:Service": (props) => variablesOfEach(whole(props), "template.containers", "envs"),
    "gcp:cloudrunv2/job:Job": (props) =>
      variablesOfEach(whole(props), "template.template.containers", "envs"),
  },
);
