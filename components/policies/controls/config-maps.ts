import type { Addition } from "../control.ts";
import { join, objectsOf } from "../pods.ts";
import { isObject } from "../value.ts";
import { isSecretVariable } from "./credentials.ts";

/** What is in a ConfigMap is for all who read the namespace; its entries are values, or files with values. */
export const secretInConfigMap: Addition = {
  control: "secret-in-environment",
  types: ["ConfigMap"],
  *find(resource) {
    for (const { type, props, path } of objectsOf(resource)) {
      if (type.kind !== "ConfigMap" || type.group !== "core" || !isObject(props.data)) continue;
      for (const [name, value] of Object.entries(props.data)) {
        if (typeof value === "string" && isSecretVariable(name, value))
          yield { path: join(path, `data.${name}`) };
      }
    }
  },
};
