import { isDeepStrictEqual } from "node:util";
import type { Problem } from "../../model/problem.ts";
import type { Action } from "./apply.ts";
import { emptyLedger, type Ledger } from "./ledger.ts";
import { type Facts, ownerAs, type PathFact, spaced } from "./observe.ts";
import { unitActions, unitsBefore } from "./plan-units.ts";
import { sha256, unitDirectory, type Wanted, type WantedFile } from "./wanted.ts";

export interface Plan {
  /** Why nothing may be done at all. */
  problems: Problem[];
  /** Before the uploads. */
  first: Action[];
  uploads: WantedFile[];
  /** After the uploads. */
  last: Action[];
  changes: boolean;
}

const id = sha256;

export function ledgerAction(ledger: Ledger): Action {
  return { verb: "ledger", bytes: Buffer.from(`${JSON.stringify(ledger)}\n`) };
}

/** Ledgers of the other states on the host. */
export function othersOf(facts: Facts, name: string): [string, Ledger][] {
  return [...facts.ledgers].filter(([state]) => state !== name);
}

/** Whether `ancestor` is a parent directory of `path`. */
export function above(ancestor: string, path: string): boolean {
  return path.startsWith(`${ancestor}/`);
}

/**
 * Packages and modules come first, and the host is looked at anew after them: they bring files,
 * units, users and kernel settings with them.
 */
export function planBase(wanted: Wanted, facts: Facts, urn: string): Action[] {
  const packages = wanted.packages.filter((name) => !facts.packages.has(name));
  const modules = wanted.modules.filter((name) => !facts.modules.has(name));
  if (packages.length === 0 && modules.length === 0) return [];
  const own = facts.ledgers.get(wanted.name) ?? emptyLedger(urn);
  const ledger: Ledger = {
    ...own,
    packages: [...new Set([...own.packages, ...wanted.packages])],
    modules: { ...own.modules, ...modulesBefore(wanted, facts) },
  };
  return [
    ledgerAction(ledger),
    ...(packages.length === 0 ? [] : [{ verb: "install", args: [packages.join(" ")] }]),
    ...modules.map((name) => ({ verb: "modprobe", args: [name] })),
  ];
}

function modulesBefore(wanted: Wanted, facts: Facts): Ledger["modules"] {
  const others = othersOf(facts, wanted.name);
  const own = facts.ledgers.get(wanted.name)?.modules ?? {};
  const loadedHere = (name: string) =>
    own[name] ??
    others.find(([, ledger]) => name in ledger.modules)?.[1].modules[name] ??
    !facts.modules.has(name);
  return Object.fromEntries(wanted.modules.map((name) => [name, loadedHere(name)]));
}

/** All that makes a host as it is wanted; with an empty `wanted` everything is taken back. Pure. */
export function planState(wanted: Wanted, facts: Facts, urn: string): Plan {
  const own = facts.ledgers.get(wanted.name) ?? emptyLedger(urn);
  const others = othersOf(facts, wanted.name);
  const directories = planDirectories(wanted, facts, own, others);
  const files = planFiles(wanted, facts, own, others);
  const sysctls = planSysctls(wanted, facts, own, others);
  const packages = planPackages(wanted, facts, own, others);
  const next: Ledger = {
    version: 1,
    urn,
    packages: wanted.packages,
    modules: modulesBefore(wanted, facts),
    sysctls: sysctls.ledger,
    hosts: wanted.hosts.length > 0,
    directories: directories.ledger,
    files: files.ledger,
    units: unitsBefore(wanted, facts, own, others),
    pending: [],
  };
  const changed = new Set([...files.changed, ...own.pending]);
  const units = unitActions(wanted, facts, own, others, changed);
  const unloaded = Object.entries(own.modules).filter(
    ([name, here]) =>
      here && !wanted.modules.includes(name) && !others.some(([, ledger]) => name in ledger.modules),
  );
  const stale = files.changed.some((path) => above(unitDirectory, path)) || units.stale;
  const work: Action[] = [
    ...units.before,
    ...directories.actions,
    ...files.actions,
    ...sysctls.actions,
    ...(isDeepStrictEqual(wanted.hosts, facts.hosts) && (!own.hosts || wanted.hosts.length > 0)
      ? []
      : [{ verb: "hosts", bytes: Buffer.from(wanted.hosts.map((line) => `${line}\n`).join("")) }]),
    ...(stale ? [{ verb: "reload" }] : []),
    ...units.after,
    ...unloaded.map(([name]) => ({ verb: "unload", args: [name] })),
    // dpkg keeps a directory in which one of ours still is; ours may hold what packages put there.
    ...(packages.length === 0 ? [] : directories.prunings),
    ...packages,
    ...directories.removals,
  ];
  const problems = [...directories.problems, ...files.problems, ...sysctls.problems];
  if (problems.length > 0) return { problems, first: [], uploads: [], last: [], changes: false };
  const changes = work.length > 0 || files.uploads.length > 0 || !isDeepStrictEqual(own, next);
  if (!changes) return { problems: [], first: [], uploads: [], last: [], changes };
  // Until all is done both what was and what comes is noted, so a cut run can be finished or taken back.
  const during: Ledger = {
    ...next,
    packages: [...new Set([...own.packages, ...next.packages])],
    modules: { ...own.modules, ...next.modules },
    sysctls: { ...own.sysctls, ...next.sysctls },
    directories: { ...own.directories, ...next.directories },
    files: { ...own.files, ...next.files },
    units: { ...own.units, ...next.units },
    hosts: own.hosts || next.hosts,
    pending: [...changed],
  };
  const beforeUploads = units.before.length + directories.actions.length;
  return {
    problems: [],
    first: [...files.keeps, ledgerAction(during), ...work.slice(0, beforeUploads)],
    uploads: files.uploads,
    last: [
      ...files.uploads.map(({ path, sha256 }) => ({ verb: "seal", args: [path, sha256] })),
      ...work.slice(beforeUploads),
      ledgerAction(next),
      ...files.discards,
    ],
    changes,
  };
}

function planDirectories(wanted: Wanted, facts: Facts, own: Ledger, others: [string, Ledger][]) {
  const problems: Problem[] = [];
  const actions: Action[] = [];
  const ledger: Ledger["directories"] = {};
  const paths = [...wanted.files.map(({ path }) => path), ...Object.keys(wanted.directories)];
  const shared = (path: string) =>
    others.find(([, other]) => other.directories[path]?.made)?.[1].directories[path];
  for (const [path, entry] of Object.entries(own.directories)) {
    if (path in wanted.directories || paths.some((below) => above(path, below))) ledger[path] = entry;
  }
  const declared = Object.keys(wanted.directories);
  const missing = [...new Set([...facts.gaps, ...declared.filter((path) => !facts.paths.has(path))])];
  for (const path of missing.sort((a, b) => a.length - b.length)) {
    const { mode = "755", owner = "root:root" } = wanted.directories[path] ?? {};
    ledger[path] = own.directories[path] ?? { made: true };
    actions.push({ verb: "directory", args: [path, mode, owner] });
  }
  for (const path of declared) {
    const found = facts.paths.get(path);
    if (found === undefined) continue;
    if (found.kind !== "directory") {
      problems.push({
        path: `directories[${JSON.stringify(path)}]`,
        found: "something else than a directory is there",
        remedy: "move it away or choose another path",
      });
      continue;
    }
    ledger[path] ??= shared(path) ?? { made: false, mode: found.mode, owner: found.owner };
    const { mode = found.mode, owner = found.owner } = wanted.directories[path] ?? {};
    if (mode !== found.mode || owner !== ownerAs(owner, found))
      actions.push({ verb: "attributes", args: [path, mode, owner] });
  }
  for (const path of declared) {
    const entry = ledger[path];
    const emptied = wanted.directories[path]?.emptied;
    if (!entry || (!emptied && !entry.emptied)) continue;
    if (emptied && !entry.made) {
      problems.push({
        path: `directories[${JSON.stringify(path)}].removeContents`,
        found: "the directory was there before, and what is in it may be somebody else's",
        remedy: "choose a directory that is not there yet",
      });
    }
    ledger[path] = { ...entry, emptied: entry.made && emptied };
  }
  const gone = Object.entries(own.directories).filter(
    ([path]) => !(path in ledger) && !others.some(([, other]) => path in other.directories),
  );
  gone.sort(([a], [b]) => b.length - a.length);
  const prunings = gone.flatMap(([path, { made }]) => (made ? [{ verb: "prune", args: [path] }] : []));
  const removals = gone.flatMap(([path, entry]) => [
    ...(entry.emptied ? [{ verb: "empty", args: [path] }] : []),
    entry.made
      ? { verb: "rmdir", args: [path] }
      : { verb: "attributes", args: [path, entry.mode, entry.owner] },
  ]);
  return { problems, actions, ledger, prunings, removals };
}

function attributesDiffer(file: WantedFile, found: PathFact): boolean {
  return file.mode !== found.mode || file.owner !== ownerAs(file.owner, found);
}

function planFiles(wanted: Wanted, facts: Facts, own: Ledger, others: [string, Ledger][]) {
  const problems: Problem[] = [];
  const keeps: Action[] = [];
  const actions: Action[] = [];
  const discards: Action[] = [];
  const uploads: WantedFile[] = [];
  const changed: string[] = [];
  const ledger: Ledger["files"] = {};
  for (const file of wanted.files) {
    const { path } = file;
    const found = facts.paths.get(path);
    const differs = found === undefined || found.kind !== "file" || found.sha256 !== file.sha256;
    const foreign = found !== undefined && own.files[path] === undefined;
    const problem = fileProblem(file, found, foreign, differs, others);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    ledger[path] = own.files[path] ?? { original: foreign };
    if (foreign) keeps.push({ verb: "keep", args: [path, id(path)] });
    if (!differs && !attributesDiffer(file, found)) continue;
    changed.push(path);
    if (Buffer.isBuffer(file.bytes) && differs) {
      actions.push({ verb: "write", args: [path, file.mode, file.owner, id(path)], bytes: file.bytes });
    } else if (differs) uploads.push(file);
    else actions.push({ verb: "attributes", args: [path, file.mode, file.owner] });
  }
  for (const [path, { original }] of Object.entries(own.files)) {
    if (path in ledger || wanted.files.some((file) => file.path === path)) continue;
    changed.push(path);
    actions.push(
      original ? { verb: "restore", args: [path, id(path)] } : { verb: "unlink", args: [path, id(path)] },
    );
    if (original) discards.push({ verb: "discard", args: [id(path)] });
  }
  return { problems, keeps, actions, discards, uploads, changed, ledger };
}

function fileProblem(
  file: WantedFile,
  found: PathFact | undefined,
  foreign: boolean,
  differs: boolean,
  others: [string, Ledger][],
): Problem | undefined {
  const path = file.input;
  const holder = others.find(([, ledger]) => file.path in ledger.files)?.[0];
  if (holder !== undefined) {
    return {
      path,
      found: `${file.path} belongs to the state "${holder}" on this host`,
      remedy: "declare it in one of the two",
    };
  }
  if (found?.kind === "directory") {
    return { path, found: `${file.path} is a directory`, remedy: "move it away or choose another path" };
  }
  if (foreign && differs && !file.overwrite) {
    return {
      path,
      found: `${file.path} is there already with other content, put by somebody else`,
      remedy: "move it away, or say `overwrite: true` on a file to replace it until delete",
    };
  }
  return undefined;
}

function planSysctls(wanted: Wanted, facts: Facts, own: Ledger, others: [string, Ledger][]) {
  const problems: Problem[] = [];
  const actions: Action[] = [];
  const ledger: Ledger["sysctls"] = {};
  for (const [path, value] of Object.entries(wanted.sysctls)) {
    const found = facts.sysctls.get(path);
    if (found === undefined) {
      const key = path.slice("/proc/sys/".length).replaceAll("/", ".");
      problems.push({
        path: `sysctls["${key}"]`,
        found: "this kernel has no such setting",
        remedy: "name its module in `modules`, or drop it",
      });
      continue;
    }
    ledger[path] =
      own.sysctls[path] ?? others.find(([, other]) => path in other.sysctls)?.[1].sysctls[path] ?? found;
    if (found !== spaced(value)) actions.push({ verb: "sysctl", args: [path, value] });
  }
  for (const [path, value] of Object.entries(own.sysctls)) {
    if (path in wanted.sysctls || others.some(([, other]) => path in other.sysctls)) continue;
    actions.push({ verb: "reset", args: [path, value] });
  }
  return { problems, actions, ledger };
}

/** Takes out what this state newly installed, except what it or others still name. */
function planPackages(wanted: Wanted, facts: Facts, own: Ledger, others: [string, Ledger][]): Action[] {
  if (own.packages.every((name) => wanted.packages.includes(name))) return [];
  const candidates = [...(facts.installed.get(wanted.name) ?? [])].filter(
    (name) => !wanted.packages.includes(name),
  );
  const heirOf = (name: string) => others.find(([, ledger]) => ledger.packages.includes(name))?.[0];
  const inherited = candidates.flatMap((name) => {
    const heir = heirOf(name);
    return heir === undefined ? [] : [{ verb: "bequeath", args: [name, heir] }];
  });
  const removed = candidates.filter((name) => heirOf(name) === undefined);
  // What others' packages depend on is refused by dpkg, and becomes theirs.
  const heir = others[0]?.[0] ?? "";
  return [
    ...inherited,
    ...(removed.length === 0 ? [] : [{ verb: "remove", args: [removed.join(" "), heir] }]),
  ];
}
