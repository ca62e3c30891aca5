import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const checkout = join(import.meta.dirname, "../..");

/** A piece of TypeScript that a user is shown. */
interface Example {
  /** File and line where it stands. */
  place: string;
  code: string;
  /** Of a doc comment: the folder whose public names it uses. */
  folder?: string;
}

/** Names that an example may use without saying where they come from, as in the text around it. */
const free: Readonly<Record<string, string>> = {
  pulumi: 'import * as pulumi from "@pulumi/pulumi";',
  config: 'declare const config: import("@pulumi/pulumi").Config;',
  site: 'declare const site: import("spillway/onprem").Site;',
  registry: 'declare const registry: import("spillway/onprem").Registry;',
  cluster: 'declare const cluster: import("spillway/onprem").KubernetesCluster;',
  store: 'declare const store: import("spillway/onprem").Store;',
  volume: 'declare const volume: import("spillway/onprem").Volume;',
  provider: 'declare const provider: import("@pulumi/kubernetes").Provider;',
};

const documents = ["README.md", ...markdownBelow("docs"), ...markdownBelow("stacks")];

function markdownBelow(folder: string): string[] {
  try {
    const names = readdirSync(join(checkout, folder), { recursive: true, encoding: "utf8" });
    return names.filter((name) => name.endsWith(".md")).map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The fenced blocks of a language, with the line they start at. */
function blocks(text: string, language: string): { line: number; code: string }[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...text.matchAll(fence)].map((match) => ({
    line: text.slice(0, match.index).split("\n").length + 1,
    code: match[1]!,
  }));
}

function documentExamples(): Example[] {
  return documents.flatMap((path) =>
    blocks(readFileSync(join(checkout, path), "utf8"), "ts").map(({ line, code }) => ({
      place: `${path}:${line}`,
      code,
    })),
  );
}

/** `@example` in doc comments of exported declarations, and those of their members. */
function sourceExamples(): Example[] {
  const names = readdirSync(join(checkout, "components"), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const path = join("components", name);
      const file = ts.createSourceFile(
        path,
        readFileSync(join(checkout, path), "utf8"),
        ts.ScriptTarget.Latest,
        true,
      );
      return examplesIn(file).map(({ line, code }) => ({
        place: `${path}:${line}`,
        code,
        folder: name.split("/")[0]!,
      }));
    });
}

function examplesIn(file: ts.SourceFile): { line: number; code: string }[] {
  const found = new Map<number, { line: number; code: string }>();
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      if (tag.tagName.text !== "example") continue;
      const code = (ts.getTextOfJSDocComment(tag.comment) ?? "").replace(/^```(ts)?\n|```$/g, "");
      found.set(tag.pos, { line: file.getLineAndCharacterOfPosition(tag.pos).line + 1, code });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...found.values()];
}

/** Imports the names of its folder, and declares the free names that it does not declare itself. */
function complete({ code, folder }: Example): string {
  const used = (name: string) => new RegExp(`(?<![\\w.])${name}\\b(?!:)`).test(code);
  const made = (name: string) =>
    new RegExp(`\\b(const|let|as|import) ${name}\\b|[{,] ${name}\\b.*\\bfrom\\b`).test(code);
  const missing = Object.entries(free).filter(([name]) => used(name) && !made(name));
  const own = folder && /^\s*import /m.test(code) === false ? namesOf(folder).filter(used) : [];
  const imports = own.length > 0 ? `import { ${own.join(", ")} } from "spillway/${folder}";\n` : "";
  return `${imports}${missing.map(([, declaration]) => declaration).join("\n")}\n${code}\nexport {};\n`;
}

function namesOf(folder: string): string[] {
  const text = readFileSync(join(checkout, "components", folder, "index.ts"), "utf8");
  const lists = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap((match) => match[1]!.split(","));
  return lists.map((name) => name.replace(/\btype\b/, "").trim()).filter((name) => name !== "");
}

/** What the compiler finds wrong with the examples, with this project's own settings; by place. */
function problemsOf(examples: readonly Example[]): string[] {
  const settings = ts.readConfigFile(join(checkout, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(settings.config, ts.sys, checkout);
  const files = new Map(
    examples.map((example, i) => [
      join(checkout, `example-${i}.ts`),
      { ...example, text: complete(example) },
    ]),
  );
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name)?.text ?? readFile(name);
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const text = files.get(name)?.text;
    return text === undefined
      ? getSourceFile(name, languageVersion, ...rest)
      : ts.createSourceFile(name, text, languageVersion);
  };
  const program = ts.createProgram([...files.keys()], { ...options, noEmit: true }, host);
  return [...files].flatMap(([name, { place }]) => {
    const file = program.getSourceFile(name)!;
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(
      ({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, "\n  ")}`,
    );
  });
}

test("every example in the documents and in doc comments compiles", () => {
  const shown = documentExamples();
  const commented = sourceExamples();
  expect(shown.length).toBeGreaterThan(0);
  expect(commented.length).toBeGreaterThan(0);
  expect(problemsOf([...shown, ...commented])).toEqual([]);
}, 240_000);

test("an example with a wrong argument, a missing name or an unknown module is found", () => {
  const wrong = (code: string, folder?: string) => ({ place: "here", code, ...(folder && { folder }) });
  const [argument, name, module, ...more] = problemsOf([
    wrong('new Registry("registry", { site, hots: "cp1" });', "onprem"),
    wrong("const a = nobody;"),
    wrong('import { Site } from "spillway/moon";\nnew Site("moon");'),
    wrong('new Registry("registry", { site, host: "cp1" });', "onprem"),
  ]);
  expect(argument).toContain("'hots' does not exist");
  expect(name).toContain("Cannot find name 'nobody'");
  expect(module).toContain("Cannot find module 'spillway/moon'");
  expect(more).toEqual([]);
}, 240_000);

test("every npm script and every file that the documents name is there", () => {
  const { scripts } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const texts = documents.map((path) => ({ path, text: readFileSync(join(checkout, path), "utf8") }));
  const named = texts.flatMap(({ path, text }) => scriptsIn(text).map((script) => ({ path, script })));
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter(({ script }) => !Object.hasOwn(scripts, script))).toEqual([]);
  const links = texts.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((match) => join(path, "..", match[1]!)),
  );
  expect(links.filter((link) => !ts.sys.fileExists(join(checkout, link)))).toEqual([]);
});

/** Scripts that shell blocks and inline commands run. */
function scriptsIn(text: string): string[] {
  const shell = blocks(text, "sh").map(({ code }) => code);
  const inline = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return [...shell, ...inline].flatMap((code) => [
    ...[...code.matchAll(/\bnpm run (?:-\S+ )*([\w:-]+)/g)].map((match) => match[1]!),
    ...[...code.matchAll(/\bnpm (start|test)\b/g)].map((match) => match[1]!),
  ]);
}

test("the check sees the scripts of blocks and of inline commands", () => {
  const text = "```sh\nnpm start\nnpm run -s pulumi -- up\n```\nThen `npm run bench` and `npm test`.\n";
  expect(scriptsIn(text).sort()).toEqual(["bench", "pulumi", "start", "test"]);
});
