import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

/**
 * A workspace file in a folder above must not change what is built. The compiler collects its garbage a quarter as
 * often as it would, for a fifth less of the processor's time, and takes more memory where packages are large.
 */
export const goEnvironment: Readonly<Record<string, string>> = {
  GOWORK: "off",
  GOGC: process.env.GOGC || "400",
};

/**
 * Debug information, which `-ldflags=-s -w` drops in the end, is a seventh of the compile.
 * Go writes the flag into the program: it is part of what names a build.
 */
export const withoutDebugInformation = "-gcflags=all=-dwarf=false";

/**
 * For generated descriptions of web services, in which no run computes: functions put in the place of their calls are
 * half of what the compiler does with them.
 *
 * @param packages a pattern of Go packages, such as `github.com/aws/aws-sdk-go-v2/service/...`
 */
export const neverInlined = (packages: string): string => `-gcflags=${packages}=-dwarf=false -l`;

/** What a Go module is built with. */
export interface GoNeed {
  /** Folder of the module: its `go.mod` says which Go it needs. */
  module: string;
  /** What is built, for the error. */
  what: string;
  /** What else to do than to install Go, such as `or choose another source`. */
  otherwise: string;
  /** The environment of the build. @default `goEnvironment` */
  env?: Readonly<Record<string, string>>;
}

/**
 * Asked inside the module, so that a Go which may fetch a newer one by itself does so.
 *
 * @throws Error that says what to install, when Go is missing or older than the module needs.
 */
export async function requireGo({ module, what, otherwise, env = goEnvironment }: GoNeed): Promise<void> {
  const pins = await readFile(join(module, "go.mod"), "utf8");
  const wanted = /^go (\d+\.\d+)/m.exec(pins)?.[1] ?? "0.0";
  const remedy = `install Go ${wanted} or newer (https://go.dev/dl), ${otherwise}`;
  const { code, stdout, stderr } = await run(["go", "env", "GOVERSION"], {
    cwd: module,
    env,
    missing: remedy,
    allowed: () => true,
  });
  const found = stdout.trim() || "unknown";
  if (code !== 0) throw new Error(`building ${what}: Go is too old (${stderr.trim()}); ${remedy}`);
  if (!atLeast(found, wanted)) {
    throw new Error(`building ${what}: the Go on PATH is ${found}, ${wanted} is needed; ${remedy}`);
  }
}

/** Whether a version such as `go1.26.8` is at least `1.26`. */
export function atLeast(found: string, wanted: string): boolean {
  const numbers = (text: string) =>
    text
      .replace(/^go/, "")
      .split(".")
      .map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [numbers(found), numbers(wanted)];
  return a[0]! !== b[0]! ? a[0]! > b[0]! : (a[1] ?? 0) >= (b[1] ?? 0);
}
