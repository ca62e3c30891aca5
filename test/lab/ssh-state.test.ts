import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as control from "../../components/lab/control.ts";
import type { Connection } from "../../components/model/connection.ts";
import { Refusal } from "../../components/model/problem.ts";
import { hostState } from "../../components/ssh/host-state.provider.ts";
import type { HostStateArgs } from "../../components/ssh/host-state.ts";
import { closeAll } from "../../components/ssh/pool.ts";
import { preflight } from "../../components/ssh/preflight.provider.ts";
import type { Requirements } from "../../components/ssh/preflight.ts";
import { HostError } from "../../components/ssh/session.ts";
import { context, makeWorld, type World } from "./ssh-world.ts";

const minutes = 60_000;
vi.setConfig({ testTimeout: 3 * minutes });
let world: World;
let h1: Connection;
let h2: Connection;

beforeAll(async () => {
  world = await makeWorld(2);
  h1 = world.connections.h1!;
  h2 = world.connections.h2!;
}, 15 * minutes);
afterAll(async () => world?.destroy(), 5 * minutes);

const existing = (inputs: HostStateArgs) => ({
  id: `${inputs.connection.host}/${inputs.name}`,
  inputs,
  outputs: {},
});
const create = (inputs: HostStateArgs, told = context()) => hostState.create(told, inputs);
const update = (inputs: HostStateArgs) => hostState.update!(context(), existing(inputs), inputs);
const remove = (inputs: HostStateArgs, told = context()) => hostState.delete(told, existing(inputs));
const found = async (inputs: HostStateArgs) => (await hostState.read!(context(), existing(inputs)))?.inputs;
/** Paths that the next `up` would change after a refresh. */
const drift = async (inputs: HostStateArgs) =>
  hostState.diff!(existing((await found(inputs)) ?? { ...inputs, name: "gone" }), inputs).paths;
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: Error) => error,
  );

/** All that a state could leave behind; caches and logs of apt and dpkg aside. */
const listing = (host = "h1") =>
  world.inside(
    host,
    `cd /; find etc opt srv mnt root -type f ! -path etc/ld.so.cache -exec sha256sum {} + | sort -k 2
     find etc opt srv mnt root usr var/lib var/opt -xdev \\( -path var/lib/dpkg -o -path var/lib/apt -o -path var/lib/systemd -o -path var/lib/private \\) -prune \\
       -o -path 'usr/*' -type f -printf '%p %m %u:%g %s %T@\\n' -o -printf '%p %y %m %u:%g %l\\n' | sort
     cat /proc/sys/net/ipv4/ip_forward; dpkg-query -W; systemctl list-unit-files --no-legend; findmnt -rno TARGET | sort; ls -A /run/spillway/steps 2>/dev/null || :`,
  );

const service = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

function everything(): HostStateArgs {
  const program = "#!/bin/sh\necho program\n";
  const source = join(world.files, "program");
  writeFileSync(source, program);
  return {
    connection: h1,
    name: "everything",
    packages: ["tree"],
    sysctls: { "net.ipv4.ip_forward": "1" },
    hosts: { "api.paris": ["192.0.2.1", "192.0.2.2"] },
    directories: { "/srv/a b/c": { mode: "0750" }, "/opt": { mode: "0700" } },
    files: {
      "/etc/x y/it's $(touch run) \\n": {
        content: "$(touch /tmp/run)\n'\"\\\n\n",
        mode: "0600",
        owner: "nobody:nogroup",
      },
      "/etc/foreign": { content: "ours\n", overwrite: true },
      "/srv/a b/c/big": { content: "it's $(id)\n".repeat(100_000) },
    },
    uploads: { "/opt/program/bin": { source, sha256: createHash("sha256").update(program).digest("hex") } },
    mounts: { "/mnt/my-data": { what: "tmpfs", type: "tmpfs", options: "size=1m" } },
    units: {
      "hello.service": { content: service, enabled: true, running: true },
      "cron-like.service": { dropIn: "[Service]\nNice=5\n", enabled: false, running: false },
    },
  };
}

describe("a host's state", () => {
  test("comes, is as declared, drifts visibly, is repaired, and goes without a trace", async () => {
    const foreign = `printf theirs >/etc/foreign; chmod 640 /etc/foreign; touch -d 2001-01-01 /etc/foreign
      printf '%s' '${service}' >/etc/systemd/system/cron-like.service
      systemctl daemon-reload; systemctl enable -q --now cron-like`;
    await world.inside("h1", foreign);
    const before = await listing();
    const state = everything();
    expect(hostState.check!(state, new Set())).toEqual([]);
    await hostState.preview!({ ...context(), preview: true }, state);
    expect(await listing()).toBe(before);

    expect(await create(state)).toEqual({ id: "h1/everything", outputs: {} });
    expect(await found(state)).toEqual(state);
    expect(await drift(state)).toEqual([]);
    const facts = await world.inside(
      "h1",
      `stat -c '%a %U:%G' '/etc/x y/'*; cat '/etc/x y/'*; cat /etc/foreign; ls /tmp/run /root/run 2>/dev/null || :
       systemctl is-active hello; systemctl is-enabled hello; systemctl is-active cron-like || :; findmnt -no FSTYPE /mnt/my-data
       /opt/program/bin; cat /proc/sys/net/ipv4/ip_forward; grep -c api.paris /etc/hosts; command -v tree`,
    );
    expect(facts).toBe(
      "600 nobody:nogroup\n$(touch /tmp/run)\n'\"\\\n\nours\nactive\nenabled\ninactive\ntmpfs\nprogram\n1\n2\n/usr/bin/tree",
    );

    const settled = await listing();
    await create(state);
    expect(await listing()).toBe(settled);

    await world.inside(
      "h1",
      `echo hacked >/etc/foreign; umount /mnt/my-data; systemctl stop hello; echo 0 >/proc/sys/net/ipv4/ip_forward
       chmod 700 '/srv/a b/c'; rm /opt/program/bin; sed -i /api.paris/d /etc/hosts; chown root: '/etc/x y/'*; dpkg --purge tree >/dev/null 2>&1
       systemctl enable -q --now cron-like`,
    );
    expect(await drift(state)).toEqual([
      "packages",
      'sysctls["net.ipv4.ip_forward"]',
      'hosts["api.paris"]',
      'directories["/srv/a b/c"].mode',
      'files["/etc/foreign"].content',
      'files["/etc/x y/it\'s $(touch run) \\\\n"].owner',
      'uploads["/opt/program/bin"]',
      'mounts["/mnt/my-data"]',
      'units["cron-like.service"].enabled',
      'units["cron-like.service"].running',
      'units["hello.service"].running',
    ]);
    expect(JSON.stringify(await found(state))).not.toContain("hacked");
    await update(state);
    expect(await drift(state)).toEqual([]);

    const told = context();
    await remove(state, told);
    expect(told.warned).toEqual([]);
    expect(await listing()).toBe(before);
    expect(await world.inside("h1", "ls -d /var/lib/spillway 2>/dev/null || :")).toBe("");
    expect(await found(state)).toBeUndefined();
    await remove(state);
    await world.inside(
      "h1",
      "systemctl disable -q --now cron-like; rm /etc/systemd/system/cron-like.service; systemctl daemon-reload",
    );
  });

  test("takes back what is no longer declared, and only that", async () => {
    const before = await listing();
    const state = everything();
    delete state.units?.["cron-like.service"];
    await world.inside("h1", "rm /etc/foreign");
    const without = await listing();
    await create(state);
    const less: HostStateArgs = {
      connection: h1,
      name: "everything",
      files: { "/etc/foreign": { content: "only" } },
    };
    await hostState.update!(context(), existing(state), less);
    expect(await found(less)).toEqual(less);
    await world.inside("h1", "rm /etc/foreign");
    expect((await listing()).replace(/^var\/lib\/spillway[ /].*\n/gm, "")).toBe(without);
    await remove(less);
    expect(await listing()).toBe(without);
    expect(before).not.toBe(without);
  });

  test("refuses foreign content in preview and in create, all of it at once, and changes nothing", async () => {
    await world.inside("h1", "printf theirs >/etc/one; printf theirs >/etc/two; mkdir /etc/three");
    const before = await listing();
    const content = "ours";
    const state: HostStateArgs = {
      connection: h1,
      name: "refused",
      files: {
        "/etc/one": { content },
        "/etc/two": { content },
        "/etc/three": { content, overwrite: true },
        "/etc/new": { content },
      },
    };
    const attempts = [() => hostState.preview!({ ...context(), preview: true }, state), () => create(state)];
    for (const attempt of attempts) {
      const error = await failure(attempt());
      expect(error).toBeInstanceOf(Refusal);
      expect((error as Refusal).problems.map(({ path }) => path)).toEqual([
        'files["/etc/one"]',
        'files["/etc/two"]',
        'files["/etc/three"]',
      ]);
      expect(error.message).not.toContain("theirs");
    }
    expect(await listing()).toBe(before);
    await world.inside("h1", "rm -r /etc/one /etc/two /etc/three");
  });

  test("shares packages and directories with another state until both are gone", async () => {
    const before = await listing();
    const one: HostStateArgs = {
      connection: h1,
      name: "one",
      packages: ["tree"],
      files: { "/opt/shared/one": { content: "" } },
      directories: { "/opt/shared": {} },
    };
    const two: HostStateArgs = { ...one, name: "two", files: { "/opt/shared/two": { content: "" } } };
    await Promise.all([create(one), create(two)]);
    expect((await failure(create({ ...two, name: "three", files: one.files }))).message).toContain(
      'belongs to the state "one"',
    );
    await remove(one);
    expect(await found(two)).toEqual(two);
    await remove(two);
    expect(await listing()).toBe(before);
  });

  test("of another stack's name is refused", async () => {
    const state: HostStateArgs = {
      connection: h1,
      name: "named",
      files: { "/etc/named-file": { content: "" } },
    };
    await create(state);
    const error = await failure(create(state, context("urn:pulumi:prod::project::type::thing")));
    expect(error.message).toContain("urn:pulumi:dev::project");
    await remove(state);
  });

  test("of another resource's name is refused, and the one that was refused takes nothing back", async () => {
    const state: HostStateArgs = {
      connection: h1,
      name: "named",
      files: { "/etc/named-file": { content: "" } },
    };
    await create(state);
    const other = context("urn:pulumi:dev::project::type::renamed");
    expect((await failure(create(state, other))).message).toContain('the state "named" belongs to urn:');
    await hostState.delete(other, { id: "x", inputs: state, outputs: { unfinished: true } });
    expect(await found(state)).toEqual(state);
    await remove(state);
  });

  test("restarts a unit when its file changed, and not otherwise", async () => {
    const pid = () => world.inside("h1", "systemctl show -p MainPID --value hello");
    const state = (content: string): HostStateArgs => ({
      connection: h1,
      name: "restart",
      files: { "/etc/hello.conf": { content } },
      units: { "hello.service": { content: service, enabled: true, running: true } },
    });
    await create(state("a"));
    const first = await pid();
    await update(state("a"));
    expect(await pid()).toBe(first);
    await update(state("b"));
    expect(await pid()).not.toBe(first);
    await remove(state("b"));
  });

  test("whose unit fails right away says so with the unit's last words, and can be repaired or removed", async () => {
    const before = await listing();
    // With cgroup v1 systemd may miss that a killed unit is empty, and waits this long for it.
    const badUnit = (command: string) => `[Service]\nTimeoutStopSec=2\nExecStart=/bin/sh -c '${command}'\n`;
    const state = (command: string): HostStateArgs => ({
      connection: h1,
      name: "failing",
      units: { "bad.service": { content: badUnit(command), running: true } },
    });
    const error = await failure(create(state("echo my last words; exit 3")));
    expect(error).toBeInstanceOf(HostError);
    expect(error.message).toContain("my last words");
    await update(state("sleep 1000"));
    expect(await drift(state("sleep 1000"))).toEqual([]);
    await world.inside("h1", "systemctl kill --signal=KILL bad.service");
    const listed = () => world.inside("h1", "systemctl list-units --all --plain --no-legend bad.service");
    await expect.poll(listed, { timeout: 60_000 }).toContain("failed");
    await remove(state("sleep 1000"));
    expect(await listing()).toBe(before);
    expect(await listed()).toBe("");
  });

  test("leaves packages that somebody else installed, after a failure as well, and takes none of them away", async () => {
    const state = (packages: string[]): HostStateArgs => ({ connection: h1, name: "by-hand", packages });
    const list = "dpkg -l tree msmtp-mta dma 2>/dev/null | sed -n 's/^ii *\\([^ ]*\\).*/\\1/p' | xargs";
    const there = () => world.inside("h1", list);
    expect((await failure(create(state(["tree", "no-such-package"])))).message).toContain("no-such-package");
    await world.inside("h1", "apt-get update -q && apt-get install -y -q --no-install-recommends msmtp-mta");
    expect((await failure(create(state(["tree", "dma"])))).message).toMatch(/remove/i);
    expect(await there()).toBe("msmtp-mta");
    await create(state(["tree"]));
    expect(await there()).toBe("msmtp-mta tree");
    await remove(state(["tree"]));
    expect(await there()).toBe("msmtp-mta");
    await world.inside("h1", "apt-get purge -y -q --autoremove msmtp-mta && rm -rf /var/lib/apt/lists/*");
  });

  test("cut in the middle of an installation by a lost connection is finished", async () => {
    const before = await listing();
    const state: HostStateArgs = {
      connection: h1,
      name: "cut",
      packages: ["tree"],
      files: { "/etc/cut": { content: "x" } },
    };
    const told = context();
    const creating = create(state, told);
    await expect
      .poll(() => world.inside("h1", "pgrep -x apt-get || :"), { timeout: 50_000, interval: 20 })
      .not.toBe("");
    await world.inside("h1", "pkill -o -f 'sshd: root@notty'");
    await creating;
    expect(told.said.join()).toContain("connection lost");
    expect(await found(state)).toEqual(state);
    await remove(state);
    expect(await listing()).toBe(before);
  });

  test("cut by a loss of power at any moment is finished by the next run, and can be taken back", async () => {
    const before = await listing("h2");
    const state: HostStateArgs = { ...everything(), connection: { ...h2, dialTimeout: 2 }, packages: [] };
    delete state.units?.["cron-like.service"];
    for (const delay of [350, 600, 900]) {
      const creating = create(state).catch((error: Error) => error);
      await new Promise((resolve) => setTimeout(resolve, delay));
      await control.powerCut(world.lab, "h2");
      await control.boot(world.lab, "h2");
      await creating;
      await closeAll();
      await create(state);
      expect(await drift(state)).toEqual([]);
      await remove(state);
      await closeAll();
      expect(await listing("h2")).toBe(before);
    }
  });
});

describe("preflight", () => {
  const require: Requirements = { memoryMiB: 256, diskGiB: 1, noForeignCluster: true, owner: "ours" };
  const hosts = () => [h1, h2];

  test("accepts fit hosts and changes nothing on them", async () => {
    const before = await listing();
    await preflight.preview!({ ...context(), preview: true }, { hosts: hosts(), require });
    expect(await preflight.create(context(), { hosts: hosts(), require })).toEqual({
      id: "preflight",
      outputs: { owner: expect.stringMatching(/^ours#[0-9a-f]{16}$/) },
    });
    expect(await listing()).toBe(before);
  });

  test("tells all problems of all hosts at once", async () => {
    await world.inside("h1", "mkdir -p /etc/kubernetes; touch /etc/kubernetes/admin.conf");
    const dead = { ...h1, host: "dead", port: 2 };
    const strict = {
      ...require,
      os: ["fedora"],
      memoryMiB: 10_000_000,
      diskGiB: 10_000_000,
      freePorts: { h1: [22, 4000], h2: [4000] },
    };
    const error = await failure(preflight.create(context(), { hosts: [h1, h2, dead], require: strict }));
    await world.inside("h1", "rm -r /etc/kubernetes");
    expect((error as Refusal).problems.map(({ path }) => path)).toEqual([
      "hosts.h1.os",
      "hosts.h1.memory",
      "hosts.h1.disk",
      "hosts.h1.ports",
      "hosts.h1.cluster",
      "hosts.h2.os",
      "hosts.h2.memory",
      "hosts.h2.disk",
      "hosts.dead",
    ]);
  });

  test("sends packets between hosts and tells the largest that passes, beside all other problems", async () => {
    const wide = { ...require, packets: { bytes: 1500, least: 1330 } };
    const look = (required: Requirements, told = context()) =>
      preflight.preview!({ ...told, preview: true }, { hosts: hosts(), require: required });
    const narrow = (bytes: number) => world.inside("h2", `ip link set host0 mtu ${bytes}`);
    await look(wide);
    try {
      await narrow(1400);
      const error = await failure(look({ ...wide, memoryMiB: 10_000_000 }));
      expect((error as Refusal).problems.map(({ path }) => path)).toEqual([
        "hosts.h1.memory",
        "hosts.h2.memory",
        "hosts.h1.mtu",
      ]);
      expect(error.message).toContain(
        "between h1 and h2 at most 1400 bytes pass unfragmented, not 1500; give the site `mtu: 1400`",
      );
      await look({ ...wide, packets: { bytes: 1400, least: 1330 } });
      await narrow(1300);
      expect((await failure(look(wide))).message).toContain(
        "at most 1300 bytes pass unfragmented, not 1500; mend what carries less on the path between them: 1330 is",
      );
      await world.inside("h2", "iptables -A INPUT -p icmp -j DROP");
      const told = context();
      await look(wide, told);
      expect(told.warned.join()).toContain("between h1 and h2 no ping comes back, not even a small one");
    } finally {
      await world.inside("h2", "iptables -D INPUT -p icmp -j DROP || :");
      await narrow(1500);
    }
  });

  test("does without packets where a host has no ping, and says so", async () => {
    const told = context();
    await world.inside("h1", "mv /usr/bin/ping /usr/bin/ping.away");
    await preflight.create(told, {
      hosts: hosts(),
      require: { ...require, packets: { bytes: 1500, least: 1330 } },
    });
    await world.inside("h1", "mv /usr/bin/ping.away /usr/bin/ping");
    expect(told.warned.join()).toContain("not asked on h1: install iputils-ping there");
  });

  test("knows its own hosts by the owner's file, in which no other state's number stands", async () => {
    const ports = { ...require, freePorts: { h1: [22] } };
    const args = { hosts: hosts(), require: ports };
    const free = { ...args, require: { ...require, freePorts: {} } };
    const { id, outputs } = await preflight.create(context(), free);
    await world.inside(
      "h1",
      `mkdir -p /etc/kubernetes /var/lib/spillway; touch /etc/kubernetes/admin.conf; printf %s '${outputs.owner}' >/var/lib/spillway/owner`,
    );
    await preflight.update!(context(), { id, inputs: free, outputs }, args);
    const error = await failure(preflight.create(context(), args));
    await world.inside("h1", "rm -r /etc/kubernetes /var/lib/spillway");
    expect((error as Refusal).problems.map(({ path }) => path)).toEqual([
      "hosts.h1.ports",
      "hosts.h1.cluster",
    ]);
    expect(error.message).toContain(
      "the cluster ours (organization/project/stack/name) is there, and this state does not know it",
    );
  });
});
