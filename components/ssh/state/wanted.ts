import { createHash } from "node:crypto";
import type { DirectoryState, HostStateArgs, MountState } from "../host-state.ts";

/** A file as it shall be; uploads come from this computer, others from memory. */
export interface WantedFile {
  path: string;
  /** Where in the inputs it was asked for. */
  input: string;
  bytes: Buffer | { source: string };
  sha256: string;
  mode: string;
  owner: string;
  overwrite: boolean;
}

export interface WantedUnit {
  name: string;
  enabled?: boolean;
  running?: boolean;
  /** Changes of these paths restart it. */
  restartOn: ReadonlySet<string>;
  reloads: boolean;
}

/** A state in the few terms that a host is driven by. */
export interface Wanted {
  name: string;
  packages: string[];
  modules: string[];
  /** By path under /proc/sys. */
  sysctls: Record<string, string>;
  /** Lines of /etc/hosts, with the mark that tells them from others'. */
  hosts: string[];
  directories: Record<string, { mode?: string; owner?: string; emptied?: boolean }>;
  files: WantedFile[];
  units: WantedUnit[];
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

export function normalMode(mode: string): string {
  return mode.replace(/^0+(?=.)/, "");
}

export function normalOwner(owner: string): string {
  return owner.includes(":") ? owner : `${owner}:${owner}`;
}

/** As sysctl reads it: dots and slashes change places when the first separator is a dot. */
export function sysctlPath(key: string): string {
  const separator = /[./]/.exec(key)?.[0];
  const path = separator === "/" ? key : key.replaceAll(/[./]/g, (mark) => (mark === "." ? "/" : "."));
  return `/proc/sys/${path}`;
}

/** The kernel shows `-` in a module's name as `_`. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** As `systemd-escape --path --suffix=mount`. */
export function mountUnit(path: string): string {
  const escaped = [...Buffer.from(path.slice(1))].map((byte, i) => {
    const letter = String.fromCharCode(byte);
    if (letter === "/") return "-";
    if (/[A-Za-z0-9:_]/.test(letter) || (letter === "." && i > 0)) return letter;
    return `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `${escaped.join("")}.mount`;
}

function mountContent(path: string, { what, type, options }: MountState): string {
  const raw = (text: string) => text.replaceAll("%", "%%");
  return [
    "[Unit]",
    `Description=Mount at ${raw(path)}`,
    "[Mount]",
    `What=${raw(what)}`,
    `Where=${raw(path)}`,
    `Type=${type}`,
    ...(options === undefined ? [] : [`Options=${raw(options)}`]),
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

export const unitDirectory = "/etc/systemd/system";

export function unitFile(unit: string): string {
  return `${unitDirectory}/${unit}`;
}

export function dropInFile(unit: string, state: string): string {
  return `${unitDirectory}/${unit}.d/50-spillway-${state}.conf`;
}

export function modulesFile(state: string): string {
  return `/etc/modules-load.d/spillway-${state}.conf`;
}

export function sysctlsFile(state: string): string {
  return `/etc/sysctl.d/90-spillway-${state}.conf`;
}

export function hostsMark(state: string): string {
  return ` # spillway:${state}`;
}

function textFile(path: string, input: string, content: string): WantedFile {
  const bytes = Buffer.from(content);
  return { path, input, bytes, sha256: sha256(bytes), mode: "644", owner: "root:root", overwrite: false };
}

function declaredFiles(args: HostStateArgs): WantedFile[] {
  const files = Object.entries(args.files ?? {}).map(([path, file]) => ({
    ...textFile(path, `files[${JSON.stringify(path)}]`, file.content),
    mode: normalMode(file.mode ?? "0644"),
    owner: normalOwner(file.owner ?? "root"),
    overwrite: file.overwrite ?? false,
  }));
  const uploads = Object.entries(args.uploads ?? {}).map(([path, upload]) => ({
    path,
    input: `uploads[${JSON.stringify(path)}]`,
    bytes: { source: upload.source },
    sha256: upload.sha256,
    mode: normalMode(upload.mode ?? "0755"),
    owner: "root:root",
    overwrite: false,
  }));
  return [...files, ...uploads];
}

function derivedFiles({
  name,
  modules = [],
  sysctls = {},
  mounts = {},
  units = {},
}: HostStateArgs): WantedFile[] {
  const files: WantedFile[] = [];
  if (modules.length > 0)
    files.push(textFile(modulesFile(name), "modules", modules.map((m) => `${m}\n`).join("")));
  const settings = Object.entries(sysctls).map(([key, value]) => `${key} = ${value}\n`);
  if (settings.length > 0) files.push(textFile(sysctlsFile(name), "sysctls", settings.join("")));
  for (const [path, mount] of Object.entries(mounts)) {
    files.push(
      textFile(unitFile(mountUnit(path)), `mounts[${JSON.stringify(path)}]`, mountContent(path, mount)),
    );
  }
  for (const [unit, { content, dropIn }] of Object.entries(units)) {
    const input = `units[${JSON.stringify(unit)}]`;
    if (content !== undefined) files.push(textFile(unitFile(unit), `${input}.content`, content));
    if (dropIn !== undefined) files.push(textFile(dropInFile(unit, name), `${input}.dropIn`, dropIn));
  }
  return files;
}

/** Who asks for the name of an address gets the first that it has: of several the one with the fewest labels. */
function hostsLines({ name, hosts = {} }: HostStateArgs): string[] {
  const labels = (host: string) => host.split(".").length;
  return Object.entries(hosts)
    .sort(([a], [b]) => labels(a) - labels(b))
    .flatMap(([host, addresses]) => addresses.map((address) => `${address} ${host}${hostsMark(name)}`));
}

/** What a state means on a host; pure. */
export function wantedOf(args: HostStateArgs): Wanted {
  const { name, packages = [], modules = [], sysctls = {}, directories = {}, mounts = {}, units = {} } = args;
  const declared = declaredFiles(args);
  const all = declared.map(({ path }) => path);
  const mountPoints = Object.fromEntries(Object.keys(mounts).map((path) => [path, {}]));
  return {
    name,
    packages: [...new Set(packages)],
    modules: [...new Set(modules.map(moduleName))],
    sysctls: Object.fromEntries(Object.entries(sysctls).map(([key, value]) => [sysctlPath(key), value])),
    hosts: hostsLines(args),
    directories: Object.fromEntries(
      Object.entries({ ...mountPoints, ...directories }).map(
        ([path, { mode, owner, removeContents }]: [string, DirectoryState]) => [
          path,
          {
            mode: mode === undefined ? undefined : normalMode(mode),
            owner: owner === undefined ? undefined : normalOwner(owner),
            ...(removeContents ? { emptied: true } : {}),
          },
        ],
      ),
    ),
    files: [...declared, ...derivedFiles(args)],
    units: [
      ...Object.keys(mounts).map((path) => {
        const unit = mountUnit(path);
        return {
          name: unit,
          enabled: true,
          running: true,
          restartOn: new Set([unitFile(unit)]),
          reloads: false,
        };
      }),
      ...Object.entries(units).map(([unit, { enabled, running, restartOn = all, reloads = false }]) => ({
        name: unit,
        enabled,
        running,
        restartOn: new Set([...restartOn, unitFile(unit), dropInFile(unit, name)]),
        reloads,
      })),
    ],
  };
}
