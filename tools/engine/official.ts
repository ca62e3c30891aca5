import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../components/local/run.ts";
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
export async function downloadOfficial(
  version: string,
  target: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<void> {
  progress.line(`downloading pulumi ${version} with npm's package of that name`);
  const home = mkdtempSync(join(tmpdir(), "spillway-pulumi-"));
  try {
    await run(["npx", "--yes", `pulumi@${version}`, "version"], {
      cwd: home,
      env: { PULUMI_HOME: home, PULUMI_VERSION: version, PULUMI_SKIP_UPDATE_CHECK: "true" },
      missing: "install npm with your Node",
      timeoutSeconds: 600,
      signal,
    });
    cpSync(join(home, "versions", version, "bin"), join(target, "bin"), { recursive: true });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
