import { isIP } from "node:net";
import type { Problem } from "../../model/problem.ts";
import { messageOf } from "../../model/problem.ts";
import { parseHostKey } from "../dial.ts";
import type { HostStateArgs } from "../host-state.ts";

const grammar = {
  name: /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/,
  package: /^[A-Za-z0-9][A-Za-z0-9+._-]{0,127}$/,
  module: /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/,
  sysctl: /^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)+$/,
  unit: /^[A-Za-z0-9_:.\\@][A-Za-z0-9_:.\\@-]{0,200}\.(service|socket|timer|mount|target|path|slice|swap|automount)$/,
  mode: /^0?[0-7]{3,4}$/,
  owner: /^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/,
  digest: /^[0-9a-f]{64}$/,
  hostname:
    /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/,
  filesystem: /^[A-Za-z0-9_.-]{1,40}$/,
};
const controls = /\p{Cc}/u;

/** What is wrong with a path on a host, in words; nothing when it is absolute and normalised. */
export function pathProblem(path: string): string | undefined {
  if (controls.test(path)) return "has a control character";
  if (!path.startsWith("/")) return "is not absolute";
  if (path === "/") return "is the root directory";
  if (
    path.endsWith("/") ||
    path
      .slice(1)
      .split("/")
      .some((part) => part === "" || part === "." || part === "..")
  ) {
    return "is not normalised";
  }
  if (Buffer.byteLength(path) > 4000) return "is longer than 4000 bytes";
  return undefined;
}

/** Everything wrong with a state's inputs. Never quotes a file's content. */
export function checkHostState(inputs: Partial<HostStateArgs>, unknown: ReadonlySet<string>): Problem[] {
  const problems: Problem[] = [];
  const say = (path: string, found: string, remedy: string) => problems.push({ path, found, remedy });
  const shown = (text: unknown) =>
    JSON.stringify(typeof text === "string" ? text.slice(0, 80) : text) ?? "nothing";
  const word = (path: string, text: unknown, rule: keyof typeof grammar, remedy: string) => {
    if (typeof text !== "string" || !grammar[rule].test(text)) say(path, shown(text), remedy);
  };
  const mode = (path: string, text: unknown) => {
    if (text !== undefined) word(path, text, "mode", "use octal digits, such as 0644");
  };
  const owner = (path: string, text: unknown) => {
    if (text !== undefined) word(path, text, "owner", "use user:group, such as root:root");
  };
  const text = (path: string, value: unknown) => {
    if (typeof value !== "string") say(path, "no text", "give the content as a string");
  };
  const line = (path: string, value: unknown) => {
    if (value === undefined && unknown.size > 0) return;
    if (typeof value !== "string" || value === "" || controls.test(value) || value.endsWith("\\")) {
      say(path, shown(value), "give one line of text without control characters or a final backslash");
    }
  };
  const taken = new Map<string, string>();
  const claim = (path: string, where: string) => {
    const problem = pathProblem(path);
    if (problem !== undefined)
      say(where, `the path ${problem}`, "give an absolute path without .., . or empty parts");
    const other = taken.get(path);
    if (other !== undefined) say(where, `${other} names the same path`, "declare it once");
    taken.set(path, where);
  };

  if (!unknown.has("name"))
    word("name", inputs.name, "name", "use 1 to 64 of a-z, 0-9 and -, not - at the ends");
  const hostKey = inputs.connection?.hostKey;
  if (hostKey !== undefined) {
    try {
      parseHostKey(hostKey);
    } catch (error) {
      const [found = "", ...remedy] = messageOf(error).split("; ");
      say("connection.hostKey", found, remedy.join("; "));
    }
  }
  for (const [i, name] of (inputs.packages ?? []).entries()) {
    word(`packages[${i}]`, name, "package", "give a package's own name, without a version");
  }
  for (const [i, name] of (inputs.modules ?? []).entries()) {
    word(`modules[${i}]`, name, "module", "give a kernel module's name, such as br_netfilter");
  }
  for (const [key, value] of Object.entries(inputs.sysctls ?? {})) {
    word(`sysctls[${JSON.stringify(key)}]`, key, "sysctl", "give a name such as net.ipv4.ip_forward");
    line(`sysctls[${JSON.stringify(key)}]`, value);
  }
  for (const [name, addresses] of Object.entries(inputs.hosts ?? {})) {
    const where = `hosts[${JSON.stringify(name)}]`;
    word(where, name, "hostname", "give a DNS name");
    for (const address of addresses ?? []) {
      if (address !== undefined && isIP(address) === 0) say(where, shown(address), "give IP addresses");
    }
  }
  for (const [path, directory] of Object.entries(inputs.directories ?? {})) {
    const where = `directories[${JSON.stringify(path)}]`;
    claim(path, where);
    mode(`${where}.mode`, directory?.mode);
    owner(`${where}.owner`, directory?.owner);
  }
  for (const [path, file] of Object.entries(inputs.files ?? {})) {
    const where = `files[${JSON.stringify(path)}]`;
    claim(path, where);
    if (file === undefined) continue;
    text(`${where}.content`, file.content ?? (unknown.size > 0 ? "" : undefined));
    mode(`${where}.mode`, file.mode);
    owner(`${where}.owner`, file.owner);
  }
  for (const [path, upload] of Object.entries(inputs.uploads ?? {})) {
    const where = `uploads[${JSON.stringify(path)}]`;
    claim(path, where);
    if (upload === undefined) continue;
    if (upload.source === "") say(`${where}.source`, '""', "give a path on this computer");
    if (upload.sha256 !== undefined || unknown.size === 0) {
      word(
        `${where}.sha256`,
        upload.sha256,
        "digest",
        "give the file's SHA-256 as 64 lower-case hexadecimal digits",
      );
    }
    mode(`${where}.mode`, upload.mode);
  }
  for (const [path, mount] of Object.entries(inputs.mounts ?? {})) {
    const where = `mounts[${JSON.stringify(path)}]`;
    const problem = pathProblem(path);
    if (problem !== undefined)
      say(where, `the path ${problem}`, "give an absolute path without .., . or empty parts");
    if (mount === undefined) continue;
    line(`${where}.what`, mount.what);
    if (mount.type !== undefined || unknown.size === 0)
      word(`${where}.type`, mount.type, "filesystem", "give a type such as ext4");
    if (mount.options !== undefined) line(`${where}.options`, mount.options);
  }
  for (const [name, unit] of Object.entries(inputs.units ?? {})) {
    const where = `units[${JSON.stringify(name)}]`;
    word(where, name, "unit", "give the full name, such as containerd.service");
    if (unit === undefined) continue;
    for (const path of unit.restartOn ?? []) {
      if (unknown.has("files") || unknown.has("uploads")) continue;
      if (inputs.files?.[path] === undefined && inputs.uploads?.[path] === undefined) {
        say(`${where}.restartOn`, shown(path), "name a file or an upload of this state");
      }
    }
  }
  return problems;
}
