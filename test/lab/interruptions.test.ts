import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countsOf, cutAndFinish, inventories, leftovers } from "./faults.sweep.ts";
import { FaultLab, type Mode } from "./faults.ts";
import { filesOf, secretsOf, shown, watchCommandLines } from "./secrets.ts";

// A registry has all that a run does on a host, but steps under units of their own: those, and every
// command of it all, are cut in test/long.
const host = "cp1";

let lab: FaultLab;
let bare: Record<string, string[]>;
/** How many commands clean runs give the host; the last one makes, or takes away, all that there is. */
let last: { up: number; down: number };
const commandLines = watchCommandLines();
/** Of the first registry and of the last one: each has passwords and keys of its own. */
const secrets: string[] = [];

beforeAll(async () => {
  lab = await FaultLab.make("t-faults");
  bare = await inventories(lab);
  const up = (await countsOf(lab, "registry"))[host]!;
  last = { up, down: (await countsOf(lab, "hosts"))[host]! };
});

afterAll(async () => {
  commandLines.stop();
  await lab?.remove();
});

/** Takes the registry away, and says what is left of it. */
async function mustBeGone(): Promise<void> {
  await lab.succeed("hosts");
  expect(await leftovers(lab, bare)).toEqual([]);
}

/** A run up whose last command is cut, and the next one. */
async function cutOnTheWayUp(mode: Mode, midway?: (said: string) => Promise<void>) {
  const cut = { host, at: last.up, mode };
  const outcome = await cutAndFinish(lab, { from: "hosts", to: "registry", cut }, midway);
  expect(outcome.problems).toEqual([]);
}

describe("a connection that is cut", () => {
  test("before the host gets its files: the next run goes on, and meanwhile no secret shows", async () => {
    await cutOnTheWayUp("before", async (said) => {
      const state = filesOf(lab.stack);
      expect(state).toContain('"unfinished":true');
      secrets.push(...(await secretsOf(lab.stack)));
      expect(secrets.length).toBeGreaterThan(3);
      expect(shown(secrets, { "what the run said": said, "the state": state })).toEqual([]);
    });
  });

  test("on the way down: the next destroy goes on, and leaves nothing", async () => {
    const cut = { host, at: last.down, mode: "after" } as const;
    const outcome = await cutAndFinish(lab, { from: "registry", to: "hosts", cut });
    expect(outcome.problems).toEqual([]);
    expect(await leftovers(lab, bare)).toEqual([]);
  });

  test("after the host got its files, before its answer came: the next run finds them there", async () => {
    await cutOnTheWayUp("after");
    await mustBeGone();
  });
});

test("a host whose power goes while it gets its files is finished by the next run", async () => {
  await cutOnTheWayUp("power");
  await mustBeGone();
});

describe("a run that is interrupted", () => {
  test("ends by itself after one Ctrl-C; the next finishes, and beside it a second one is refused", async () => {
    const first = await lab.launchHeld("registry", host, last.up - 1);
    first.signal("SIGINT");
    await lab.release(host);
    const { code, text } = await first.end;
    expect(code).not.toBe(0);
    expect(text).toMatch(/host cp1, registry-state: interrupted before it began; run again/);

    const next = await lab.launchHeld("registry", host, 1);
    const beside = await lab.up("registry");
    expect(beside.code).not.toBe(0);
    expect(beside.text).toMatch(/currently locked by 1 lock/);
    await lab.release(host);
    const ended = await next.end;
    expect(ended.code, ended.text).toBe(0);
    await lab.mustBeSettled("registry");
    await mustBeGone();
  });

  test("may be killed: once its lock on the state is taken away the next finishes what it began", async () => {
    const run = await lab.launchHeld("registry", host, last.up);
    run.child.kill("SIGKILL");
    await lab.release(host);
    await run.end;
    const refused = await lab.up("registry");
    expect(refused.code).not.toBe(0);
    expect(refused.text).toMatch(/currently locked by 1 lock[\s\S]*pulumi cancel/);
    const freed = await lab.stack.run(["cancel", "--yes"]);
    expect(freed.code, freed.text).toBe(0);
    await lab.succeed("registry");
    await lab.mustBeSettled("registry");
  });
});

describe("a secret", () => {
  test("shows in Pulumi's own debugging output by Pulumi's own lines alone", async () => {
    secrets.push(...(await secretsOf(lab.stack)));
    const args = ["up", "--refresh", "--yes", "--skip-preview", "-v=9", "--logtostderr"];
    const { code, text } = await lab.stack.run(args, lab.environment("registry"));
    expect(code, text.slice(-3000)).toBe(0);
    const lines = text.split("\n");
    const showing = lines.filter((line) => shown(secrets, { line }).length > 0);
    expect(showing.length).toBeGreaterThan(0);
    const properties = /"msg":"(Unm|M)arshaling property for RPC\[/;
    const requests = /"msg":"(eventSink::Debug\(<\{%reset%\}>)?(Register|Read)Resource(Outputs)? RPC /;
    const others = showing.filter((line) => !properties.test(line) && !requests.test(line));
    expect(others.map((line) => line.slice(0, 150))).toEqual([]);
  });

  test("was in nothing else that a run said, whole, failed or cut, and in no command line", async () => {
    await mustBeGone();
    const ran = commandLines.text();
    // Of this computer and of the hosts.
    expect(["pulumi up", "docker-registry serve"].filter((program) => !ran.includes(program))).toEqual([]);
    const places = {
      "command lines": ran,
      "what runs said": lab.stack.said(),
      "the state": filesOf(lab.stack),
    };
    expect(shown(secrets, places)).toEqual([]);
  });
});
