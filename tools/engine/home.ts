import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { cacheRoot, pulumiHome } from "../../components/local/folders.ts";
import { checkout } from "./paths.ts";

/** What a built CLI lacks: launchers that run this checkout's TypeScript with this checkout's Node. */
const launchers = {
  "pulumi-language-nodejs": "tools/engine/language-host/main.ts",
  "pulumi-resource-pulumi-nodejs": "tools/engine/language-host/dynamic-provider.ts",
};

/**
 * A Pulumi home of this checkout around a built CLI: `bin/` for PATH, `plugins/` with what cannot
 * be downloaded. The engine looks for its language host beside its own file, hence a hard link to
 * the binary and not a symbolic one. Written again whenever it differs, so it cannot go stale.
 */
export function layOutHome(
  binary: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const key = createHash("sha256").update(checkout).digest("hex").slice(0, 12);
  const home = join(cacheRoot(env), "engine", "homes", key);
  link(binary, join(home, "bin", "pulumi"));
  for (const [name, script] of Object.entries(launchers)) put(join(home, "bin", name), launcher(script));
  layOutKubernetes(home, env);
  return home;
}

/** The stand-in, unless the user has the official plugin of the version that the SDK asks for. */
function layOutKubernetes(home: string, env: Readonly<Record<string, string | undefined>>): void {
  const manifest = readFileSync(
    join(checkout, "node_modules", "@pulumi", "kubernetes", "package.json"),
    "utf8",
  );
  const { version } = JSON.parse(manifest) as { version: string };
  const name = `resource-kubernetes-v${version.replace(/^v/, "")}`;
  const target = join(home, "plugins", name, "pulumi-resource-kubernetes");
  const official = join(pulumiHome(env), "plugins", name, "pulumi-resource-kubernetes");
  if (pulumiHome(env) !== home && existsSync(official)) point(official, target);
  else put(target, launcher("tools/stand-ins/kubernetes/main.ts"));
}

function launcher(script: string): string {
  const node = quote(join(checkout, "node_modules", ".bin", "node"));
  return `#!/bin/sh\nexec ${node} --disable-warning=ExperimentalWarning ${quote(join(checkout, script))} "$@"\n`;
}

function quote(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

function put(path: string, content: string): void {
  if (readIfFile(path) === content) return;
  replace(path, (fresh) => {
    writeFileSync(fresh, content);
    chmodSync(fresh, 0o755);
  });
}

function readIfFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function link(from: string, to: string): void {
  const source = statSync(from);
  const target = statSync(to, { throwIfNoEntry: false });
  const isCopy = target?.size === source.size && target.mtimeMs >= source.mtimeMs;
  if (target?.ino === source.ino || (target?.nlink === 1 && isCopy)) return;
  replace(to, (fresh) => {
    try {
      linkSync(from, fresh);
    } catch {
      copyFileSync(from, fresh);
    }
  });
}

function point(from: string, to: string): void {
  replace(to, (fresh) => symlinkSync(from, fresh));
}

/** Another run may be starting the very file: it sees the old one or the new one, never half of it. */
function replace(path: string, write: (fresh: string) => void): void {
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}`;
  rmSync(fresh, { force: true });
  write(fresh);
  renameSync(fresh, path);
}
