import { isDeepStrictEqual } from "node:util";
import type { FileState, HostStateArgs, MountState, UnitState, UploadState } from "../host-state.ts";
import type { Ledger } from "./ledger.ts";
import { type Facts, ownerAs, type PathFact, spaced } from "./observe.ts";
import {
  dropInFile,
  moduleName,
  modulesFile,
  mountUnit,
  normalMode,
  normalOwner,
  sha256,
  sysctlPath,
  sysctlsFile,
  unitFile,
  type Wanted,
} from "./wanted.ts";

/** Stands for content that is not ours to show. */
export function drifted(fact: PathFact): string {
  return fact.kind === "file" ? `(drifted) sha256:${fact.sha256}` : `(drifted) a ${fact.kind}`;
}

function entries<T>(record: Record<string, T> | undefined, map: (key: string, value: T) => T | undefined) {
  if (record === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(record).flatMap(([key, value]) => {
      const found = map(key, value);
      return found === undefined ? [] : [[key, found]];
    }),
  );
}

/** Shows what was found only where it differs in meaning from what was said. */
function attribute(
  said: string | undefined,
  found: string,
  normal: (text: string) => string,
  byDefault?: string,
) {
  const meant = said ?? byDefault;
  if (meant === undefined || normal(meant) === found) return said;
  return normal === normalMode ? found.padStart(4, "0") : found;
}

/** @param said what the inputs say themselves */
function ownerFound(meant: string, fact: PathFact, said: string | undefined): string | undefined {
  return attribute(said, ownerAs(normalOwner(meant), fact), normalOwner, meant);
}

function hostsOf(lines: string[]): Record<string, string[]> {
  const pairs = lines.map((line) => line.split(" "));
  return Object.fromEntries(
    pairs.map(([, name = ""]) => [
      name,
      pairs.filter((pair) => pair[1] === name).map(([address = ""]) => address),
    ]),
  );
}

/**
 * With what an update put there that did not come to its end: the engine knows the inputs before it alone, and a
 * program that takes it back would find nothing to do. Pure.
 */
export function withLeftovers(
  found: HostStateArgs,
  wanted: Wanted,
  ledger: Pick<Ledger, "files" | "units" | "pending">,
): HostStateArgs {
  const files = new Set(wanted.files.map(({ path }) => path));
  const left = [...Object.keys(ledger.files).filter((path) => !files.has(path)), ...ledger.pending];
  const units = Object.keys(ledger.units).filter((name) => !wanted.units.some((unit) => unit.name === name));
  if (left.length + units.length === 0) return found;
  const content = "(drifted) of an update that did not come to its end";
  return {
    ...found,
    files: { ...found.files, ...Object.fromEntries(left.map((path) => [path, { content }])) },
    units: { ...found.units, ...Object.fromEntries(units.map((name) => [name, {}])) },
  };
}

/** The inputs as they are found on the host; the same inputs when nothing drifted. Pure. */
export function inputsAsFound(inputs: HostStateArgs, wanted: Wanted, facts: Facts): HostStateArgs {
  const derived = new Map(wanted.files.map((file) => [file.path, file.sha256]));
  const intact = (path: string) => {
    const fact = facts.paths.get(path);
    return fact?.kind === "file" && fact.sha256 === derived.get(path);
  };
  const withAttributes = <T extends FileState | UploadState>(fact: PathFact, state: T, mode: string): T => {
    const found: T = { ...state };
    const asFound = attribute(state.mode, fact.mode, normalMode, mode);
    if (asFound !== undefined) found.mode = asFound;
    return found;
  };
  const file = (path: string, state: FileState): FileState | undefined => {
    const fact = facts.paths.get(path);
    if (fact === undefined) return undefined;
    const found = withAttributes(fact, state, "0644");
    const owner = ownerFound(state.owner ?? "root", fact, state.owner);
    if (owner !== undefined) found.owner = owner;
    if (fact.sha256 !== sha256(state.content)) found.content = drifted(fact);
    return found;
  };
  const upload = (path: string, state: UploadState): UploadState | undefined => {
    const fact = facts.paths.get(path);
    if (fact === undefined) return undefined;
    return { ...withAttributes(fact, state, "0755"), sha256: fact.sha256 ?? drifted(fact) };
  };
  const mount = (path: string, state: MountState): MountState | undefined => {
    const name = mountUnit(path);
    const unit = facts.units.get(name);
    const fact = facts.paths.get(unitFile(name));
    if (!unit?.active || !unit.enabled || fact === undefined) return undefined;
    return intact(unitFile(name)) ? state : { ...state, what: drifted(fact) };
  };
  const unit = (name: string, state: UnitState): UnitState | undefined => {
    const fact = facts.units.get(name);
    const found: UnitState = { ...state };
    for (const [key, path] of [
      ["content", unitFile(name)],
      ["dropIn", dropInFile(name, inputs.name)],
    ] as const) {
      if (state[key] === undefined || intact(path)) continue;
      const there = facts.paths.get(path);
      if (there === undefined) delete found[key];
      else found[key] = drifted(there);
    }
    if (state.enabled !== undefined) found.enabled = fact?.enabled ?? false;
    if (state.running !== undefined) found.running = fact?.active ?? false;
    return found;
  };
  const keptSysctls = intact(sysctlsFile(inputs.name));
  const found: HostStateArgs = {
    ...inputs,
    packages: inputs.packages?.filter((name) => facts.packages.has(name)),
    modules: inputs.modules?.filter(
      (name) => facts.modules.has(moduleName(name)) && intact(modulesFile(inputs.name)),
    ),
    sysctls: entries(inputs.sysctls, (key, value) => {
      const now = facts.sysctls.get(sysctlPath(key));
      if (now === undefined) return undefined;
      if (now !== spaced(value)) return now;
      return keptSysctls ? value : "(drifted) not kept for the next boot";
    }),
    hosts:
      inputs.hosts && (isDeepStrictEqual(wanted.hosts, facts.hosts) ? inputs.hosts : hostsOf(facts.hosts)),
    directories: entries(inputs.directories, (path, state) => {
      const fact = facts.paths.get(path);
      if (fact?.kind !== "directory") return undefined;
      const mode = attribute(state.mode, fact.mode, normalMode);
      const owner = state.owner === undefined ? undefined : ownerFound(state.owner, fact, state.owner);
      return { ...state, ...(mode === undefined ? {} : { mode }), ...(owner === undefined ? {} : { owner }) };
    }),
    files: entries(inputs.files, file),
    uploads: entries(inputs.uploads, upload),
    mounts: entries(inputs.mounts, mount),
    units: entries(inputs.units, unit),
  };
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined),
  ) as unknown as HostStateArgs;
}
