import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { duration } from "../../components/local/duration.ts";
import {
  goEnvironment,
  neverInlined,
  requireGo,
  withoutDebugInformation,
} from "../../components/local/go.ts";
import { output } from "../../components/local/run.ts";
import { checkout } from "./paths.ts";
import type { Progress } from "./progress.ts";

/** Version of the CLI that go.mod pins; the SDK in package.json is of the same release. */
export const cliVersion = "3.259.0";

const module = join(checkout, "tools", "engine", "cli");
const installPulumi = "install Pulumi yourself (https://www.pulumi.com/docs/install/)";
const mainPackage = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
/** A third of the whole build as they are, a quarter so. */
const services = [
  "github.com/aws/aws-sdk-go-v2/service/...",
  "github.com/pb33f/libopenapi/...",
  "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi/cloud/...",
];
const flags = [
  "-trimpath",
  withoutDebugInformation,
  ...services.map(neverInlined),
  "-ldflags",
  `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${cliVersion}`,
];

/** Without C the standard library is compiled once for this and for what else is built. */
const environment = { ...goEnvironment, CGO_ENABLED: "0" };

/** Changes whenever the built file would: the pinned modules, the flags, the platform. */
export function buildKey(): string {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(join(module, name)));
  hash.update([...flags, "CGO_ENABLED=0", process.platform, process.arch].join("\0"));
  return hash.digest("hex").slice(0, 12);
}

/** Builds Pulumi's command line from its Go module. Minutes when Go's build cache is cold. */
export async function buildCli(target: string, progress: Progress, signal?: AbortSignal): Promise<void> {
  await requireCliTools();
  const go = (args: string[], onLine: (line: string) => void) => runGo(args, onLine, signal);
  const start = Date.now();
  const elapsed = () => duration(Date.now() - start);
  progress.line(
    `building pulumi ${cliVersion} from its Go module: about 5 minutes on 2 cores the first time`,
  );
  let fetched = 0;
  const packages = (
    await go(["list", "-deps", mainPackage], (line) => {
      if (line.startsWith("go: downloading ")) progress.status(`fetching modules: ${++fetched} so far`);
    })
  ).split("\n").length;
  let compiled = 0;
  const tick = setInterval(
    () => progress.status(`compiling: ${compiled} of at most ${packages} packages, ${elapsed()}`),
    1000,
  );
  try {
    await go(["build", "-v", ...flags, "-o", target, mainPackage], (line) => {
      if (/^[\w./-]+$/.test(line)) compiled++;
    });
  } finally {
    clearInterval(tick);
    progress.done();
  }
  progress.line(
    `pulumi ${cliVersion} built in ${elapsed()} (${compiled} packages compiled, ${packages} in all)`,
  );
}

/** @throws Error that says what to install, when Go cannot build it. */
export async function requireCliTools(): Promise<void> {
  await requireGo({
    module,
    what: "pulumi, which was not found",
    otherwise: `or ${installPulumi}, and run the same command again`,
  });
}

async function runGo(args: string[], onLine: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const options = { cwd: module, env: environment, timeoutSeconds: 0, onLine, signal };
  try {
    return await output(["go", ...args], options);
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(
      `pulumi could not be built in ${module}: ${(error as Error).message}\n` +
        `Mend what it names, or ${installPulumi}, and run the same command again.`,
      { cause: error },
    );
  }
}
