/** Writes what is generated from the policies' controls: `policies/controls.json`, and the table in docs/policies.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalogue, catalogueTable } from "../components/policies/catalogue.ts";
import { checkout } from "./engine/paths.ts";

export const controlsFile = join(checkout, "policies", "controls.json");
export const docsFile = join(checkout, "docs", "policies.md");

const BEGIN = "<!-- controls: generated -->\n";
const END = "<!-- controls: end -->\n";

export const controlsJson = (): string => `${JSON.stringify(catalogue(), undefined, 2)}\n`;

/** A text with the table between its marks made anew. */
export function withTable(text: string): string {
  const [before, rest = ""] = text.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`${docsFile}: the marks of the table are missing`);
  return `${before}${BEGIN}\n${catalogueTable()}\n${END}${after}`;
}

if (import.meta.main) {
  writeFileSync(controlsFile, controlsJson());
  writeFileSync(docsFile, withTable(readFileSync(docsFile, "utf8")));
}
