// What must be there before any TypeScript of this project runs. Plain JavaScript for Node 18 and
// newer, since on a fresh clone there is nothing but the machine's own Node.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const checkout = dirname(dirname(fileURLToPath(import.meta.url)));

/** Node that runs this project's TypeScript. */
export const node = join(checkout, "node_modules", ".bin", "node");

/** Ends with a message instead of a stack trace when `work` throws. */
export async function main(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  }
}

/** Installs packages and builds `dist/`, each only when something changed since, and by one process. */
export function setUp() {
  if (!existsSync(turn) && packagesAreFresh() && isRecentNode() && readIfThere(stamp) === digestOfSources()) return;
  takeTurn();
  try {
    renew();
  } finally {
    rmSync(turn, { force: true });
  }
}

const stamp = join(checkout, "dist", ".sources");

function renew() {
  const sources = digestOfSources();
  if (!packagesAreFresh()) {
    console.error("installing npm packages and building dist/: about half a minute");
    // Its `prepare` script builds dist/ as well.
    must("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
    if (existsSync(dirname(stamp))) writeFileSync(stamp, sources);
  }
  if (!isRecentNode()) {
    // The package `node` brings its binary by an install script, which npm 11 may hold back.
    must("npm", ["rebuild", "node"]);
    if (!isRecentNode()) throw new Error(`${node} does not run; run npm rebuild node in ${checkout}`);
  }
  if (readIfThere(stamp) !== sources) {
    console.error("building dist/");
    must("npm", ["run", "--silent", "build"]);
    writeFileSync(stamp, sources);
  }
}

/** Who sets up: holds the number of its process. */
const turn = join(checkout, ".setup.lock");

/** Waits until no other process sets up. */
function takeTurn() {
  for (let said = false; !claimTurn(); sleep(200)) {
    const owner = readIfThere(turn);
    if (owner === undefined) continue;
    if (isLeft(owner)) dropTurn();
    else if (!said) {
      console.error(`process ${owner} is setting up this checkout: waiting for it; if it is not, delete ${turn}`);
      said = true;
    }
  }
}

function claimTurn() {
  try {
    writeFileSync(turn, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  }
}

/** A process that was killed leaves its file; one that was killed at once, an empty one. */
function isLeft(owner) {
  return owner === "" ? isOld(turn) : !isAlive(Number(owner));
}

/** Under a guard, and looking again: another may have dropped it, and be setting up by now. */
function dropTurn() {
  const guard = `${turn}.drop`;
  try {
    mkdirSync(guard);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (isOld(guard)) rmSync(guard, { recursive: true, force: true });
    return;
  }
  const owner = readIfThere(turn);
  if (owner !== undefined && isLeft(owner)) rmSync(turn, { force: true });
  rmSync(guard, { recursive: true, force: true });
}

/** Both are held for an instant while they are like this. */
function isOld(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > 10_000;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function sleep(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Runs a TypeScript file of `tools/` and returns its exit code. */
export function runTypeScript(file, args = []) {
  const script = join(checkout, "tools", file);
  const options = { cwd: checkout, stdio: "inherit", env: withBinaries() };
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", script, ...args], options);
  // Ctrl-C reaches the whole group of processes: this one waits for the other to end well.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** npm notes what it installed; compared with the lock file it tells whether anything is missing. */
export function packagesAreFresh(folder = checkout) {
  const installed = readIfThere(join(folder, "node_modules", ".package-lock.json"));
  if (installed === undefined) return false;
  const have = JSON.parse(installed).packages;
  const wanted = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")).packages;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === "") return true;
    const found = have[path];
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

function isRecentNode() {
  const { status, stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
  return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) >= 22;
}

function must(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: checkout, stdio: ["ignore", 2, 2], env: withBinaries() });
  if (error) throw new Error(`${command} could not be started (${error.message}); install it and try again`);
  if (status !== 0) throw new Error(`\`${[command, ...args].join(" ")}\` ended with code ${status}; see above`);
}

function withBinaries() {
  return { ...process.env, PATH: `${join(checkout, "node_modules", ".bin")}:${process.env.PATH}` };
}

function digestOfSources() {
  const hash = createHash("sha256");
  const settings = ["package.json", "package-lock.json", "rolldown.config.ts", "tsconfig.json", "tsconfig.build.json"];
  for (const name of settings) add(hash, join(checkout, name));
  for (const file of filesIn(join(checkout, "components"))) add(hash, file);
  return hash.digest("hex");
}

function add(hash, file) {
  hash.update(`${file.slice(checkout.length)}\0`).update(readFileSync(file)).update("\0");
}

function filesIn(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? filesIn(path) : [path];
    });
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
