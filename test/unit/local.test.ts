import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { entryName } from "../../components/local/cache.ts";
import { duration } from "../../components/local/duration.ts";
import { cacheRoot, pulumiHome, stateRoot } from "../../components/local/folders.ts";
import { atLeast } from "../../components/local/go.ts";
import { locked } from "../../components/local/lock.ts";
import { output, run } from "../../components/local/run.ts";
import { until } from "../../components/local/until.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "local-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe("a program", () => {
  test("gives its bytes as they were, and its text without the last line's end", async () => {
    const { bytes, stdout, stderr, code } = await run(["sh", "-c", "printf 'a\\n\\377\\n'; echo b >&2"]);
    expect([...bytes]).toEqual([97, 10, 255, 10]);
    expect([stdout.startsWith("a\n"), stdout.endsWith("\n"), stderr, code]).toEqual([true, false, "b", 0]);
  });

  test("is given its arguments and its input as data", async () => {
    const hostile = "$(touch x) 'a' \"b\"\n`c`";
    expect((await run(["printf", "%s", hostile])).stdout).toBe(hostile);
    expect((await run(["cat"], { input: hostile })).stdout).toBe(hostile);
    expect(await output(["sh", "-c", "exit 0"], { input: "x".repeat(1 << 20) })).toBe("");
  });

  test("that is absent is named with what to do", async () => {
    await expect(run(["no-such-tool"])).rejects.toThrow("no-such-tool is not installed; install it");
    await expect(run(["no-such-tool"], { missing: "ask her" })).rejects.toThrow("not installed; ask her");
  });

  test("that fails is told with the end of what it said", async () => {
    await expect(run(["sh", "-c", "echo one >&2; echo two >&2; exit 3"])).rejects.toThrow(
      "`sh -c echo one >&2; echo two >&2; exit 3` ended with 3: \n  one\n  two",
    );
    await expect(run(["sh", "-c", "echo three; exit 3"])).rejects.toThrow("three");
    await expect(run(["false"])).rejects.toThrow("`false` ended with 1: it said nothing");
    expect((await run(["sh", "-c", "exit 3"], { allowed: (code) => code === 3 })).code).toBe(3);
  });

  test("is heard line by line while it runs", async () => {
    const lines: string[] = [];
    await run(["sh", "-c", "echo one; echo two >&2"], { onLine: (line) => lines.push(line) });
    expect(lines.sort()).toEqual(["one", "two"]);
  });

  test("that is aborted has time to clear up, and has ended when its caller hears of it", async () => {
    const abort = new AbortController();
    const cleared = join(folder, "cleared");
    const script = 'trap "sleep 0.2; : >$0; exit 1" INT; echo ready; while :; do sleep 0.05; done';
    const slow = run(["sh", "-c", script, cleared], { signal: abort.signal, onLine: () => abort.abort() });
    await expect(slow).rejects.toThrow("abort");
    expect(existsSync(cleared)).toBe(true);
  });

  test("that hears no signal is killed with what it started", async () => {
    const deaf = "trap '' INT; sh -c 'trap \"\" INT; echo $$; sleep 60; :'; :";
    const lines: string[] = [];
    const late = run(["sh", "-c", deaf], { timeoutSeconds: 2, onLine: (line) => lines.push(line) });
    await expect(late).rejects.toThrow("took longer than 2 s");
    const gone = () => !isAlive(Number(lines[0])) || undefined;
    expect(lines).toHaveLength(1);
    expect(await until(30, gone)).toBe(true);
  });
});

/** A dead one that nobody has buried yet is dead. */
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) Z /.test(readFileSync(file, "utf8"));
}

describe("a lock", () => {
  const file = () => join(folder, "deep", "lock");

  test("lets one in after the other, and says that it waits", async () => {
    const log: string[] = [];
    const enter = (name: string) =>
      locked(
        file(),
        async () => {
          log.push(`${name} in`);
          await sleep(700);
          log.push(`${name} out`);
        },
        { onWait: () => log.push("waits") },
      );
    await Promise.all([enter("a"), enter("a")]);
    expect(log).toEqual(["a in", "waits", "a out", "a in", "a out"]);
  });

  test("is free again when the work fails", async () => {
    await expect(locked(file(), () => Promise.reject(new Error("no disk")))).rejects.toThrow("no disk");
    expect(await locked(file(), async () => 1)).toBe(1);
  });

  test("of a process that was killed is free again", async () => {
    const module = JSON.stringify(new URL("../../components/local/lock.ts", import.meta.url).href);
    const script = `
      const { locked } = await import(${module});
      await locked(${JSON.stringify(file())}, async () => {
        console.log("in");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", script]);
    await once(holder.stdout, "data");
    let waited = false;
    const mine = locked(file(), async () => "mine", {
      onWait() {
        waited = true;
        holder.kill("SIGKILL");
      },
    });
    expect(await mine).toBe("mine");
    expect(waited).toBe(true);
  });

  test("is not waited for after an abort, and the one who has it keeps it", async () => {
    const abort = new AbortController();
    await locked(file(), async () => {
      const second = locked(file(), async () => "second", { signal: abort.signal });
      setTimeout(() => abort.abort(), 50);
      await expect(second).rejects.toThrow("abort");
      await expect(output(["flock", "--nonblock", file(), "true"])).rejects.toThrow("ended with 1");
    });
  });

  test("that its holder removes keeps those apart who waited and those who came later", async () => {
    const log: string[] = [];
    const enter = (name: string) =>
      locked(file(), async () => {
        log.push(`${name} in`);
        await sleep(400);
        log.push(`${name} out`);
      });
    let waiter: Promise<void> | undefined;
    await locked(file(), async () => {
      waiter = enter("waiter");
      await sleep(200);
      rmSync(file());
    });
    await Promise.all([enter("later"), waiter]);
    expect(log.map((line) => line.split(" ")[1])).toEqual(["in", "out", "in", "out"]);
  });

  test("is needed, unless its user says otherwise", async () => {
    vi.stubEnv("PATH", folder);
    await expect(locked(file(), async () => 1)).rejects.toThrow("flock is not installed; on Debian");
    expect(await locked(file(), async () => 1, { optional: true })).toBe(1);
  });
});

test("the folders follow the environment, then the home", () => {
  expect(cacheRoot({ SPILLWAY_CACHE: "/s", XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe("/s");
  expect(cacheRoot({ XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe("/x/spillway");
  expect(cacheRoot({ HOME: "/h" })).toBe("/h/.cache/spillway");
  expect(stateRoot({ XDG_STATE_HOME: "/x", HOME: "/h" })).toBe("/x/spillway");
  expect(stateRoot({ HOME: "/h" })).toBe("/h/.local/state/spillway");
  expect(pulumiHome({ PULUMI_HOME: "/p", HOME: "/h" })).toBe("/p");
  expect(pulumiHome({ HOME: "/h" })).toBe("/h/.pulumi");
});

test("durations are written for people", () => {
  expect([0, 59_999, 60_000, 3_725_000].map(duration)).toEqual(["0s", "59s", "1m00s", "62m05s"]);
});

test("entries made from different things have different names", () => {
  expect(entryName("a", "1", ["x"])).not.toBe(entryName("a", "1", ["y"]));
});

test.each([
  ["go1.26.8", "1.26", true],
  ["go1.27rc1", "1.26", true],
  ["go2.0", "1.26", true],
  ["go1.9", "1.26", false],
  ["devel", "1.26", false],
])("Go %s is new enough for %s: %s", (found, wanted, expected) => {
  expect(atLeast(found, wanted)).toBe(expected);
});

test("waiting ends with the first value, or with the time", async () => {
  let asked = 0;
  expect(await until(5, () => (++asked === 3 ? "there" : undefined))).toBe("there");
  expect(await until(0.1, () => undefined)).toBeUndefined();
  await expect(until(5, () => undefined, AbortSignal.abort())).rejects.toThrow("abort");
});

test("a process whose parent was killed hears of it", async () => {
  const module = JSON.stringify(new URL("../../components/local/orphan.ts", import.meta.url).href);
  const script = `
    const { whenOrphaned } = await import(${module});
    whenOrphaned(() => process.exit(0));
    setInterval(() => {}, 60_000);
    console.log(process.pid);`;
  const child = [process.execPath, "--input-type=module", "-e", script];
  const parent = spawn("sh", ["-c", '"$@"; :', "sh", ...child], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(text.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  expect(await until(6, () => !isAlive(pid) || undefined)).toBe(true);
}, 15_000);
