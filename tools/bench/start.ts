import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as control from "../../components/lab/control.ts";
import { cacheRoot } from "../../components/local/folders.ts";
import { checkout } from "../engine/paths.ts";
import { child } from "./child.ts";
import { type Measure, seconds } from "./measure.ts";
import { options, rounds } from "./options.ts";
import { later } from "./tidy.ts";

const lab = "bench-start";
const ownProgram = { file: join("stacks", "local.ts"), name: 'new Site("lab"' };

/**
 * `npm start` in a copy of this checkout, so that a stack `local` in use is left alone: its lab and
 * its state are others. Cold: npm packages, engine and artifacts are fetched and built as well.
 */
export async function start(): Promise<Measure[]> {
  const { cold } = options;
  const folder = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  later(() => rmSync(folder, { recursive: true, force: true }));
  const copy = join(folder, "checkout");
  const env = environment(folder, cold);
  if (!cold) later(() => rmSync(homeOf(copy), { recursive: true, force: true }));
  copyCheckout(copy, cold);
  later(() => control.purge(lab));
  const npmStart = () => child(["node", "tools/start.mjs"], { cwd: copy, env });
  const destroy = () => child(["tools/pulumi", "destroy", "--stack", "local", "--yes"], { cwd: copy, env });

  const first: number[] = [];
  const second: number[] = [];
  for (let round = 0; round < (cold ? 1 : rounds(2)); round++) {
    first.push(await seconds("npm start", npmStart));
    for (let again = 0; again < rounds(2); again++) {
      let said = "";
      second.push(
        await seconds("npm start again", async () => {
          said = await npmStart();
        }),
      );
      if (!said.includes("nothing changed"))
        throw new Error(`the second npm start changed something:\n${said}`);
    }
    await destroy();
  }
  const caches = cold ? "cold" : "warm";
  // Both are kept: neither takes the other's place in the table.
  const bench = cold ? "start --cold" : "start";
  return [
    {
      bench,
      what: `npm start on a fresh state, ${caches} caches`,
      unit: "s",
      ours: first,
      limit: { most: cold ? 1200 : 240 },
    },
    { bench, what: "npm start again", unit: "s", ours: second, limit: { most: 20 } },
  ];
}

function copyCheckout(copy: string, cold: boolean): void {
  // The stack's own settings go with the passphrase of a state in use.
  const left = new Set(["node_modules", ".git", "Pulumi.local.yaml", ...(cold ? ["dist"] : [])]);
  cpSync(checkout, copy, { recursive: true, filter: (path) => !left.has(basename(path)) });
  if (!cold) symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
  const path = join(copy, ownProgram.file);
  const program = readFileSync(path, "utf8");
  if (!program.includes(ownProgram.name)) throw new Error(`${ownProgram.file} has no ${ownProgram.name}`);
  writeFileSync(path, program.replace(ownProgram.name, `new Site("${lab}"`));
}

function environment(folder: string, cold: boolean): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("PULUMI_"));
  const empty = (name: string) => {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  };
  const caches = cold
    ? {
        SPILLWAY_CACHE: empty("cache"),
        GOCACHE: empty("go-build"),
        GOMODCACHE: empty("go-modules"),
        // Else Go makes its modules read-only, and nobody can take them away.
        GOFLAGS: "-modcacherw",
        npm_config_cache: empty("npm"),
      }
    : {};
  return { ...Object.fromEntries(kept), ...caches, XDG_STATE_HOME: join(folder, "state"), NO_COLOR: "1" };
}

/** Where the engine keeps a Pulumi home for the copy. */
function homeOf(copy: string): string {
  const key = createHash("sha256").update(copy).digest("hex").slice(0, 12);
  return join(cacheRoot(), "engine", "homes", key);
}
