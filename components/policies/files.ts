import { readFile } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import { kubernetesType, type Resource } from "./resource.ts";
import { isObject, type Properties } from "./value.ts";

/** A file that holds nothing that can be judged. */
export class Unreadable extends Error {}

/**
 * The resources that a file holds: documents of Kubernetes in YAML or JSON, and `{type, name, props}` as
 * Pulumi has them, alone or in a list.
 *
 * @throws Unreadable that says what is wrong with it
 */
export async function resourcesOf(path: string): Promise<Resource[]> {
  return documentsOf(await readFile(path, "utf8")).flatMap((document) => resourcesIn(document));
}

/** The documents of a text, be it JSON or YAML. Exported for tests. */
export function documentsOf(text: string): unknown[] {
  if (/^\s*[[{]/.test(text)) {
    try {
      return [JSON.parse(text)];
    } catch {
      // YAML may begin with a brace as well.
    }
  }
  const documents = parseAllDocuments(text, {
    merge: true,
    version: "1.1",
    uniqueKeys: true,
    logLevel: "silent",
  });
  if (!Array.isArray(documents)) return [];
  return documents.map((document) => {
    const [error] = document.errors;
    if (error) throw new Unreadable(`neither JSON nor YAML: ${error.message.split("\n")[0]}`);
    return document.toJS({ maxAliasCount: 100 });
  });
}

function resourcesIn(value: unknown): Resource[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap(resourcesIn);
  if (!isObject(value)) throw new Unreadable("neither an object of Kubernetes nor {type, name, props}");
  const { type, name, props, apiVersion, kind } = value;
  if (typeof type === "string" && isObject(props)) {
    return [{ type, name: typeof name === "string" ? name : nameOf(props), props }];
  }
  if (typeof apiVersion === "string" && typeof kind === "string") {
    return [{ type: kubernetesType(apiVersion, kind), name: nameOf(value), props: value }];
  }
  throw new Unreadable("neither an object of Kubernetes (apiVersion, kind) nor {type, name, props}");
}

function nameOf({ metadata }: Properties): string {
  const { name, generateName } = isObject(metadata) ? metadata : {};
  return typeof name === "string" ? name : typeof generateName === "string" ? generateName : "unnamed";
}
