import type { Action } from "./apply.ts";
import type { Ledger, UnitBefore } from "./ledger.ts";
import type { Facts } from "./observe.ts";
import { unitFile, type Wanted, type WantedUnit } from "./wanted.ts";

/** What units were before, as far as the state says something about them. */
export function unitsBefore(
  wanted: Wanted,
  facts: Facts,
  own: Ledger,
  others: [string, Ledger][],
): Ledger["units"] {
  return Object.fromEntries(
    wanted.units.map(({ name, enabled, running }) => {
      const fact = facts.units.get(name);
      const known = own.units[name] ?? others.find(([, ledger]) => name in ledger.units)?.[1].units[name];
      const before: UnitBefore = { own: known?.own ?? fact?.loaded !== true };
      if (enabled !== undefined) before.enabled = known?.enabled ?? fact?.enabled ?? false;
      if (running !== undefined) before.active = known?.active ?? fact?.active ?? false;
      return [name, before];
    }),
  );
}

function unit(command: string, name: string): Action {
  return { verb: "unit", args: [command, name] };
}

function ownDropIns(own: Ledger, name: string): string[] {
  return Object.keys(own.files).filter(
    (path) => path === unitFile(name) || path.startsWith(`${unitFile(name)}.d/`),
  );
}

function actionsFor(wanted: WantedUnit, facts: Facts, own: Ledger, changed: ReadonlySet<string>): Action[] {
  const { name, enabled, running, restartOn, reloads } = wanted;
  const fact = facts.units.get(name);
  const touched = [...changed].some((path) => restartOn.has(path) || ownDropIns(own, name).includes(path));
  const actions: Action[] = [];
  if (enabled !== undefined && enabled !== (fact?.enabled ?? false))
    actions.push(unit(enabled ? "enable" : "disable", name));
  if (running === false && fact?.active) actions.push(unit("stop", name));
  if (running === undefined && touched) actions.push(unit("try-restart", name));
  if (running === true && !fact?.active) actions.push(unit("start", name));
  if (running === true && fact?.active && touched)
    actions.push(unit(reloads ? "reload-or-restart" : "restart", name));
  return actions;
}

/** Puts a unit that was there before us back to what it was. */
function putBack(name: string, { enabled, active }: UnitBefore, touched: boolean): Action[] {
  const actions: Action[] = [];
  if (enabled !== undefined) actions.push(unit(enabled ? "enable" : "disable", name));
  if (active === false) actions.push(unit("stop", name));
  if (active === true) actions.push(unit(touched ? "restart" : "start", name));
  if (active === undefined && touched) actions.push(unit("try-restart", name));
  return actions;
}

/** Units' part of a plan: `before` files go or come, and `after`. */
export function unitActions(
  wanted: Wanted,
  facts: Facts,
  own: Ledger,
  others: [string, Ledger][],
  changed: ReadonlySet<string>,
): { before: Action[]; after: Action[]; stale: boolean } {
  const dropped = Object.entries(own.units).filter(
    ([name]) =>
      !wanted.units.some((kept) => kept.name === name) && !others.some(([, ledger]) => name in ledger.units),
  );
  const tolerantly = (actions: Action[]): Action[] =>
    actions.length === 0
      ? []
      : [{ verb: "tolerate", args: ["yes"] }, ...actions, { verb: "tolerate", args: ["no"] }];
  const gone = dropped
    .filter(([, before]) => before.own)
    // systemd keeps a unit that failed in its list, also when its file is gone.
    .flatMap(([name]) => [unit("disable", name), unit("stop", name), unit("reset-failed", name)]);
  const back = dropped
    .filter(([, before]) => !before.own)
    .flatMap(([name, before]) =>
      putBack(
        name,
        before,
        ownDropIns(own, name).some((path) => changed.has(path)),
      ),
    );
  const kept = wanted.units.flatMap((one) => actionsFor(one, facts, own, changed));
  const started = kept
    .filter(({ args = [] }) => ["start", "restart", "reload-or-restart"].includes(args[0] ?? ""))
    .map(({ args = [] }) => args[1] ?? "");
  const health =
    started.length === 0
      ? []
      : [{ verb: "settle" }, ...started.map((name) => ({ verb: "healthy", args: [name] }))];
  return {
    before: tolerantly(gone),
    after: [...kept, ...health, ...tolerantly(back)],
    stale: wanted.units.some(({ name }) => facts.units.get(name)?.stale),
  };
}
