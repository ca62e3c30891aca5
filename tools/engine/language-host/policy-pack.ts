/** Serves a policy pack written as an ES module in JavaScript or in TypeScript whose types Node strips. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [directory = ".", ...rest] = process.argv.slice(2);
const entry = entryOf(directory);
process.argv = [process.execPath, entry, ...rest];
await import(pathToFileURL(entry).href);

function entryOf(folder: string): string {
  const names = [
    /^main:\s*["']?([^"'#\n]+?)["']?\s*$/m.exec(read(join(folder, "PulumiPolicy.yaml")))?.[1],
    mainOf(read(join(folder, "package.json"))),
    "index.js",
    "index.mjs",
    "index.ts",
  ];
  const found = names.find((name) => name !== undefined && existsSync(join(folder, name)));
  if (found === undefined)
    throw new Error(`${folder}: no policy pack there; give "main" in its PulumiPolicy.yaml, or an index.js`);
  return join(folder, found);
}

function mainOf(manifest: string): string | undefined {
  if (manifest === "") return undefined;
  return (JSON.parse(manifest) as { main?: string }).main;
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
