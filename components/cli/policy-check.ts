import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { checkFiles, type FileViolation } from "../policies/check.ts";
import { type Command, UsageError } from "./usage.ts";

/** Judges files by the policy pack's controls, without an engine. */
export const policyCheck: Command = {
  usage: `  policy-check [--config FILE] [--stack NAME] [--advice] FILE...
      Judges files of Kubernetes (YAML, JSON) and resources as Pulumi has them ({type, name, props}): a line of
      JSON for each violation, with --advice also for what is only advised, then a summary, which counts both;
      exit code 1 when there are violations. The FILE - is what is piped in, as by \`helm template\`. The
      configuration is that of \`pulumi up --policy-pack-config\`; the stack chooses among its environments, and
      without one everything is production.
`,
  options: { config: { type: "string" }, stack: { type: "string" }, advice: { type: "boolean" } },
  async run({ config, stack, advice: wantsAdvice }, files) {
    if (files.length === 0) throw new UsageError("say which files");
    const lines: string[] = [];
    const configuration = typeof config === "string" ? await configurationIn(config) : {};
    const note = (found: FileViolation) => {
      if (found.level !== "advisory" || wantsAdvice) lines.push(JSON.stringify(found));
    };
    const own = typeof stack === "string" ? stack : undefined;
    const { violations, advice, resources } = await checkFiles(files, configuration, note, own);
    const summary = { summary: { files: files.length, resources, violations, advice } };
    return { text: [...lines, JSON.stringify(summary)].join("\n"), code: violations > 0 ? 1 : 0 };
  },
};

async function configurationIn(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new UsageError(`--config ${path}: ${(error as Error).message.split("\n")[0]}`);
  }
}
