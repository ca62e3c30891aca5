import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { HEALTH } from "../../components/gluster/status.provider.ts";
import { CLEAR, ENSURE, REMOVE, STATE } from "../../components/gluster/volume-scripts.ts";
import { drain } from "../../components/kubeadm/control-plane.ts";
import { controlPlaneMember } from "../../components/kubeadm/control-plane-member.provider.ts";
import { COPY_TREE, TREE } from "../../components/operations/tree.ts";
import type { Context } from "../../components/provider/resource.ts";
import { NOTHING_MOUNTED_BELOW } from "../../components/ssh/mounts.ts";
import type { Script } from "../../components/ssh/script.ts";

/* A program that fails must never be taken for one that found nothing. */
const folder = mkdtempSync(join(tmpdir(), "spillway-silent-"));
const programs = join(folder, "programs");
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(programs, { recursive: true, force: true });
  mkdirSync(programs);
});

/** Puts a program before the computer's own. */
function put(name: string, text: string): void {
  writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(programs, name), 0o755);
}

function run(text: string, env: NodeJS.ProcessEnv = {}) {
  const PATH = `${programs}:${process.env.PATH}`;
  return spawnSync("sh", ["-euc", text], { env: { ...env, PATH }, encoding: "utf8" });
}

/** What a host is asked is asked here, below a folder in the place of its own. */
vi.mock("../../components/ssh/session.ts", async (original) => ({
  ...(await original<object>()),
  onHost: async (_connection: unknown, _context: unknown, use: (session: object) => unknown) => {
    const onThis = async ({ text, values }: Script) => {
      const below = text
        .replaceAll("/var/lib/spillway", host)
        .replaceAll("/etc/kubernetes", `${host}/kubernetes`);
      const { status, stdout, stderr } = run(below, values);
      if (status !== 0) throw new Error(stderr);
      return stdout;
    };
    return use({ run: onThis, step: onThis });
  },
}));
const host = join(folder, "host");
const calls = join(folder, "calls");

const context: Context = {
  urn: "test",
  preview: false,
  progress: () => {},
  info: () => {},
  warn: () => {},
  signal: new AbortController().signal,
  timeoutSeconds: 0,
};
const member = {
  owner: "o",
  cluster: "c",
  node: { name: "a", address: "10.0.0.1" },
  peers: { b: { host: "b" } },
};

test("a node that the API does not show is not taken for one that has no pods", async () => {
  const ask = () => drain({ host: "b" } as never, member as never, context, 1);
  put("kubectl", "exit 0");
  await ask();
  put("sleep", "exit 0");
  put("kubectl", "echo 'connection refused' >&2; exit 1");
  await expect(ask()).rejects.toThrow("connection refused");
});

test("an API that refuses at first, as one does that just began, is asked again", async () => {
  const asked = join(folder, "asked");
  put("sleep", "exit 0");
  put("kubectl", `echo >>${asked}; [ "$(wc -l <${asked})" -gt 3 ] || { echo Forbidden >&2; exit 1; }`);
  await drain({ host: "b" } as never, member as never, context, 1);
  expect(readFileSync(asked, "utf8")).toBe("\n\n\n\n");
});

test("a member leaves none whose etcd does not name its members", async () => {
  mkdirSync(join(host, "kubernetes"), { recursive: true });
  for (const [name, text] of [
    ["owner", "o"],
    ["cluster", "c"],
    ["joined", "control plane member a at 10.0.0.1"],
    ["kubernetes/kubelet.conf", ""],
  ] as const)
    writeFileSync(join(host, name), text);
  put("systemctl", "exit 0");
  put("kubeadm", `echo kubeadm "$*" >>${calls}`);
  put(
    "kubectl",
    `echo kubectl "$*" >>${calls}
case "$*" in *"member list"*) echo 'deadline exceeded' >&2; exit 1 ;; esac`,
  );
  writeFileSync(calls, "");
  const old = { id: "a", inputs: member as never, outputs: {} as never };
  await expect(controlPlaneMember.delete(context, old)).rejects.toThrow("deadline exceeded");
  expect(readFileSync(calls, "utf8")).toContain("member list");
  expect(readFileSync(calls, "utf8")).not.toMatch(/kubeadm|member remove|delete node/);
});

const data = join(folder, "data");
mkdirSync(data);
writeFileSync(join(data, "file"), "precious");

test("a volume that cannot be looked into is not taken for an empty one", () => {
  const ask = `${TREE}\nif holds_data "${data}"; then echo full; else echo empty; fi`;
  expect(run(ask).stdout).toBe("full\n");
  put("find", "exit 1");
  const { status, stdout } = run(ask);
  expect(status).not.toBe(0);
  expect(stdout).toBe("");
});

test.each(["find", "sha256sum", "sort"])(
  "trees that %s cannot read are not alike, and leave nothing behind",
  async (program) => {
    const base = mkdtempSync(join(folder, "base-"));
    const other = join(base, "other-tree");
    mkdirSync(other);
    const compare = `${TREE}${COPY_TREE}\nbase=${base}\ncompare "${data}" "${data}"`;
    const TMPDIR = join(base, "temporary");
    mkdirSync(TMPDIR);
    expect(run(compare, { TMPDIR }).status).toBe(0);
    put(program, "exit 1");
    expect(run(compare, { TMPDIR }).status).not.toBe(0);
    // The other tree may be read still.
    await expect.poll(() => readdirSync(TMPDIR)).toEqual([]);
  },
);

const volume = {
  VOLUME: "v",
  LAYOUT: "replica 3",
  BRICKS: "a:/b c:/b d:/b",
  ARBITER: "",
  RESET: "",
  FORCE: "",
  OPTIONS: "/dev/null",
};
const answers = (later: string) => `n=$(cat ${folder}/n 2>/dev/null || echo 0); echo $((n + 1)) >${folder}/n
case "$*" in
  *"heal v info"*) for b in a:/b c:/b s:/b; do printf 'Brick %s\\nStatus: Connected\\nNumber of entries: 0\\n' "$b"; done ;;
  *"volume info"*) if [ "$n" -eq 3 ]; then ${later}; fi
    printf 'Status: Started\\nBrick1: a:/b\\nBrick2: c:/b\\nBrick3: s:/b\\n' ;;
esac`;

test("bricks that glusterd does not name are not taken for replaced ones", () => {
  rmSync(join(folder, "n"), { force: true });
  put("gluster", answers("echo 'Connection failed' >&2; exit 1"));
  const { status, stderr } = run(ENSURE, volume);
  expect(status).not.toBe(0);
  expect(stderr).toContain("Connection failed");
});

test("a volume of which glusterd says nothing is not taken for one that is gone", () => {
  put("gluster", "echo 'Connection failed. Please check if gluster daemon is operational.'; exit 1");
  expect(run(REMOVE, volume).status).not.toBe(0);
  put("gluster", "echo 'Volume v does not exist'; exit 1");
  expect(run(REMOVE, volume).status).toBe(0);
});

test("a pool of which glusterd says nothing is not taken for a healthy one", () => {
  put("gluster", "echo 'Connection failed. Please check.' >&2; exit 1");
  expect(run(HEALTH).stdout).toBe("the volumes are not known: Connection failed. Please check.\n");
  put("gluster", 'case "$*" in *list) echo v ;; *) exit 1 ;; esac');
  expect(run(HEALTH).stdout).toBe("v: what is left to heal is not known\n");
  put("gluster", "echo 'No volumes present in cluster'");
  expect(run(HEALTH).stdout).toBe("");
});

test("an option that glusterd does not tell is not taken for one that was changed", () => {
  put("gluster", 'case "$*" in *"volume get"*) echo broken; exit 1 ;; *) echo "Status: Started" ;; esac');
  writeFileSync(join(folder, "options"), "a=b\n");
  const { status, stderr } = run(STATE, { ...volume, OPTIONS: join(folder, "options") });
  expect(status).not.toBe(0);
  expect(stderr).toContain("broken");
});

test("nothing is removed below which something is mounted", () => {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? []);
  const above = points.map((point) => dirname(point)).find((parent) => parent !== "/" && parent !== ".");
  const ask = (path: string) => run(`${NOTHING_MOUNTED_BELOW}\nnothing_mounted_below "${path}"`).status;
  expect(above).toBeDefined();
  expect(ask(above!)).not.toBe(0);
  expect(ask(data)).toBe(0);
  expect(CLEAR.indexOf('nothing_mounted_below "$BRICK"')).toBeLessThan(CLEAR.indexOf("rm -rf"));
});
