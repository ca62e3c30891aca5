import { parseAllDocuments, stringify } from "yaml";

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

/** Of the manifests before, those whose objects are not among the ones now; just enough of each to delete it. */
export function goneManifests(before: string, now: string): string {
  const kept = new Set(objectsOf(now).map((object) => JSON.stringify(object)));
  return objectsOf(before)
    .filter((object) => !kept.has(JSON.stringify(object)))
    .map((object) => stringify(object))
    .join("---\n");
}

const objectsOf = (text: string): Manifest[] =>
  parseAllDocuments(text).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null;
    if (!manifest) return [];
    const { apiVersion, kind, metadata } = manifest;
    const { name, namespace } = metadata;
    return [{ apiVersion, kind, metadata: { name, ...(namespace && { namespace }) } }];
  });
