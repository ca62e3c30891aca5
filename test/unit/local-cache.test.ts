import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cached } from "../../components/local/cache.ts";

let folder: string;
let directory: string;
let made: number;
let reasons: string[];

const content = "a program ".repeat(1000);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "local-cache-"));
  directory = join(folder, "engine", "1.0.0-abc");
  made = 0;
  reasons = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function make(target: string): Promise<void> {
  made++;
  mkdirSync(join(target, "bin"), { recursive: true });
  writeFileSync(join(target, "bin", "pulumi"), content, { mode: 0o755 });
}

const get = () => cached({ folder: directory, make, onDamage: (reason) => reasons.push(reason) });
const program = () => join(directory, "bin", "pulumi");

describe("a cached folder", () => {
  test("is made once and used ever after", async () => {
    await get();
    await get();
    expect(made).toBe(1);
    expect(reasons).toEqual([]);
    expect(readFileSync(program(), "utf8")).toBe(content);
    expect(Object.keys((await get()).files)).toEqual(["bin/pulumi"]);
  });

  test("whose manifest knows no modes is whole all the same", async () => {
    await get();
    const path = join(directory, "manifest.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(/,\s*"mode": \d+/g, ""));
    await get();
    expect(made).toBe(1);
  });

  const damages: Record<string, () => void> = {
    "a truncated file": () => truncateSync(program(), 100),
    "an empty file": () => truncateSync(program(), 0),
    "a missing file": () => rmSync(program()),
    "a file of the same size with another content": () => writeFileSync(program(), content.replace("a", "b")),
    "a file that may not be executed": () => chmodSync(program(), 0o644),
    "no manifest": () => rmSync(join(directory, "manifest.json")),
    "half a manifest": () => truncateSync(join(directory, "manifest.json"), 20),
  };

  test.each(Object.entries(damages))("is made anew when it has %s", async (_, damage) => {
    await get();
    damage();
    await get();
    expect(made).toBe(2);
    expect(reasons).toHaveLength(1);
    expect(readFileSync(program(), "utf8")).toBe(content);
    await get();
    expect(made).toBe(2);
  });

  test("is kept when only its time changed, such as after a copy", async () => {
    await get();
    utimesSync(program(), 1, 1);
    await get();
    expect(made).toBe(1);
  });

  test("is not there at all when making it fails, and the next try makes it", async () => {
    const fail = async (target: string) => {
      await make(target);
      throw new Error("disk full");
    };
    await expect(cached({ folder: directory, make: fail })).rejects.toThrow("disk full");
    expect(existsSync(directory)).toBe(false);
    expect(readdirSync(join(folder, "engine"))).toEqual(["1.0.0-abc.lock"]);
    await get();
    expect(readFileSync(program(), "utf8")).toBe(content);
  });

  test("is made in spite of the lock and the half-made folder of a killed run", async () => {
    mkdirSync(`${directory}.draft-dead/bin`, { recursive: true });
    writeFileSync(`${directory}.lock`, "");
    await get();
    expect(made).toBe(1);
    expect(readdirSync(join(folder, "engine"))).toEqual(["1.0.0-abc", "1.0.0-abc.lock"]);
  });

  test("is made once by several callers at the same time", async () => {
    await Promise.all([get(), get(), get()]);
    expect(made).toBe(1);
  });

  test("is made once by several processes at the same time", async () => {
    const module = JSON.stringify(new URL("../../components/local/cache.ts", import.meta.url).href);
    const script = `
      const { cached } = await import(${module});
      const { appendFileSync, writeFileSync } = await import("node:fs");
      await cached({
        folder: ${JSON.stringify(directory)},
        async make(target) {
          appendFileSync(${JSON.stringify(join(folder, "log"))}, "made\\n");
          await new Promise((resolve) => setTimeout(resolve, 300));
          writeFileSync(target + "/pulumi", "x");
        },
      });`;
    const codes = await Promise.all([1, 2, 3].map(() => run(["--input-type=module", "-e", script])));
    expect(codes).toEqual([0, 0, 0]);
    expect(readFileSync(join(folder, "log"), "utf8")).toBe("made\n");
    expect(readdirSync(join(folder, "engine"))).toEqual(["1.0.0-abc", "1.0.0-abc.lock"]);
  });
});

function run(args: string[]): Promise<number | null> {
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  return new Promise((resolve) => child.once("close", resolve));
}
