import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { Connection } from "../../components/model/connection.ts";
import type { Context } from "../../components/provider/resource.ts";
import { hostState } from "../../components/ssh/host-state.provider.ts";
import type { HostStateArgs } from "../../components/ssh/host-state.ts";
import { application } from "../../components/ssh/state/apply.ts";
import { checkHostState } from "../../components/ssh/state/check.ts";
import { differenceOf } from "../../components/ssh/state/difference.ts";
import { inputsAsFound, withLeftovers } from "../../components/ssh/state/found.ts";
import { emptyLedger, type Ledger } from "../../components/ssh/state/ledger.ts";
import { type Facts, ownerAs, type PathFact, parseFacts } from "../../components/ssh/state/observe.ts";
import { planBase, planState } from "../../components/ssh/state/plan.ts";
import { mountUnit, sha256, sysctlPath, wantedOf } from "../../components/ssh/state/wanted.ts";

/** What hosts print, by name. */
const hosts: Record<string, string> = {};
vi.mock("../../components/ssh/session.ts", async (original) => ({
  ...(await original<object>()),
  onHost: async (connection: Connection, _context: unknown, use: (session: object) => unknown) =>
    use({ connection, run: async () => hosts[connection.host] }),
}));
const context: Context = {
  urn: "test",
  preview: true,
  progress: () => {},
  warn: () => {},
  info: () => {},
  signal: new AbortController().signal,
  timeoutSeconds: 0,
};

const connection: Connection = {
  host: "h",
  address: "192.0.2.1",
  privateKey: "",
  hostKey: "ssh-ed25519 AAAA",
};
const urn = "urn:pulumi:dev::project::spillway:ssh:HostState::base";
const args = (rest: Partial<HostStateArgs>): HostStateArgs => ({ connection, name: "base", ...rest });

const nothing: Facts = {
  packages: new Set(),
  modules: new Set(),
  sysctls: new Map(),
  paths: new Map(),
  hosts: [],
  gaps: [],
  units: new Map(),
  ledgers: new Map(),
  installed: new Map(),
};
const facts = (rest: Partial<Facts>): Facts => ({ ...nothing, ...rest });
const ledgers = (own: Partial<Ledger>, others: Record<string, Partial<Ledger>> = {}): Facts["ledgers"] =>
  new Map(
    Object.entries({ base: own, ...others }).map(([name, rest]) => [name, { ...emptyLedger(urn), ...rest }]),
  );
const file = (content: string, mode = "644", owner = "root:root") =>
  ({ kind: "file", mode, owner, ids: "0:0", sha256: sha256(content) }) as const;
const plan = (state: Partial<HostStateArgs>, found: Partial<Facts>) =>
  planState(wantedOf(args(state)), facts(found), urn);
const steps = ({ first, last }: ReturnType<typeof plan>) =>
  [...first, ...last]
    .filter(({ verb }) => verb !== "ledger")
    .map(({ verb, args: words = [] }) => [verb, ...words].join(" ").replaceAll(/ [0-9a-f]{64}/g, ""));

test("the name of an address is the shortest of several, whatever their order", () => {
  const hosts = { "1.shared.paris": ["10.0.0.1"], "s1.paris": ["10.0.0.1"] };
  expect(wantedOf(args({ hosts })).hosts.map((line) => line.split(" ")[1])).toEqual([
    "s1.paris",
    "1.shared.paris",
  ]);
});

describe("check", () => {
  const problems = (state: Record<string, unknown>) =>
    checkHostState({ name: "base", ...state } as Partial<HostStateArgs>, new Set()).map(({ path }) => path);

  test("accepts what is right", () => {
    const state: Partial<HostStateArgs> = {
      packages: ["containerd", "libc++1"],
      modules: ["br_netfilter"],
      sysctls: { "net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/rp_filter": "0" },
      hosts: { "api.paris": ["10.0.0.1", "fd00::1"] },
      directories: { "/srv/a b": { mode: "0750", owner: "root:adm" } },
      files: { "/etc/$(touch x)'\"": { content: "$(id)\n" } },
      uploads: { "/usr/local/bin/x": { source: "x", sha256: "0".repeat(64) } },
      mounts: { "/mnt/x": { what: "/dev/vdb", type: "ext4", options: "noatime" } },
      units: { "x@y.service": { content: "", restartOn: ["/usr/local/bin/x"] } },
    };
    expect(checkHostState(args({ ...state, connection: undefined }), new Set())).toEqual([]);
  });

  test.each([
    "relative",
    "/",
    "/a/",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/..",
    "/a\nb",
    "/a\0b",
    "-oProxyCommand=x",
    "~/x",
    "",
  ])("refuses the path %j", (path) => {
    expect(problems({ files: { [path]: { content: "" } } })).toEqual([`files[${JSON.stringify(path)}]`]);
  });

  test("tells all problems at once", () => {
    expect(
      problems({
        name: "Base!",
        packages: ["ok", "-rf", "a b", "$(id)"],
        modules: ["../x"],
        sysctls: { "net..x": "1", "kernel.panic": "1\n2" },
        hosts: { "a b": ["10.0.0.1"], ok: ["10.0.0.1 evil"] },
        directories: { "/d": { mode: "rwx", owner: "a b" } },
        files: { "/d": { content: "", mode: "999" } },
        uploads: { "/u": { source: "", sha256: "X" } },
        mounts: { "/m": { what: "a\nb", type: "ext4 -o", options: "x\\" } },
        units: { nounit: {}, "a.service": { restartOn: ["/unknown"] } },
      }),
    ).toEqual([
      "name",
      "packages[1]",
      "packages[2]",
      "packages[3]",
      "modules[0]",
      'sysctls["net..x"]',
      'sysctls["kernel.panic"]',
      'hosts["a b"]',
      'hosts["ok"]',
      'directories["/d"].mode',
      'directories["/d"].owner',
      'files["/d"]',
      'files["/d"].mode',
      'uploads["/u"].source',
      'uploads["/u"].sha256',
      'mounts["/m"].what',
      'mounts["/m"].type',
      'mounts["/m"].options',
      'units["nounit"]',
      'units["a.service"].restartOn',
    ]);
  });

  test("does not call missing what is only unknown yet", () => {
    const inputs = {
      name: "base",
      files: { "/etc/x": {} },
      uploads: { "/u": { source: "x" } },
      mounts: { "/m": { type: "ext4" } },
    };
    expect(
      checkHostState(inputs as unknown as Partial<HostStateArgs>, new Set(["files", "uploads", "mounts"])),
    ).toEqual([]);
    expect(checkHostState({}, new Set(["name", "connection"]))).toEqual([]);
  });

  test("never quotes a file's content", () => {
    const state = { name: "base", files: { x: { content: "secret-content" } } };
    expect(JSON.stringify(checkHostState(state, new Set()))).not.toContain("secret-content");
  });
});

describe("diff", () => {
  const paths = (before: Partial<HostStateArgs>, after: Partial<HostStateArgs>) =>
    differenceOf(args(before), args(after));

  test("names the very path", () => {
    const before: Partial<HostStateArgs> = {
      sysctls: { "a.b": "1" },
      files: { "/etc/x": { content: "a" }, "/etc/y": { content: "b" } },
      units: { "x.service": { running: true } },
    };
    const after: Partial<HostStateArgs> = {
      packages: ["new"],
      sysctls: { "a.b": "2" },
      files: { "/etc/x": { content: "c" }, "/etc/z": { content: "" } },
      units: { "x.service": { running: false } },
    };
    expect(paths(before, after)).toEqual({
      paths: [
        "packages",
        'sysctls["a.b"]',
        'files["/etc/x"].content',
        'files["/etc/y"]',
        'files["/etc/z"]',
        'units["x.service"].running',
      ],
      replace: [],
    });
  });

  test("sees no change in a default said, an order, a way to the host or a source's place", () => {
    const digest = "0".repeat(64);
    const before: Partial<HostStateArgs> = {
      packages: ["a", "b"],
      files: { "/x": { content: "" } },
      uploads: { "/u": { source: "here", sha256: digest } },
    };
    const after: Partial<HostStateArgs> = {
      connection: { ...connection, address: "192.0.2.9", privateKey: "other" },
      packages: ["b", "a"],
      files: { "/x": { content: "", mode: "0644", owner: "root", overwrite: false } },
      uploads: { "/u": { source: "there", sha256: digest, mode: "755" } },
    };
    expect(paths(before, after).paths).toEqual([]);
  });

  test("replaces for another name or host", () => {
    expect(paths({}, { name: "other" }).replace).toEqual(["name"]);
    expect(paths({}, { connection: { ...connection, host: "other" } }).replace).toEqual(["connection.host"]);
    const elsewhere = { ...connection, address: "10.9.9.9", hostKey: "ssh-ed25519 BBBB" };
    expect(paths({}, { connection: elsewhere }).replace).toEqual(["connection.address"]);
  });

  test("takes something unknown for a change of the whole", () => {
    expect(paths({ files: {} }, { files: "unknown" as never }).paths).toEqual(["files"]);
  });
});

describe("a plan", () => {
  test("has nothing to do when all is as wanted", () => {
    const state = { files: { "/etc/x": { content: "a" } } };
    const found = {
      paths: new Map([["/etc/x", file("a")]]),
      ledgers: ledgers({ files: { "/etc/x": { original: false } } }),
    };
    expect(plan(state, found)).toEqual({ problems: [], first: [], uploads: [], last: [], changes: false });
  });

  test("makes missing parents, outermost first, and takes them back innermost first", () => {
    const made = plan({ files: { "/a/b/c": { content: "x" } } }, { gaps: ["/a", "/a/b"] });
    expect(steps(made)).toEqual([
      "directory /a 755 root:root",
      "directory /a/b 755 root:root",
      "write /a/b/c 644 root:root",
    ]);
    const directories = { "/a": { made: true }, "/a/b": { made: true } } as const;
    const own = ledgers({ files: { "/a/b/c": { original: false } }, directories });
    expect(steps(plan({}, { ledgers: own }))).toEqual(["unlink /a/b/c", "rmdir /a/b", "rmdir /a"]);
  });

  test("refuses foreign content, and says so for every file", () => {
    const there = new Map([
      ["/x", file("theirs")],
      ["/y", file("theirs")],
    ] as const);
    const refused = plan(
      { files: { "/x": { content: "ours" }, "/y": { content: "ours" } } },
      { paths: there },
    );
    expect(refused.problems.map(({ path }) => path)).toEqual(['files["/x"]', 'files["/y"]']);
    expect(JSON.stringify(refused.problems)).not.toContain("theirs");
  });

  test("keeps a replaced original before anything else, and restores it", () => {
    const replaced = plan(
      { files: { "/x": { content: "ours", overwrite: true } } },
      { paths: new Map([["/x", file("theirs")]]) },
    );
    expect(replaced.first[0]?.verb).toBe("keep");
    expect(replaced.first[1]?.verb).toBe("ledger");
    const own = ledgers({ files: { "/x": { original: true } } });
    expect(steps(plan({}, { ledgers: own }))).toEqual(["restore /x", "discard"]);
  });

  test("does not keep our own drifted file as an original", () => {
    const drifted = plan(
      { files: { "/x": { content: "ours", overwrite: true } } },
      {
        paths: new Map([["/x", file("hacked")]]),
        ledgers: ledgers({ files: { "/x": { original: false } } }),
      },
    );
    expect(steps(drifted)).toEqual(["write /x 644 root:root"]);
  });

  test("adopts equal content, and leaves it there on delete", () => {
    const adopted = plan(
      { files: { "/x": { content: "same" } } },
      { paths: new Map([["/x", file("same")]]) },
    );
    expect(adopted.problems).toEqual([]);
    expect(steps(adopted)).toEqual(["keep /x"]);
  });

  test("refuses a file of another state on the host", () => {
    const others = ledgers({}, { other: { files: { "/x": { original: false } } } });
    const refused = plan(
      { files: { "/x": { content: "a" } } },
      { paths: new Map([["/x", file("a")]]), ledgers: others },
    );
    expect(refused.problems[0]?.found).toContain('belongs to the state "other"');
  });

  test("corrects mode and owner without writing", () => {
    const own = ledgers({ files: { "/x": { original: false } } });
    const state = { files: { "/x": { content: "a", mode: "0600", owner: "nobody" } } };
    expect(steps(plan(state, { paths: new Map([["/x", file("a")]]), ledgers: own }))).toEqual([
      "attributes /x 600 nobody:nobody",
    ]);
  });

  test("gives a directory that was there its attributes back", () => {
    const there = new Map([
      ["/d", { kind: "directory", mode: "755", owner: "root:root", ids: "0:0" } as const],
    ]);
    expect(steps(plan({ directories: { "/d": { mode: "0700" } } }, { paths: there }))).toEqual([
      "attributes /d 700 root:root",
    ]);
    const own = ledgers({ directories: { "/d": { made: false, mode: "755", owner: "root:root" } } });
    expect(steps(plan({}, { ledgers: own }))).toEqual(["attributes /d 755 root:root"]);
  });

  test("empties a directory that it made when told to, and never one that was there before", () => {
    const state = { directories: { "/d": { removeContents: true } } };
    const own = ledgers({ directories: { "/d": { made: true, emptied: true } } });
    expect(steps(plan({}, { ledgers: own }))).toEqual(["empty /d", "rmdir /d"]);
    const kept = ledgers({ directories: { "/d": { made: true } } });
    expect(steps(plan({}, { ledgers: kept }))).toEqual(["rmdir /d"]);
    const there = new Map([
      ["/d", { kind: "directory", mode: "755", owner: "root:root", ids: "0:0" } as const],
    ]);
    expect(plan(state, { paths: there }).problems.map(({ path }) => path)).toEqual([
      'directories["/d"].removeContents',
    ]);
    expect(plan(state, { paths: there, ledgers: kept }).problems).toEqual([]);
  });

  test("takes its directories out of a package's before that goes", () => {
    const own = ledgers({ packages: ["p"], directories: { "/etc/p/ours": { made: true } } });
    const found = { ledgers: own, installed: new Map([["base", new Set(["p"])]]) };
    expect(steps(plan({}, found))).toEqual(["prune /etc/p/ours", "remove p ", "rmdir /etc/p/ours"]);
  });

  test("leaves to other states what they share", () => {
    const shared = {
      packages: ["p"],
      modules: { m: true },
      sysctls: { "/proc/sys/a": "0" },
      directories: { "/d": { made: true } },
    } as const;
    const found = {
      ledgers: ledgers({ ...shared, packages: ["p"] }, { other: { ...shared, packages: ["p"] } }),
      installed: new Map([["base", new Set(["p", "dependency"])]]),
    };
    expect(steps(plan({}, found))).toEqual(["bequeath p other", "remove dependency other"]);
  });

  test("takes out newly installed packages and loaded modules, and only those", () => {
    const found = {
      ledgers: ledgers({ packages: ["new", "old"], modules: { loaded: true, found: false } }),
      installed: new Map([["base", new Set(["new", "dependency"])]]),
    };
    expect(steps(plan({}, found))).toEqual(["unload loaded", "remove new dependency "]);
  });

  test("installs and loads before all else, noting it first", () => {
    const base = planBase(
      wantedOf(args({ packages: ["p", "q"], modules: ["m"] })),
      facts({ packages: new Set(["q"]) }),
      urn,
    );
    expect(base.map(({ verb, args: words }) => [verb, ...(words ?? [])].join(" "))).toEqual([
      "ledger",
      "install p",
      "modprobe m",
    ]);
    expect(JSON.parse(base[0]?.bytes?.toString() ?? "")).toMatchObject({
      packages: ["p", "q"],
      modules: { m: true },
    });
  });

  test("refuses a setting that the kernel does not have", () => {
    expect(plan({ sysctls: { "no.such": "1" } }, {}).problems[0]?.path).toBe('sysctls["no.such"]');
  });

  test("compares settings by their parts", () => {
    const state = { sysctls: { "net.ipv4.ip_local_port_range": "32768 60999" } };
    const path = "/proc/sys/net/ipv4/ip_local_port_range";
    expect(
      steps(plan(state, { sysctls: new Map([[path, "32768 60999"]]) })).some((step) =>
        step.startsWith("sysctl"),
      ),
    ).toBe(false);
  });

  describe("of units", () => {
    const unit = { loaded: true, active: true, enabled: true, stale: false };
    const service = (rest: Partial<typeof unit>): Partial<Facts> => ({
      units: new Map([["a.service", { ...unit, ...rest }]]),
    });
    const withFile = (running?: boolean): Partial<HostStateArgs> => ({
      files: { "/etc/a.conf": { content: "new" } },
      units: { "a.service": { running } },
    });
    const own = ledgers({
      files: { "/etc/a.conf": { original: false } },
      units: { "a.service": { own: false, active: true } },
    });

    test("restarts a running one when a file changed, starts a stopped one, leaves one alone", () => {
      const old = { paths: new Map([["/etc/a.conf", file("old")]]), ledgers: own };
      expect(steps(plan(withFile(true), { ...old, ...service({}) }))).toContain("unit restart a.service");
      expect(steps(plan(withFile(true), { ...old, ...service({ active: false }) }))).toContain(
        "unit start a.service",
      );
      expect(steps(plan(withFile(), { ...old, ...service({}) }))).toContain("unit try-restart a.service");
      const same = { paths: new Map([["/etc/a.conf", file("new")]]), ledgers: own };
      expect(steps(plan(withFile(true), { ...same, ...service({}) }))).toEqual([]);
    });

    test("restarts only for the files that it names", () => {
      const state: Partial<HostStateArgs> = {
        files: { "/a": { content: "new" }, "/b": { content: "new" } },
        units: { "a.service": { running: true, restartOn: ["/b"] } },
      };
      const found = {
        paths: new Map([["/b", file("new")]]),
        ledgers: ledgers({ files: { "/b": { original: false } } }),
        ...service({}),
      };
      expect(steps(plan(state, found))).not.toContain("unit restart a.service");
    });

    test("catches up on a restart that a cut run still owed", () => {
      const cut = ledgers({
        files: { "/etc/a.conf": { original: false } },
        units: { "a.service": { own: false, active: true } },
        pending: ["/etc/a.conf"],
      });
      const found = { paths: new Map([["/etc/a.conf", file("new")]]), ledgers: cut, ...service({}) };
      expect(steps(plan(withFile(true), found))).toContain("unit restart a.service");
    });

    test("stops ours before their files go, and puts others back as they were", () => {
      const ours = ledgers({
        files: { "/etc/systemd/system/a.service": { original: false } },
        units: {
          "a.service": { own: true, active: false, enabled: false },
          "b.service": { own: false, active: true, enabled: false },
        },
      });
      expect(steps(plan({}, { ledgers: ours }))).toEqual([
        "tolerate yes",
        "unit disable a.service",
        "unit stop a.service",
        "unit reset-failed a.service",
        "tolerate no",
        "unlink /etc/systemd/system/a.service",
        "reload",
        "tolerate yes",
        "unit disable b.service",
        "unit start b.service",
        "tolerate no",
      ]);
    });
  });
});

describe("inputs as found", () => {
  const found = (state: Partial<HostStateArgs>, rest: Partial<Facts>) => {
    const inputs = args(state);
    return inputsAsFound(inputs, wantedOf(inputs), facts(rest));
  };

  test("are the same when nothing drifted", () => {
    const inputs = args({ files: { "/x": { content: "a" } }, directories: { "/d": {} }, packages: ["p"] });
    const paths = new Map<string, PathFact>([
      ["/x", file("a")],
      ["/d", { kind: "directory", mode: "700", owner: "a:b", ids: "5:6" }],
    ]);
    expect(inputsAsFound(inputs, wantedOf(inputs), facts({ paths, packages: new Set(["p"]) }))).toEqual(
      inputs,
    );
  });

  test("show drifted content by its digest only, and modes and owners as found", () => {
    const { files } = found(
      { files: { "/x": { content: "a" } } },
      { paths: new Map([["/x", file("foreign", "600", "u:g")]]) },
    );
    expect(files).toEqual({
      "/x": { content: `(drifted) sha256:${sha256("foreign")}`, mode: "0600", owner: "u:g" },
    });
  });

  test("lack what is missing", () => {
    const state: Partial<HostStateArgs> = {
      packages: ["p"],
      modules: ["m"],
      sysctls: { "a.b": "1" },
      hosts: { h: ["10.0.0.1"] },
      directories: { "/d": {} },
      files: { "/x": { content: "" } },
      uploads: { "/u": { source: "", sha256: "0".repeat(64) } },
      mounts: { "/m": { what: "x", type: "ext4" } },
      units: { "a.service": { content: "", enabled: true, running: true } },
    };
    expect(found(state, {})).toEqual({
      ...args({}),
      packages: [],
      modules: [],
      sysctls: {},
      hosts: {},
      directories: {},
      files: {},
      uploads: {},
      mounts: {},
      units: { "a.service": { enabled: false, running: false } },
    });
  });

  test("tell a setting that is right now but would not outlive a boot", () => {
    const { sysctls } = found({ sysctls: { "a.b": "1" } }, { sysctls: new Map([["/proc/sys/a/b", "1"]]) });
    expect(sysctls?.["a.b"]).toContain("(drifted)");
  });
});

test("facts are read from what the host printed", () => {
  const wanted = wantedOf(
    args({
      files: { "/x": { content: "a" } },
      directories: { "/d": {} },
      units: { "a.service": {}, "b.service": {} },
    }),
  );
  const printed = [
    "sysctl /proc/sys/a/b:1\t2",
    "gap /q/r",
    "gap /q",
    "have 0",
    "have 1",
    "stat 41ed 755 0:0 root:root",
    "stat 81a4 644 1005:8 UNKNOWN:g",
    "content 1",
    `sum ${sha256("a")}`,
    "unit a.service",
    "unit b.service",
    "show LoadState=loaded",
    "show ActiveState=active",
    "show UnitFileState=static",
    "show NeedDaemonReload=yes",
    "show -",
    "show LoadState=not-found",
    "show ActiveState=inactive",
    `ledger base ${JSON.stringify(emptyLedger(urn))}`,
    "installed base p",
    "",
  ].join("\n");
  expect(parseFacts(wanted, printed)).toEqual(
    facts({
      sysctls: new Map([["/proc/sys/a/b", "1 2"]]),
      gaps: ["/q", "/q/r"],
      paths: new Map([
        ["/d", { kind: "directory", mode: "755", owner: "root:root", ids: "0:0", sha256: undefined }],
        ["/x", { kind: "file", mode: "644", owner: "1005:g", ids: "1005:8", sha256: sha256("a") }],
      ] as const),
      units: new Map([
        ["a.service", { loaded: true, active: true, enabled: true, stale: true }],
        ["b.service", { loaded: false, active: false, enabled: false, stale: false }],
      ]),
      ledgers: ledgers({}),
      installed: new Map([["base", new Set(["p"])]]),
    }),
  );
});

test.each([
  ["", "is empty; put it back"],
  ['{"version":1', "is damaged; put it back"],
  ["null", "is of version undefined"],
])("a ledger that is %j is told by host and file, with the way on", async (text, what) => {
  hosts.h = `ledger other ${text}\n`;
  const look = hostState.preview!({ ...context, urn }, args({}));
  await expect(look).rejects.toThrow(
    new RegExp(`^host h, state base: /var/lib/spillway/state/other/ledger.* ${what}`),
  );
});

test("a directory is not emptied below which something is mounted, of the same file system as well", () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-empty-"));
  try {
    const [path, below, data] = ["path", "path/below", "data"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const directory of [path, below, data]) mkdirSync(directory);
    writeFileSync(join(data, "file"), "precious");
    writeFileSync(join(path, "file"), "ours");
    const { text, files } = application("base", [{ verb: "empty", args: [path] }]);
    const [plan, mountinfo] = [join(folder, "PLAN"), join(folder, "mountinfo")];
    writeFileSync(plan, files!.PLAN!);
    writeFileSync(mountinfo, `1 0 0:1 / ${below} rw - ext4 /dev/sda rw\n`);
    const env = { ...process.env, PLAN: plan, CONTENTS: "/dev/null", STATE: "base" };
    const run = (program: string, ...argv: string[]) =>
      spawnSync(program, argv, { env, encoding: "utf8", timeout: 30_000 });
    // A bind mount where this account may make one.
    const mounted =
      run("unshare", "-m", "mount", "--bind", data, below).status === 0
        ? run("unshare", "-m", "sh", "-euc", `mount --bind "${data}" "${below}"\n${text}`)
        : run("sh", "-euc", text.replaceAll("/proc/self/mountinfo", mountinfo));
    expect(mounted.stderr).toContain(
      `something is mounted below ${path}: unmount that first, then run again\n(while doing: emptying ${path})`,
    );
    expect(mounted.status).not.toBe(0);
    expect(readdirSync(data)).toEqual(["file"]);
    expect(readdirSync(path)).toEqual(["below", "file"]);
    expect(run("sh", "-euc", text).stderr).toBe("");
    expect(readdirSync(path)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a plan's contents lie one behind the other, by bytes", () => {
  const script = application("base", [
    { verb: "write", args: ["/a", "644", "root:root"], bytes: Buffer.from("é") },
    { verb: "write", args: ["/b", "644", "root:root"], bytes: Buffer.from("xyz") },
  ]);
  expect(script.files?.PLAN).toBe("write\n/a\n644\nroot:root\n1\n2\nwrite\n/b\n644\nroot:root\n3\n3\n");
  expect(script.secretFiles?.CONTENTS).toBe("éxyz");
  expect(() => application("base", [{ verb: "unlink", args: ["/a\nforget"] }])).toThrow(/one line/);
});

test.each([
  ["/mnt/data", "mnt-data.mount"],
  ["/mnt/my-data", "mnt-my\\x2ddata.mount"],
  ["/srv/a b/.c", "srv-a\\x20b-.c.mount"],
  ["/.hidden", "\\x2ehidden.mount"],
])("the unit of a mount at %s is %s, as systemd-escape says", (path, unit) => {
  expect(mountUnit(path)).toBe(unit);
});

test.each([
  ["net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"],
  ["net.ipv4.conf.eth0/1.rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"],
  ["net/ipv4/conf/eth0.1/rp_filter", "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"],
])("the setting %s is at %s", (key, path) => {
  expect(sysctlPath(key)).toBe(path);
});

test("an owner without an account is told by its numbers, and compared by numbers where they were said", () => {
  const fact = { owner: "65532:staff", ids: "65532:50" };
  expect(ownerAs("65532:65532", fact)).toBe("65532:50");
  expect(ownerAs("app:50", fact)).toBe("65532:50");
  expect(ownerAs("0:0", { owner: "root:root", ids: "0:0" })).toBe("0:0");
  const paths = new Map([
    ["/d", { kind: "directory", mode: "755", owner: "root:root", ids: "0:0" } as const],
  ]);
  const own = ledgers({ directories: { "/d": { made: true } } });
  const plan = (owner: string) =>
    planState(
      wantedOf(args({ directories: { "/d": { owner } } })),
      facts({ paths, ledgers: own }),
      urn,
    ).first.map(({ verb }) => verb);
  expect(plan("0:0")).not.toContain("attributes");
  expect(plan("65532:0")).toContain("attributes");
});

test("what an update left that did not come to its end is drift, and nothing else is", () => {
  const inputs = args({ files: { "/x": { content: "a" } }, units: { "a.service": { enabled: true } } });
  const wanted = wantedOf(inputs);
  const own = {
    files: { "/x": { original: false } },
    units: { "a.service": { own: false } as never },
    pending: [],
  };
  expect(withLeftovers(inputs, wanted, own)).toBe(inputs);
  const more = { ...own, files: { ...own.files, "/y": { original: false } }, pending: ["/x"] };
  expect(Object.keys(withLeftovers(inputs, wanted, more).files ?? {})).toEqual(["/x", "/y"]);
  expect(differenceOf(withLeftovers(inputs, wanted, more), inputs).paths).toEqual([
    'files["/x"].content',
    'files["/y"]',
  ]);
  const unit = { ...own, units: { ...own.units, "b.service": { own: true } as never } };
  expect(differenceOf(withLeftovers(inputs, wanted, unit), inputs).paths).toEqual(['units["b.service"]']);
});
