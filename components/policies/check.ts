import { controls } from "./controls/index.ts";
import { resourcesOf } from "./files.ts";
import { controlIds, judge } from "./judge.ts";
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
}

/**
 * Judges files as the pack judges resources.
 *
 * @param configuration as for `pulumi --policy-pack-config`: settings under `settings`, and the level of a control
 *   under its name
 */
export async function checkFiles(
  files: readonly string[],
  configuration: unknown,
  note: (violation: FileViolation) => void,
): Promise<{ violations: number; resources: number }> {
  const { settings, disabled } = configurationOf(configuration);
  let [violations, count] = [0, 0];
  const say = (violation: FileViolation) => {
    violations++;
    note(violation);
  };
  for (const problem of settings.problems)
    say({ file: "", resource: "", policy: "settings", control: "settings", path: "", message: problem });
  for (const file of files) {
    try {
      for (const resource of await resourcesOf(file)) {
        count++;
        for (const { control, path, message } of judge(resource, settings)) {
          if (disabled.has(control)) continue;
          say({
            file,
            resource: `${resource.type}::${resource.name}`,
            policy: control,
            control,
            path,
            message,
          });
        }
      }
    } catch (error) {
      const message = (error as Error).message;
      say({ file, resource: "", policy: "readable", control: "readable", path: "", message });
    }
  }
  return { violations, resources: count };
}

function configurationOf(configuration: unknown): { settings: Settings; disabled: ReadonlySet<string> } {
  const said = isObject(configuration) ? configuration : {};
  const settings = settingsOf(said.settings, {
    known: controlIds,
    today: new Date().toISOString().slice(0, 10),
  });
  const problems = Object.keys(said).flatMap((key) =>
    key === "settings" || controlIds.has(key) ? [] : [`${key}: there is no such control`],
  );
  const level = (id: string) => {
    const value = said[id];
    return isObject(value) ? value.enforcementLevel : value;
  };
  const disabled = controls.filter(({ id }) => level(id) === "disabled").map(({ id }) => id);
  return {
    settings: { ...settings, problems: [...settings.problems, ...problems] },
    disabled: new Set(disabled),
  };
}
