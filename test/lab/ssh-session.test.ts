import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import * as control from "../../components/lab/control.ts";
import type { Connection } from "../../components/model/connection.ts";
import { closeAll } from "../../components/ssh/pool.ts";
import { type HostError, onHost, type Script, type Step } from "../../components/ssh/session.ts";
import { context, makeWorld, sh, type World } from "./ssh-world.ts";

const minutes = 60_000;
const eventually = { timeout: 50_000 };
vi.setConfig({ testTimeout: minutes });
let world: World;
let h1: Connection;
let h2: Connection;

beforeAll(async () => {
  world = await makeWorld(2);
  h1 = world.connections.h1!;
  h2 = world.connections.h2!;
}, 15 * minutes);
afterAll(async () => world?.destroy(), 5 * minutes);
afterEach(closeAll);

const run = (script: Script, connection = h1) =>
  onHost(connection, context(), (session) => session.run(script, context()));
const step = (script: Step, told = context(), connection = h1) =>
  onHost(connection, told, (session) => session.step(script, told));
const failure = (promise: Promise<unknown>): Promise<HostError> =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: HostError) => error,
  );

describe("a script", () => {
  test("is given its values exactly, a megabyte too, and nothing in them runs", async () => {
    const value = `$(touch /tmp/run)\`touch /tmp/run\`'; touch /tmp/run; '"\\\n`.repeat(20_000);
    const digest = createHash("sha256").update(value).digest("hex");
    expect(
      await run({
        text: 'printf %s "$VALUE" | sha256sum; ls /tmp/run 2>/dev/null || :',
        values: { VALUE: value },
      }),
    ).toBe(`${digest}  -\n`);
  });

  test("has its secrets in files of tmpfs, which are gone when it ends, however it ends", async () => {
    const text = 'cat "$SECRET"; stat -c %a "$SECRET"; stat -fc %T "$SECRET"; echo "$SECRET"';
    const [secret, , mode, type, path] = (await run({ text, secretFiles: { SECRET: "s3cret\n\n" } })).split(
      "\n",
    );
    expect([secret, mode, type]).toEqual(["s3cret", "600", "tmpfs"]);
    const slow = { text: "sleep 20", secretFiles: { SECRET: "s3cret" }, timeoutSeconds: 1 };
    expect((await failure(run(slow))).message).toContain("not done within 1 s");
    expect(await world.inside("h1", `ls ${path}* /run/spillway/secret* 2>/dev/null || :`)).toBe("");
  });

  test("that fails tells host, step, exit code and end of stderr, without its secrets", async () => {
    const script = {
      name: "greet",
      text: 'echo "no $(cat "$S")" >&2; exit 3',
      secretFiles: { S: "canary-0815" },
    };
    const error = await failure(run(script));
    expect(error).toMatchObject({ host: "h1", step: "greet", exitCode: 3, stderr: "no [secret]" });
    expect(error.message).toBe(
      "host h1, greet: exit code 3: no [secret]\n(when that is mended, run again: it goes on from here)",
    );
  });

  test("runs beside others, more than sshd allows sessions", async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => run({ text: `sleep 0.2; echo ${i}` })),
    );
    expect(answers).toEqual(Array.from({ length: 30 }, (_, i) => `${i}\n`));
  });

  test("makes do with an sshd that allows two sessions", async () => {
    await world.inside("h2", "echo 'MaxSessions 2' >/etc/ssh/sshd_config.d/few.conf; systemctl restart ssh");
    try {
      const answers = Array.from({ length: 6 }, (_, i) => run({ text: `sleep 0.1; echo ${i}` }, h2));
      expect(await Promise.all(answers)).toEqual(Array.from({ length: 6 }, (_, i) => `${i}\n`));
    } finally {
      await world.inside("h2", "rm /etc/ssh/sshd_config.d/few.conf; systemctl restart ssh");
    }
  });

  test(
    "whose connection is cut is run again, after its first copy has ended",
    async () => {
      await sh(h1, "true");
      const text = "echo begin $$ >>/root/trace; sleep 4; echo end $$ >>/root/trace; wc -l </root/trace";
      const answer = run({ text });
      await expect
        .poll(() => world.inside("h1", "cat /root/trace 2>/dev/null || :"), eventually)
        .toContain("begin");
      await world.inside("h1", "pkill -o -f 'sshd: root@notty'");
      expect(await answer).toBe("4\n");
      const trace = (await world.inside("h1", "cut -d ' ' -f 1 /root/trace")).split("\n");
      expect(trace).toEqual(["begin", "end", "begin", "end"]);
    },
    2 * minutes,
  );
});

describe("a host key", () => {
  test("that is not the pinned one ends it, with both fingerprints and what to do", async () => {
    const { message } = await failure(sh({ ...h1, hostKey: h2.hostKey }, "true"));
    const prints = [h1, h2].map(({ hostKey }) => {
      const digest = createHash("sha256").update(Buffer.from(hostKey.split(" ")[1]!, "base64"));
      return `SHA256:${digest.digest("base64").replace("=", "")}`;
    });
    for (const print of prints) expect(message).toContain(print);
    expect(message).toContain("pin that one");
  });

  test("that is missing, malformed or of a type the host lacks is an error", async () => {
    expect((await failure(sh({ ...h1, hostKey: "" }, "true"))).message).toContain("no host key is pinned");
    expect((await failure(sh({ ...h1, hostKey: "-oProxyCommand=id" }, "true"))).message).toContain(
      "not known",
    );
    const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
    const parts = [Buffer.from("ssh-rsa"), Buffer.from([1, 0, 1]), randomBytes(250)].map(part);
    const rsa = Buffer.concat(parts).toString("base64");
    const { message } = await failure(sh({ ...h1, hostKey: `ssh-rsa ${rsa}` }, "true"));
    expect(message).toMatch(/host key|pinned type/);
  });
});

test("a private key that the host does not know is refused at once, and never shown", async () => {
  const other = readFileSync(join(world.files, "id"), "utf8").split("\n")[2]!;
  const { message } = await failure(sh({ ...h1, privateKey: "no key" }, "true"));
  expect(message).toContain("cannot be read");
  expect(message).not.toContain(other);
});

test("a host that does not answer is tried again, in bounded time", async () => {
  const told = context();
  const dead = { ...h1, port: 2 };
  const { message } = await failure(onHost(dead, told, (session) => session.run({ text: "true" }, told)));
  expect(message).toContain("did not answer");
  expect(told.said).toHaveLength(4);
});

test("a host is reached through a bastion, whose key is pinned as well", async () => {
  const { address, privateKey, hostKey } = h1;
  const through = { ...h2, host: "behind", bastion: { address, privateKey, hostKey } };
  expect(await sh(through, "hostname; echo $SSH_CONNECTION | cut -d ' ' -f 1")).toBe(`h2\n${address}\n`);
  await closeAll();
  const { message } = await failure(
    sh({ ...through, bastion: { ...through.bastion, hostKey: h2.hostKey } }, "true"),
  );
  expect(message).toContain("behind's bastion");
  expect(message).toContain("is pinned");
});

test("an account with sudo does all as root, and one without is told so", async () => {
  const account = `
    apt-get -qq update >/dev/null 2>&1; apt-get -qq install -y --no-install-recommends sudo >/dev/null 2>&1
    useradd -m -s /bin/bash ops; mkdir -m 700 ~ops/.ssh; cp /root/.ssh/authorized_keys ~ops/.ssh/; chown -R ops: ~ops/.ssh`;
  await world.inside("h2", account);
  const ops = { ...h2, user: "ops" };
  expect((await failure(sh(ops, "id -u"))).message).toContain("sudo wants a password");
  await world.inside("h2", "echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops");
  expect(await sh(ops, "id -u")).toBe("0\n");
  const blob = join(world.files, "by-sudo");
  writeFileSync(blob, "blob");
  const sha256 = createHash("sha256").update("blob").digest("hex");
  const uploaded = (session: Parameters<Parameters<typeof onHost>[2]>[0]) =>
    session.upload(blob, "/opt/by-sudo", { mode: "0600", sha256 }, context());
  expect(await onHost(ops, context(), uploaded)).toBe(true);
  expect(await world.inside("h2", "stat -c '%U %a' /opt/by-sudo")).toBe("root 600");
});

test("a TCP connection goes through the host", async () => {
  const socket = await onHost(h1, context(), (session) => session.forward("127.0.0.1", 22), {
    change: false,
  });
  const greeting = await new Promise<string>((resolve) =>
    socket.once("data", (data: Buffer) => resolve(data.toString())),
  );
  socket.destroy();
  expect(greeting).toMatch(/^SSH-2.0/);
});

describe("an upload", () => {
  test("comes whole, is skipped when there, and corrects a mode", async () => {
    const bytes = randomBytes(20_000_000);
    const local = join(world.files, "blob");
    writeFileSync(local, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const remote = "/opt/it's $(touch /tmp/run)\n\\/blob";
    const upload = (mode: string) =>
      onHost(h1, context(), (session) => session.upload(local, remote, { mode, sha256 }, context()));
    expect(await upload("0755")).toBe(true);
    expect(await upload("0755")).toBe(false);
    expect(await upload("0700")).toBe(true);
    const told = await run({
      text: 'sha256sum <"$P"; stat -c %a "$P"; ls -A "$(dirname "$P")"; ls /tmp/run 2>/dev/null || :',
      values: { P: remote },
    });
    expect(told).toBe(`${sha256}  -\n700\nblob\n`);
  });

  test("of a file that changed since, or is missing, is an error and leaves nothing", async () => {
    const local = join(world.files, "changed");
    writeFileSync(local, "new");
    const upload = (path: string) =>
      onHost(h1, context(), (session) =>
        session.upload(path, "/srv/never", { mode: "0644", sha256: "0".repeat(64) }, context()),
      );
    expect((await failure(upload(local))).message).toContain("changed since it was declared");
    expect((await failure(upload("/nowhere"))).message).toContain("cannot be read");
    expect(await sh(h1, "ls -A /srv")).toBe("");
  });
});

describe("a step", () => {
  test("gives its stdout, shows its stderr as progress, and leaves nothing", async () => {
    const told = context();
    const text = 'cat "$KEY"; printf %s "$VALUE"; echo working >&2; sleep 0.5';
    const script = { name: "greet", text, values: { VALUE: "it's\n\n" }, secretFiles: { KEY: "key\n" } };
    expect(await step(script, told)).toBe("key\nit's\n\n");
    expect(told.said).toContain("h1: working");
    expect(await world.inside("h1", "ls /run/spillway/steps 2>/dev/null || :")).toBe("");
  });

  test("that fails tells so, and is run anew when called again", async () => {
    const script = { name: "fail", text: "echo once >>/root/failed; echo 'no luck' >&2; exit 4" };
    expect(await failure(step(script))).toMatchObject({
      host: "h1",
      step: "fail",
      exitCode: 4,
      stderr: "no luck",
    });
    await failure(step(script));
    expect(await world.inside("h1", "wc -l </root/failed")).toBe("2");
  });

  test(
    "goes on when its connection is cut silently in the middle, and is attached to",
    async () => {
      const told = context();
      const script = { name: "long", text: "echo run >>/root/long; echo started >&2; sleep 12; echo done" };
      const answer = step(script, told);
      await expect.poll(() => told.said, eventually).toContain("h1: started");
      await control.cutSsh(world.lab, "h1");
      await expect.poll(() => told.said.join(), { timeout: 60_000 }).toContain("connection lost");
      await control.restoreSsh(world.lab, "h1");
      expect(await answer).toBe("done\n");
      expect(await world.inside("h1", "cat /root/long")).toBe("run");
    },
    3 * minutes,
  );

  test("whose connection is lost just as it ends ran once all the same", async () => {
    const told = context();
    for (let i = 0; i < 4; i++) {
      const answer = step({ name: "edge", text: `echo run >>/root/edge-${i}; sleep 2; echo done` }, told);
      await expect
        .poll(() => world.inside("h1", `cat /root/edge-${i} 2>/dev/null || :`), eventually)
        .toBe("run");
      await new Promise((resolve) => setTimeout(resolve, 1100 + 150 * i));
      await world.inside("h1", "pkill -o -f 'sshd: root@notty'");
      expect(await answer).toBe("done\n");
      expect(await world.inside("h1", `cat /root/edge-${i}`)).toBe("run");
    }
    expect(told.said.join()).toContain("connection lost");
  });

  test("whose process died is attached to by the next one, which takes its result", async () => {
    const text = "echo run >>/root/orphan; sleep 4; echo result";
    const program = `
      import { onHost } from ${JSON.stringify(join(import.meta.dirname, "../../components/ssh/session.ts"))};
      const context = { urn: "test", preview: false, progress() {}, info() {}, warn() {}, signal: new AbortController().signal, timeoutSeconds: 0 };
      await onHost(JSON.parse(process.env.CONNECTION), context, (session) => session.step({ name: "orphan", text: ${JSON.stringify(text)} }, context));`;
    const file = join(world.files, "orphan.ts");
    writeFileSync(file, program);
    const child = spawn(process.execPath, [file], {
      env: { ...process.env, CONNECTION: JSON.stringify(h1) },
    });
    try {
      const trace = () => world.inside("h1", "cat /root/orphan 2>/dev/null || :");
      await expect.poll(trace, eventually).toBe("run");
    } finally {
      child.kill("SIGKILL");
    }
    expect(await step({ name: "orphan", text })).toBe("result\n");
    expect(await world.inside("h1", "cat /root/orphan")).toBe("run");
  });

  test("with other content waits for the one that runs", async () => {
    const told = context();
    const first = step({ name: "same", text: "sleep 2; echo first >>/root/same" });
    await expect
      .poll(() => world.inside("h1", "systemctl is-active spillway-same || :"), eventually)
      .toBe("active");
    const second = step({ name: "same", text: "echo second >>/root/same" }, told);
    await Promise.all([first, second]);
    expect(await world.inside("h1", "cat /root/same")).toBe("first\nsecond");
    expect(told.said.join()).toContain("waiting for an earlier run");
  });

  test("that takes too long, or is killed, is an error that says so", async () => {
    expect((await failure(step({ name: "slow", text: "sleep 60", timeoutSeconds: 1 }))).message).toContain(
      "not done within 1 s",
    );
    const killed = failure(step({ name: "killed", text: "sleep 60" }));
    await expect
      .poll(() => world.inside("h1", "systemctl is-active spillway-killed || :"), eventually)
      .toBe("active");
    await world.inside("h1", "systemctl kill -s KILL spillway-killed");
    expect((await killed).message).toContain("it was killed");
    expect(await world.inside("h1", "ls /run/spillway/steps/killed 2>/dev/null || :")).toBe("");
  });

  test("is no longer waited for after an interrupt, and its result is taken by the next run", async () => {
    const stop = new AbortController();
    const script = { name: "stopped", text: "echo run >>/root/stopped; sleep 3; echo late" };
    const waiting = failure(step(script, context("test", stop.signal)));
    await expect.poll(() => world.inside("h1", "cat /root/stopped 2>/dev/null || :"), eventually).toBe("run");
    stop.abort();
    expect((await waiting).message).toContain("goes on there");
    expect(await step(script)).toBe("late\n");
    expect(await world.inside("h1", "cat /root/stopped")).toBe("run");
  });
});

describe("the lock", () => {
  /** Another process that takes the lock and keeps it until killed. */
  async function rival() {
    const program = `
      import { onHost } from ${JSON.stringify(join(import.meta.dirname, "../../components/ssh/session.ts"))};
      const context = { urn: "urn:pulumi:rival::p::t::n", preview: false, progress() {}, info() {}, warn() {}, signal: new AbortController().signal, timeoutSeconds: 0 };
      await onHost(JSON.parse(process.env.CONNECTION), context, (session) => session.run({ text: "true" }, context));
      console.log("locked");`;
    const file = join(world.files, "rival.ts");
    writeFileSync(file, program);
    const child = spawn(process.execPath, [file], {
      env: { ...process.env, CONNECTION: JSON.stringify(h1) },
    });
    await new Promise((resolve, reject) => {
      child.stdout.once("data", resolve);
      child.once("exit", () => reject(new Error("the rival ended")));
      child.stderr.pipe(process.stderr);
    });
    return child;
  }

  test(
    "keeps a second owner out and names the first; looking needs none",
    async () => {
      const other = await rival();
      try {
        const looking = onHost(h1, context(), (session) => session.run({ text: "echo ok" }, context()), {
          change: false,
        });
        expect(await looking).toBe("ok\n");
        const { message } = await failure(sh(h1, "true"));
        expect(message).toContain(`pid ${other.pid}, stack rival`);
        expect(message).toContain("run again");
      } finally {
        other.kill("SIGKILL");
      }
    },
    2 * minutes,
  );

  test("is free soon after its owner died, and leaves no file when nothing of ours is on the host", async () => {
    const other = await rival();
    other.kill("SIGKILL");
    expect(await sh(h1, "echo mine")).toBe("mine\n");
    await closeAll();
    await expect.poll(() => world.inside("h1", "ls -d /run/spillway 2>/dev/null || :"), eventually).toBe("");
  });
});

test("a secret is in no command line, environment or file while scripts, steps and uploads run", async () => {
  const canary = `canary-${randomBytes(8).toString("hex")}`;
  const value = `it's ${canary}`;
  const scan = `grep -las ${canary.slice(0, 22)}'[0-9a-f]' /proc/[0-9]*/cmdline /proc/[0-9]*/environ || :`;
  let working = true;
  const seen: string[] = [];
  const sampling = (async () => {
    while (working) seen.push(await world.inside("h1", scan.replace("grep", "grep --exclude-dir=self")));
  })();
  const secretFiles = { FILE: canary };
  const text = 'sleep 1; test -n "$VALUE"; sleep 1; cat "$FILE" >/dev/null; sleep 1';
  await Promise.all([
    run({ text, values: { VALUE: value }, secretFiles }),
    step({ name: "canary", text, values: { VALUE: value }, secretFiles }),
  ]);
  working = false;
  await sampling;
  expect(seen.length).toBeGreaterThan(3);
  // Our own grep holds a pattern of it.
  expect([...new Set(seen.join("").split("\n"))].filter((line) => line !== "")).toEqual([]);
  await closeAll();
  expect(
    await world.inside(
      "h1",
      `grep -rls ${canary} /etc /run /var /tmp /root /opt /usr/local 2>/dev/null || :`,
    ),
  ).toBe("");
  expect(await world.inside("h1", `journalctl --no-pager -q | grep -c ${canary} || :`)).toBe("0");
});
