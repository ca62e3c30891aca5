import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "rolldown";

const bundled = ["zod", "yaml"];

/**
 * Each run of Pulumi starts the program and the plugin anew: they come as few files, with those packages
 * inside that would be a hundred more. All else is installed beside, and shared with the user's program.
 */
export default defineConfig({
  input: Object.fromEntries(entries().map((entry) => [entry, `components/${entry}.ts`])),
  platform: "node",
  external: (id) => !/^[./]/.test(id) && !id.startsWith("components/") && !bundled.includes(packageOf(id)),
  output: { dir: "dist", format: "esm", entryFileNames: "[name].js", chunkFileNames: "chunks/[name].js" },
  plugins: [{ name: "package", writeBundle }],
});

/** What users import, and what Pulumi and shells start. */
function entries(): string[] {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    exports: Record<string, { default?: string }>;
  };
  const imported = Object.values(manifest.exports).flatMap(
    (entry) => /^[.]\/dist\/(.*)[.]js$/.exec(entry.default ?? "")?.[1] ?? [],
  );
  return [...imported, "policies/pack", "provider/main", "cli/main"];
}

function writeBundle(_: unknown, bundle: Record<string, unknown>): void {
  removeOld(bundle);
  writeLicenses();
}

/** Chunks and sources come and go, and whatever is in the folder is published. */
function removeOld(bundle: Record<string, unknown>): void {
  for (const name of readdirSync("dist", { recursive: true, encoding: "utf8" })) {
    const source = join("components", name.replace(/[.]d[.]ts$/, ".ts"));
    const isOld = name.endsWith(".d.ts") ? !existsSync(source) : name.endsWith(".js") && !(name in bundle);
    if (isOld) rmSync(join("dist", name));
  }
}

function packageOf(id: string): string {
  return id.split("/", id.startsWith("@") ? 2 : 1).join("/");
}

/** What is inside may be passed on with its licence alone. */
function writeLicenses(): void {
  const texts = bundled.map((name) => {
    const folder = join("node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
    return `${name} ${version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
  });
  writeFileSync(join("dist", "LICENSES-OF-OTHERS.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
}
