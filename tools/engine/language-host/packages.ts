import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

interface PackageJson {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  pulumi?: { resource?: boolean; name?: string; version?: string; server?: string };
}

/** An installed package that a program depends on. */
export interface Dependency {
  name: string;
  version: string;
  manifest: PackageJson;
}

/** The installed packages that the program in `directory` depends on, each once. */
export function dependencies(
  directory: string,
  options: { transitive: boolean; dev: boolean },
): Dependency[] {
  const found = new Map<string, Dependency>();
  const root = nearestPackage(directory);
  if (root === undefined) return [];
  const visit = (folder: string, names: string[]) => {
    for (const name of names) {
      const path = installed(folder, name);
      if (path === undefined || found.has(path)) continue;
      const manifest = read(path);
      if (manifest === undefined) continue;
      found.set(path, { name, version: manifest.version ?? "", manifest });
      if (options.transitive) visit(path, runtimeNames(manifest));
    }
  };
  const manifest = read(root) ?? {};
  visit(root, [
    ...runtimeNames(manifest),
    ...(options.dev ? Object.keys(manifest.devDependencies ?? {}) : []),
  ]);
  return [...found.values()];
}

/** The provider plugin that an SDK package says it needs. */
export function pulumiPlugin({ name, version, manifest }: Dependency) {
  const { pulumi } = manifest;
  if (!pulumi?.resource) return undefined;
  return {
    name: pulumi.name ?? name.replace(/^@pulumi\//, ""),
    version: pulumi.version || version,
    server: pulumi.server ?? "",
  };
}

/** Version of the `@pulumi/pulumi` that this host speaks for. */
export function sdkVersion(): string {
  const manifest = read(dirname(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json")));
  return manifest?.version ?? "";
}

function runtimeNames({ dependencies = {}, optionalDependencies = {} }: PackageJson): string[] {
  return Object.keys({ ...dependencies, ...optionalDependencies });
}

function installed(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name);
    if (read(path) !== undefined) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Folder of the nearest package.json at or above `directory`. */
export function nearestPackage(directory: string): string | undefined {
  for (let folder = directory; ; folder = dirname(folder)) {
    if (read(folder) !== undefined) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function read(folder: string): PackageJson | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageJson;
  } catch {
    return undefined;
  }
}
