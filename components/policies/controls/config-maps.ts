import type { Addition } from "../control.ts";
import { isSecretVariable, unpacked } from "../credentials.ts";
import { join, objectsOf } from "../pods.ts";
import { objectOf } from "../value.ts";

/** What is in a ConfigMap is for all who read the namespace; its entries are values, or files with values. */
export const secretInConfigMap: Addition = {
  control: "secret-in-environment",
  types: ["ConfigMap"],
  *find(resource) {
    for (const { type, props, path } of objectsOf(resource)) {
      if (type.kind !== "ConfigMap" || type.group !== "core") continue;
      for (const [name, value] of Object.entries(objectOf(props.data))) {
        if (typeof value === "string" && isSecretVariable(name, value))
          yield { path: join(path, `data.${name}`) };
      }
      for (const [name, value] of Object.entries(objectOf(props.binaryData))) {
        const text = typeof value === "string" ? unpacked(Buffer.from(value, "base64")) : undefined;
        if (text !== undefined && isSecretVariable(name, text))
          yield { path: join(path, `binaryData.${name}`) };
      }
    }
  },
};
