import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { fingerprint, parseHostKey } from "../../components/ssh/dial.ts";
import { ownerText } from "../../components/ssh/lock.ts";
import { answerIn, quote, redact, renderBody, renderDelivery } from "../../components/ssh/script.ts";
import { parseStepResult, stepScripts } from "../../components/ssh/step.ts";
import { receiverAnswer, uploadHeader, uploadProblem } from "../../components/ssh/upload.ts";

const trap = mkdtempSync(join(tmpdir(), "spillway-script-"));
afterAll(() => rmSync(trap, { recursive: true, force: true }));

/** What a shell prints for a script; the delivery around it needs root, the body does not. */
function shell(text: string, values: Record<string, string>): Buffer {
  return execFileSync("/bin/sh", { input: renderBody({ text, values }, "/nowhere"), maxBuffer: 1 << 26 });
}

describe("a script's values", () => {
  const hostile = [
    `$(touch ${trap}/run)`,
    `\`touch ${trap}/run\``,
    `'; touch ${trap}/run; '`,
    `"; touch ${trap}/run; "`,
    "'",
    "''\\''",
    "\\",
    "a\nb\n\n\n",
    "\n",
    "",
    "-oProxyCommand=id",
    "../../etc/passwd",
    "} </dev/null\nid\n{",
    "%s%n\\0",
    "é\u{1f600}\u0001\x7f",
  ];

  test.each(hostile)("arrive as they are: %j", (value) => {
    expect(shell('printf %s "$VALUE"', { VALUE: value }).toString()).toBe(value);
    expect(existsSync(join(trap, "run"))).toBe(false);
  });

  test("arrive as they are, whatever they are", async () => {
    await fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (value) => {
        fc.pre(!value.includes("\0"));
        return shell('printf %s "$VALUE"', { VALUE: value }).toString() === value;
      }),
      { numRuns: 60 },
    );
  });

  test("may be a megabyte", () => {
    const value = "x'$(id)\n".repeat(131_072);
    const digest = createHash("sha256").update(value).digest("hex");
    expect(shell('printf %s "$VALUE" | sha256sum', { VALUE: value }).toString()).toContain(digest);
  });

  test("are refused with a NUL byte, or under a name that the shell itself uses", () => {
    expect(() => shell(":", { VALUE: "a\0b" })).toThrow(/NUL/);
    expect(() => shell(":", { PATH: "/tmp" })).toThrow(/cannot name/);
    expect(() => shell(":", { "A;id": "" })).toThrow(/cannot name/);
  });

  test("are not in the environment of what the script starts", () => {
    expect(shell("env", { CANARY: "canary" }).toString()).not.toContain("canary");
  });

  test("are not in the script's text", () => {
    expect(
      renderDelivery({ text: ":", values: { A: "with space" } }, { timeoutSeconds: 5, change: false }),
    ).not.toContain("with space");
  });
});

describe("a delivery", () => {
  test("that is cut short anywhere runs nothing", () => {
    const whole = renderDelivery(
      { text: `touch ${trap}/cut`, values: { A: "it's" } },
      { timeoutSeconds: 5, change: false },
    );
    for (let end = whole.length - 2; end > 0; end -= 7) {
      try {
        execFileSync("/bin/sh", { input: whole.slice(0, end), stdio: ["pipe", "ignore", "ignore"] });
      } catch {}
    }
    expect(existsSync(join(trap, "cut"))).toBe(false);
    execFileSync("/bin/sh", { input: whole });
    expect(existsSync(join(trap, "cut"))).toBe(true);
  });

  test("is answered behind what a start-up file of the account's shell prints", () => {
    const input = `echo Welcome\n${renderDelivery({ text: "echo yes" }, { timeoutSeconds: 5, change: false })}`;
    expect(answerIn(execFileSync("/bin/sh", { input })).toString()).toBe("yes\n");
    expect(answerIn(Buffer.from("yes\n")).toString()).toBe("yes\n");
    expect(receiverAnswer("Welcome\nspillway: want\n")).toBe("want");
    expect(receiverAnswer("Welcome\nspillway: wa")).toBeUndefined();
  });

  test("stops at the first failing command and gives its exit code", () => {
    const run = (text: string) =>
      execFileSync("/bin/sh", {
        input: renderDelivery({ text }, { timeoutSeconds: 5, change: false }),
        stdio: "pipe",
      });
    expect(() => run("(exit 7); echo on")).toThrow(expect.objectContaining({ status: 7 }));
    expect(() => run('echo "$UNSET"')).toThrow(expect.objectContaining({ status: 2 }));
  });

  test("ends what takes too long", () => {
    const input = renderDelivery({ text: "sleep 30" }, { timeoutSeconds: 1, change: false });
    expect(() => execFileSync("/bin/sh", { input })).toThrow(expect.objectContaining({ status: 124 }));
  });
});

test("quote makes one word of anything", () => {
  const word = `a'b"c $(id) \\ \n`;
  expect(execFileSync("/bin/sh", { input: `printf %s ${quote(word)}` }).toString()).toBe(word);
});

test("redact takes secrets out, whole and by line, and leaves short words", () => {
  expect(redact("key: hunter2-long", ["hunter2-long\n"])).toBe("key: [secret]");
  expect(redact("line second-line", ["first-line\nsecond-line\n"])).toBe("line [secret]");
  expect(redact("an apple", ["an"])).toBe("an apple");
});

describe("redact, inside of lines,", () => {
  test.each([
    ["token: abcdef.0123456789abcdef", "invalid token abcdef.0123456789abcdef", "invalid token [secret]"],
    ['  - "abcdef.0123456789abcdef"', "abcdef.0123456789abcdef", "[secret]"],
    ["key = AQC8/x0vVbq2HhAAz7Jt+Ww==", "bad key AQC8/x0vVbq2HhAAz7Jt+Ww==", "bad key [secret]"],
    ["RESTIC_PASSWORD=correct-horse-battery", "wrong: correct-horse-battery", "wrong: [secret]"],
    ['{"auths":{"r":{"auth":"c3BpbGx3YXk6aHVudGVyMg=="}}}', "c3BpbGx3YXk6aHVudGVyMg==", "[secret]"],
    ["url: https://ops:Zk3mQ81xTf0aLw@mirror.example", "401 for ops:Zk3mQ81xTf0aLw", "401 for ops:[secret]"],
    ["password: 'hunter2'", "hunter2 is too short", "[secret] is too short"],
  ])("takes out what %j holds", (line, text, shown) => {
    expect(redact(text, [`first\n${line}\nlast`])).toBe(shown);
  });

  test("leaves words that errors are made of", () => {
    const golden = fileURLToPath(new URL("../golden/render/", import.meta.url));
    const files = [
      "kubeadm-init.yaml",
      "containerd.toml",
      "kubelet.service",
      "ceph.conf",
      "registry-config.yml",
    ];
    for (const file of files) {
      const content = readFileSync(join(golden, file), "utf8");
      const words = content.split(/\s+/).map((word) => `<${word}>`);
      for (const word of words) expect(redact(word, [`x ${content.replaceAll("\n", " x\nx ")}`])).toBe(word);
    }
    const config = readFileSync(join(golden, "kubeadm-join-worker.yaml"), "utf8");
    const error =
      "/etc/kubernetes/pki/ca.crt: kind ClusterConfiguration of kubeadm.k8s.io/v1beta4 at 10.0.0.11:6443";
    expect(redact(error, [config])).toBe(error);
  });
});

describe("a pinned host key", () => {
  const blob = Buffer.concat([
    Buffer.from([0, 0, 0, 11]),
    Buffer.from("ssh-ed25519"),
    Buffer.from([0, 0, 0, 32]),
    Buffer.alloc(32, 1),
  ]);
  const line = `ssh-ed25519 ${blob.toString("base64")}`;

  test("is read with or without a comment", () => {
    expect(parseHostKey(`${line} root@host\n`)).toEqual({ algorithms: ["ssh-ed25519"], blob });
  });

  test("of type ssh-rsa is verified by SHA-2 signatures only", () => {
    const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
    const rsa = Buffer.concat(
      [Buffer.from("ssh-rsa"), Buffer.from([1, 0, 1]), Buffer.alloc(200, 1)].map(part),
    );
    expect(parseHostKey(`ssh-rsa ${rsa.toString("base64")}`).algorithms).toEqual([
      "rsa-sha2-512",
      "rsa-sha2-256",
    ]);
  });

  test.each([
    ["", /no host key/],
    ["ssh-dss AAAA", /not known/],
    ["constructor AAAA", /not known/],
    ["ssh-ed25519", /not a whole/],
    ["ssh-ed25519 AAAA", /not a whole/],
    ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", /not a whole/],
    ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", /not a whole/],
    [line.slice(0, -4), /not a whole/],
    [`${line}AAAA`, /not a whole/],
    ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAA==", /not a whole/],
    ["ssh-rsa AAAAB3NzaC1yc2E", /not a whole/],
    [`10.0.0.11 ${line}`, /"10\.0\.0\.11" is not known; .*without the address/],
    [`ssh-rsa ${blob.toString("base64")}`, /not a whole/],
    ["-oProxyCommand=id", /not known/],
  ])("%j is refused", (text, reason) => {
    expect(() => parseHostKey(text)).toThrow(reason);
  });

  test("has the fingerprint that ssh-keygen shows", () => {
    expect(fingerprint(Buffer.from(""))).toBe("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
  });
});

describe("a step", () => {
  test.each(["", "-a", "a-", "A", "a b", "../x", "a".repeat(51)])("may not be named %j", (name) => {
    expect(() => stepScripts({ name, text: ":" }, 10)).toThrow(/use 1 to 50/);
  });

  test("has the same digest for the same content, in whatever order, and another for other content", () => {
    const digest = (values: Record<string, string>, timeout = 10) =>
      stepScripts({ name: "a", text: ":", values }, timeout).remove.values?.DIGEST;
    expect(digest({ A: "1", B: "2" })).toBe(digest({ B: "2", A: "1" }));
    expect(digest({ A: "1" }, 20)).toBe(digest({ A: "1" }, 10));
    expect(digest({ A: "1" })).not.toBe(digest({ A: "2" }));
  });

  test("gives back exit code, end of stderr and stdout", () => {
    const answer = Buffer.from(`3\n${Buffer.from("oh\nno").toString("base64")}\nline\n\n`);
    expect(parseStepResult(answer)).toEqual({ exitCode: 3, stderr: "oh\nno", stdout: "line\n\n" });
  });
});

test("an upload's header carries any path on one line", () => {
  const [path, , mode] = uploadHeader("/a\nb", "0755", "0".repeat(64)).split("\n");
  expect([Buffer.from(path ?? "", "base64").toString(), mode]).toEqual(["/a\nb", "755"]);
});

test.each([
  ["relative", "0644", "0".repeat(64)],
  ["/a/", "0644", "0".repeat(64)],
  ["/a", "rwx", "0".repeat(64)],
  ["/a", "0644", "short"],
])("an upload to %s with mode %s and digest %s is refused", (path, mode, digest) => {
  expect(uploadProblem(path, mode, digest)).toBeDefined();
});

test("a lock's owner is named by account, computer, process and stack", () => {
  expect(ownerText("urn:pulumi:prod::project::a:b:C::name")).toMatch(/^\S+@\S+ pid \d+, stack prod$/);
  expect(ownerText("test")).toMatch(/stack none$/);
});
