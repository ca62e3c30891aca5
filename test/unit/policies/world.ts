import { controls, setControls } from "../../../components/policies/controls/index.ts";
import { controlIds, violationsAmong, violationsOf } from "../../../components/policies/judge.ts";
import type { Resource } from "../../../components/policies/resource.ts";
import { settingsOf } from "../../../components/policies/settings.ts";
import type { Properties } from "../../../components/policies/value.ts";

/** A site with one registry. */
export const settings = settingsOf(
  { registries: ["registry.example.com/team"] },
  { known: controlIds, today: "2026-06-01" },
);

export const DIGEST = `sha256:${"a".repeat(64)}`;

/** Where resources break one control. */
export function found(id: string, type: string, props: Properties, more: Partial<Resource> = {}): string[] {
  const resource = { type, name: "it", props, ...more };
  const control = controls.find((each) => each.id === id);
  if (control) return violationsOf(control, resource, settings).map(({ path }) => path);
  const set = setControls.find((each) => each.id === id);
  if (!set) throw new Error(`there is no control ${id}`);
  return violationsAmong(set, [resource], settings).map(({ path }) => path);
}
