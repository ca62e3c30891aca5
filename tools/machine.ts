import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { hasProgram, labPrograms } from "../components/lab/requirements.ts";

/** What a cluster in a lab needs on this computer: a program and the Debian package that brings it. */
const programs: Readonly<Record<string, string>> = { ...labPrograms, skopeo: "skopeo", umoci: "umoci" };

/** Programs that a cluster in a lab needs and this computer lacks. */
export function missingPrograms(has: (program: string) => boolean = hasProgram): string[] {
  return Object.keys(programs).filter((program) => !has(program));
}

/** Debian packages that bring these programs. */
export function packagesOf(missing: readonly string[]): string[] {
  return [...new Set(missing.map((program) => programs[program] ?? program))];
}

/** Installs Debian packages. Errors say what to install by hand. */
export async function installPackages(
  packages: readonly string[],
  line: (text: string) => void,
): Promise<void> {
  const byHand = `install ${packages.join(", ")} and try again`;
  if (!isDebian()) throw new Error(`this computer is no Debian or Ubuntu: ${byHand}`);
  if (process.getuid?.() !== 0)
    throw new Error(`packages are missing and only root may install them: ${byHand}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "--quiet"],
    ["install", "--yes", "--quiet", "--no-install-recommends", ...packages],
  ]) {
    const code = await runLines("apt-get", args, env, line);
    if (code !== 0)
      throw new Error(`\`apt-get ${args[0]}\` ended with code ${code}; see above, or ${byHand}`);
  }
}

/** Runs a command and passes on each line that it prints, and SIGTERM to it; returns its exit code. */
export async function runLines(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  line: (text: string) => void,
): Promise<number> {
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (text) => text.trim() !== "" && line(text));
  const stop = () => child.kill("SIGTERM");
  process.on("SIGTERM", stop);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 1));
    });
  } finally {
    process.off("SIGTERM", stop);
  }
}

function isDebian(): boolean {
  const release = "/etc/os-release";
  return existsSync(release) && /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync(release, "utf8"));
}
