import { execFileSync } from "node:child_process";
import { labChanges } from "../components/lab/requirements.ts";
import { cacheRoot } from "../components/local/folders.ts";
import { whileBuilding } from "./build-ahead.ts";
import { requireBuilds } from "./build-needs.ts";
import { backend } from "./engine/backend.ts";
import { engine, environment } from "./engine/engine.ts";
import { checkout } from "./engine/paths.ts";
import { progressOn } from "./engine/progress.ts";
import { ensureStack } from "./engine/stack.ts";
import { exitCodeOf, interruptible } from "./interruption.ts";
import { installPackages, missingPrograms, packagesOf, runLines } from "./machine.ts";
import { nextSteps } from "./next-steps.ts";

const stack = "local";
/** Of stacks/local.ts, as it is without configuration. */
const parts = { kubernetes: "1.36" };
/** When `npm start` began, in milliseconds: packages may have been installed since. */
const began = Number(process.argv[2] ?? Date.now());
const progress = progressOn(process.stdout, began);

// Ctrl-C reaches Pulumi as well, which stops at the next safe point; what it says is still shown.
process.on("SIGINT", () => {});
try {
  await start();
} catch (error) {
  progress.line(`error: ${(error as Error).message}`);
  process.exitCode = exitCodeOf(error);
}

async function start(): Promise<void> {
  await interruptible((signal) => requireBuilds([parts], signal));
  const packages = packagesOf(missingPrograms());
  announce(packages);
  const found = await interruptible((signal) =>
    whileBuilding([parts], signal, async () => {
      if (packages.length > 0) await installPackages(packages, (text) => progress.line(`apt: ${text}`));
      return engine(progress, signal);
    }),
  );
  progress.line(`engine: ${found.source}, ${found.pulumi}`);
  const env = { ...process.env, ...environment(found) };
  process.chdir(checkout);
  const args = [
    "up",
    "--stack",
    stack,
    "--yes",
    "--non-interactive",
    "--color",
    process.stdout.isTTY ? "always" : "never",
  ];
  ensureStack(found.pulumi, args, env);

  let summary = "";
  const code = await runLines(found.pulumi, args, env, (text) => {
    if (/^\s*[-+~\d].*\b(created|updated|deleted|replaced|unchanged)\b/.test(text)) summary += `${text}\n`;
    if (!text.startsWith("@ ")) progress.line(text);
  });
  if (code !== 0)
    throw new Error(
      "pulumi up did not finish: mend what it says above and run npm start again; it goes on where it stopped",
    );

  const shown = execFileSync(found.pulumi, ["stack", "output", "--json", "--stack", stack], {
    env,
    encoding: "utf8",
  });
  const unchanged = /unchanged/.test(summary) && !/created|updated|deleted|replaced/.test(summary);
  progress.line(unchanged ? "nothing changed" : "done");
  console.log(nextSteps(stack, JSON.parse(shown) as Record<string, unknown>));
}

/** Said before anything is done. */
function announce(packages: readonly string[]): void {
  const state = backend().local;
  progress.line("on this computer:");
  progress.line(
    `  installs with apt-get, and leaves there: ${packages.join(", ") || "nothing, all is there"}`,
  );
  progress.line(`  keeps for later runs, safe to delete once all labs are destroyed: ${cacheRoot()}`);
  progress.line(`  keeps the state of stacks: ${state ?? "in the Pulumi backend that you are logged in to"}`);
  progress.line("  makes a lab:");
  for (const change of labChanges()) progress.line(`    ${change}`);
}
