import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Progress } from "./progress.ts";

/** Where npm's `pulumi` package fetches its install script from. */
const downloadHost = "https://get.pulumi.com/install.sh";

/** Whether Pulumi's download host answers within a few seconds. */
export async function isReachable(url: string = downloadHost, timeout: number = 4000): Promise<boolean> {
  try {
    return (await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(timeout) })).ok;
  } catch {
    return false;
  }
}

/** Fetches the official engine with its language hosts into a folder, by npm's `pulumi` package. */
export async function downloadOfficial(version: string, target: string, progress: Progress): Promise<void> {
  progress.line(`downloading pulumi ${version} with npm's package of that name`);
  const home = mkdtempSync(join(tmpdir(), "spillway-pulumi-"));
  try {
    const child = spawn("npx", ["--yes", `pulumi@${version}`, "version"], {
      cwd: home,
      env: { ...process.env, PULUMI_HOME: home, PULUMI_VERSION: version, PULUMI_SKIP_UPDATE_CHECK: "true" },
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 600_000,
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) throw new Error(`npm's pulumi@${version} ended with code ${code}`);
    cpSync(join(home, "versions", version, "bin"), join(target, "bin"), { recursive: true });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
