import { isDeepStrictEqual } from "node:util";
import type { Connection } from "../../model/connection.ts";
import type { Difference } from "../../provider/resource.ts";
import type { HostStateArgs } from "../host-state.ts";
import { normalMode, normalOwner } from "./wanted.ts";

type Fields = Record<string, unknown>;

/** What a field means when it is left out, so that saying the default changes nothing. */
const defaults: Record<string, Fields> = {
  files: { mode: "644", owner: "root:root", overwrite: false },
  uploads: { mode: "755" },
};

function normal(kind: string, state: Fields): Fields {
  const said = Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined));
  const all: Fields = { ...defaults[kind], ...said };
  if (typeof all.mode === "string") all.mode = normalMode(all.mode);
  if (typeof all.owner === "string") all.owner = normalOwner(all.owner);
  // Where an upload comes from does not matter, what it is does.
  if (kind === "uploads") delete all.source;
  return all;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entryPaths(kind: string, before: unknown = {}, after: unknown = {}): string[] {
  // Something unknown in a preview stands for a whole record.
  if (!isRecord(before) || !isRecord(after)) return isDeepStrictEqual(before, after) ? [] : [kind];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => {
    const path = `${kind}[${JSON.stringify(key)}]`;
    const [was, is] = [before[key], after[key]];
    if (was === undefined || is === undefined) return was === is ? [] : [path];
    if (!isRecord(was) || !isRecord(is)) return isDeepStrictEqual(was, is) ? [] : [path];
    const [old, now] = [normal(kind, was), normal(kind, is)];
    const fields = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
    return fields
      .filter((field) => !isDeepStrictEqual(old[field], now[field]))
      .map((field) => `${path}.${field}`);
  });
}

/** A machine that moved keeps its key, one that was set up anew its address. */
const isOtherMachine = (before: Connection, after: Connection) =>
  before.address !== after.address && before.hostKey !== after.hostKey;

/** The very paths that change; another name or machine is another state. */
export function differenceOf(old: HostStateArgs, inputs: HostStateArgs): Difference {
  const sorted = (list: string[] = []) => [...new Set(list)].sort();
  const lists = (["packages", "modules"] as const).filter(
    (kind) => !isDeepStrictEqual(sorted(old[kind]), sorted(inputs[kind])),
  );
  const records = (
    ["sysctls", "hosts", "directories", "files", "uploads", "mounts", "units"] as const
  ).flatMap((kind) => entryPaths(kind, old[kind], inputs[kind]));
  const replace = [
    ...(old.name === inputs.name ? [] : ["name"]),
    ...(old.connection.host === inputs.connection.host ? [] : ["connection.host"]),
    ...(isOtherMachine(old.connection, inputs.connection) ? ["connection.address"] : []),
  ];
  return { paths: [...replace, ...lists, ...records], replace };
}
