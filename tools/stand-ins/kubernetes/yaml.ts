import { parseAllDocuments } from "yaml";
import { isPlain, list, type Plain } from "./objects.ts";

/**
 * The objects of a YAML text, lists unfolded. YAML 1.1, as Kubernetes reads it: `0644` is octal and
 * `on` is true. Dates and base-60 numbers stay text, as they do there.
 */
export function decodeYaml(text: string): Plain[] {
  const documents = parseAllDocuments(text, {
    version: "1.1",
    customTags: (tags) =>
      tags.filter(
        (tag) =>
          typeof tag === "string" ||
          (!("format" in tag && tag.format === "TIME") && !tag.tag.endsWith(":timestamp")),
      ),
  });
  return ("empty" in documents ? [] : documents).flatMap((document, index) => {
    const [error] = document.errors;
    if (error) throw new Error(`YAML document ${index + 1}: ${error.message}`);
    const value: unknown = document.toJS();
    return value === null ? [] : unfold(value, index + 1);
  });
}

function unfold(value: unknown, position: number): Plain[] {
  if (!isPlain(value) || typeof value.kind !== "string" || typeof value.apiVersion !== "string") {
    throw new Error(`YAML document ${position} is no Kubernetes object; give it apiVersion and kind`);
  }
  if (!value.kind.endsWith("List") || !Array.isArray(value.items)) return [value];
  return list(value.items).flatMap((item) => unfold(item, position));
}
