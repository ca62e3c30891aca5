import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { checkout } from "./paths.ts";
import { duration, type Progress } from "./progress.ts";

/** Version of the CLI that go.mod pins; the SDK in package.json is of the same release. */
export const cliVersion = "3.259.0";

const moduleDirectory = join(checkout, "tools", "engine", "cli");
const mainPackage = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
const flags = [
  "-trimpath",
  "-ldflags",
  `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${cliVersion}`,
];

/** Changes whenever the built file would: the pinned modules, the flags, the platform. */
export function buildKey(): string {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(join(moduleDirectory, name)));
  hash.update([...flags, process.platform, process.arch].join("\0"));
  return hash.digest("hex").slice(0, 12);
}

/** Builds Pulumi's command line from its Go module. Minutes when Go's build cache is cold. */
export async function buildCli(target: string, progress: Progress): Promise<void> {
  checkGo();
  const start = Date.now();
  const elapsed = () => duration(Date.now() - start);
  progress.line(
    `building pulumi ${cliVersion} from its Go module: about 5 minutes on 2 cores the first time`,
  );
  let fetched = 0;
  let packages = 0;
  await go(["list", "-deps", mainPackage], {
    out: () => packages++,
    error: (line) => {
      if (line.startsWith("go: downloading ")) progress.status(`fetching modules: ${++fetched} so far`);
    },
  });
  let compiled = 0;
  const tick = setInterval(
    () => progress.status(`compiling: ${compiled} of at most ${packages} packages, ${elapsed()}`),
    1000,
  );
  try {
    await go(["build", "-v", ...flags, "-o", target, mainPackage], {
      error: (line) => {
        if (/^[\w./-]+$/.test(line)) compiled++;
      },
    });
  } finally {
    clearInterval(tick);
    progress.done();
  }
  progress.line(
    `pulumi ${cliVersion} built in ${elapsed()} (${compiled} packages compiled, ${packages} in all)`,
  );
}

interface Listeners {
  out?(line: string): void;
  error?(line: string): void;
}

async function go(args: string[], listeners: Listeners): Promise<void> {
  const child = spawn("go", args, {
    cwd: moduleDirectory,
    stdio: ["ignore", "pipe", "pipe"],
    env: goEnvironment(),
  });
  const tail: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => listeners.out?.(line));
  createInterface({ input: child.stderr }).on("line", (line) => {
    listeners.error?.(line);
    if (tail.push(line) > 20) tail.shift();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0)
    throw new Error(
      `pulumi could not be built: \`go ${args[0]}\` in ${moduleDirectory} ended with code ${code}:\n` +
        `${tail.map((line) => `  ${line}`).join("\n")}\n` +
        "Mend what it names, or install Pulumi yourself (https://www.pulumi.com/docs/install/), and run the same command again.",
    );
}

/** A workspace file in a folder above must not change what is built. */
function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, GOWORK: "off" };
}

function checkGo(): void {
  const wanted = /^go (\S+)$/m.exec(readFileSync(join(moduleDirectory, "go.mod"), "utf8"))?.[1];
  const remedy =
    `install Go ${wanted} or newer (https://go.dev/dl/) and have it on PATH, ` +
    "or install Pulumi itself (https://www.pulumi.com/docs/install/), and run the same command again";
  // Asked inside the module, so that a Go which can fetch the newer one by itself does so.
  const { error, status, stderr } = spawnSync("go", ["env", "GOVERSION"], {
    cwd: moduleDirectory,
    encoding: "utf8",
    env: goEnvironment(),
  });
  if (error) throw new Error(`no pulumi was found and none can be built: Go is not on PATH; ${remedy}`);
  if (status !== 0)
    throw new Error(`no pulumi was found and none can be built: Go is too old (${stderr.trim()}); ${remedy}`);
}
