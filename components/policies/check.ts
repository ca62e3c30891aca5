import { controls, setControls } from "./controls/index.ts";
import { resourcesOf } from "./files.ts";
import { controlIds, judge, type Violation, violationsAmong } from "./judge.ts";
import type { Resource } from "./resource.ts";
import { type Settings, settingsOf } from "./settings.ts";
import { isObject } from "./value.ts";

/** A violation in a file; one line of JSON each. */
export interface FileViolation {
  file: string;
  resource: string;
  policy: string;
  control: string;
  path: string;
  message: string;
  /** What is only advice stops nothing. @default it is a violation */
  level?: "advisory";
}

/**
 * Judges files as the pack judges resources.
 *
 * @param configuration as for `pulumi --policy-pack-config`: settings under `settings`, and the level of a control
 *   under its name
 * @param stack by which the settings choose an environment; without one it is production
 */
export async function checkFiles(
  files: readonly string[],
  configuration: unknown,
  note: (violation: FileViolation) => void,
  stack?: string,
): Promise<{ violations: number; advice: number; resources: number }> {
  const { settings, levelOf } = configurationOf(configuration, stack);
  const homes = new Map<Resource, string>();
  let [violations, advice] = [0, 0];
  const say = (file: string, resource: Resource | undefined, violation: Violation) => {
    const { control, path, title, message } = violation;
    const level = levelOf(control);
    if (level === "disabled") return;
    if (level === "advisory") advice++;
    else violations++;
    const named = resource ? `${resource.type}::${resource.name}` : "";
    const found = { file, resource: named, policy: control, control, path, message: `${title}. ${message}` };
    note(level === "advisory" ? { ...found, level } : found);
  };
  const complain = (control: string, title: string, file: string, message: string) =>
    say(file, undefined, { control, title, path: "", message });
  for (const problem of settings.problems) complain("settings", "Settings say what they mean", "", problem);
  for (const file of files) {
    try {
      for (const resource of await resourcesOf(file)) {
        homes.set(resource, file);
        for (const violation of judge(resource, settings)) say(file, resource, violation);
      }
    } catch (error) {
      complain("readable", "Files can be read", file, (error as Error).message);
    }
  }
  for (const control of setControls.filter(({ wholeStack }) => !wholeStack)) {
    for (const violation of violationsAmong(control, [...homes.keys()], settings))
      say(homes.get(violation.resource)!, violation.resource, violation);
  }
  return { violations, advice, resources: homes.size };
}

type Level = "mandatory" | "advisory" | "disabled";

const LEVELS: ReadonlySet<Level> = new Set(["mandatory", "advisory", "disabled"]);

const ownLevels: ReadonlyMap<string, Level> = new Map(
  [...controls, ...setControls].map(({ id, level = "mandatory" }) => [id, level]),
);

function configurationOf(
  configuration: unknown,
  stack: string | undefined,
): { settings: Settings; levelOf: (id: string) => Level } {
  const said = isObject(configuration) ? configuration : {};
  const settings = settingsOf(withoutLevel(said.settings), {
    known: controlIds,
    stack,
    today: new Date().toISOString().slice(0, 10),
  });
  const problems = Object.keys(said).flatMap((key) =>
    key === "settings" || key === "all" || controlIds.has(key) ? [] : [`${key}: there is no such control`],
  );
  for (const [key, value] of Object.entries(said)) {
    if (key === "settings" && !isObject(value)) continue;
    const level = isObject(value) ? value.enforcementLevel : value;
    const isSaid = level !== undefined || !isObject(value);
    if (isSaid && !LEVELS.has(level as Level))
      problems.push(
        `${key}: its level is neither ${[...LEVELS].map((each) => `"${each}"`).join(", nor ")}; it says nothing`,
      );
  }
  if (configuration !== undefined && configuration !== null && !isObject(configuration))
    problems.push("configuration: not an object of settings and levels");
  const levelOf = (id: string): Level => {
    const value = said[id] ?? said.all;
    const level = isObject(value) ? (value.enforcementLevel ?? said.all) : value;
    return LEVELS.has(level as Level) ? (level as Level) : (ownLevels.get(id) ?? "mandatory");
  };
  return { settings: { ...settings, problems: [...settings.problems, ...problems] }, levelOf };
}

/** The pack's `settings` policy has a level as any has, which is none of the settings. */
function withoutLevel(settings: unknown): unknown {
  if (!isObject(settings)) return settings;
  const { enforcementLevel: _, ...rest } = settings;
  return rest;
}
