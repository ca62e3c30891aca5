import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One place that apt fetches packages from. */
export interface AptSource {
  /** Address of the archive, such as `http://mirror.example/debian`. */
  uri: string;
  /** Releases there, such as `bookworm` and `bookworm-updates`. */
  suites: string[];
  /** Parts of the archive, such as `main`. */
  components: string[];
}

/** The binary package sources of a file in one-line form (`deb URI SUITE COMPONENT...`). */
export function parseSourcesList(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const words = line
      .replace(/#.*/, "")
      .replace(/\[[^\]]*\]/, "")
      .trim()
      .split(/\s+/);
    const [type, uri, suite, ...components] = words;
    return type === "deb" && uri && suite ? [{ uri, suites: [suite], components }] : [];
  });
}

/** The binary package sources of a file in deb822 form (`Types: deb`, `URIs: ...`, stanzas). */
export function parseDeb822(text: string): AptSource[] {
  const stanzas = text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .split(/\n\s*\n/);
  return stanzas.flatMap((stanza) => {
    const words = (field: string) =>
      (new RegExp(`^${field}:(.*(?:\\n[ \\t].*)*)`, "im").exec(stanza)?.[1] ?? "")
        .split(/\s+/)
        .filter(Boolean);
    if (!words("Types").includes("deb") || words("Enabled")[0]?.toLowerCase() === "no") return [];
    return words("URIs").map((uri) => ({ uri, suites: words("Suites"), components: words("Components") }));
  });
}

/** The archive for a release among the sources, `undefined` when none has it. */
export function mirrorOf(sources: readonly AptSource[], suite: string): string | undefined {
  return sources.find(({ suites, components }) => suites.includes(suite) && components.includes("main"))?.uri;
}

/** The archive that this computer's own apt is set to for a release. */
export function configuredMirror(suite: string, directory = "/etc/apt"): string | undefined {
  const parts = (entries(directory, "sources.list.d") ?? []).sort();
  const read = (name: string) => {
    const text = readText(join(directory, name));
    return name.endsWith(".sources") ? parseDeb822(text) : parseSourcesList(text);
  };
  const names = ["sources.list", ...parts.filter((name) => /\.(list|sources)$/.test(name))];
  return mirrorOf(names.flatMap(read), suite);
}

function entries(directory: string, name: string): string[] | undefined {
  try {
    return readdirSync(join(directory, name)).map((entry) => join(name, entry));
  } catch {
    return undefined;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
