import type { Control, SetControl } from "./control.ts";
import { controls, setControls } from "./controls/index.ts";
import type { Finding, Resource } from "./resource.ts";
import { isWaived, type Settings } from "./settings.ts";

/** A control that a resource breaks, at a place. */
export interface Violation {
  control: string;
  path: string;
  /** What must be so. */
  title: string;
  /** Where, what is wrong, and what to do. Holds no value of the resource. */
  message: string;
}

export const controlIds: ReadonlySet<string> = new Set([...controls, ...setControls].map(({ id }) => id));

/** All that is wrong with a resource. Pure. */
export function judge(resource: Resource, settings: Settings): Violation[] {
  return controls.flatMap((control) => violationsOf(control, resource, settings));
}

/** Where a resource breaks one control. Pure. */
export function violationsOf(control: Control, resource: Resource, settings: Settings): Violation[] {
  if (control.production && settings.environment !== "production") return [];
  const findings = [...control.find(resource, settings)];
  if (findings.length === 0 || isWaived(settings, control.id, resource.name)) return [];
  return findings.map((finding) => ({
    control: control.id,
    title: control.title,
    path: finding.path,
    message: messageOf(control, finding),
  }));
}

/** Where resources together break one control. Pure. */
export function violationsAmong(
  control: SetControl,
  resources: readonly Resource[],
  settings: Settings,
): (Violation & { resource: Resource })[] {
  if (control.production && settings.environment !== "production") return [];
  return [...control.find(resources, settings)].flatMap((finding) =>
    isWaived(settings, control.id, finding.resource.name)
      ? []
      : [
          {
            control: control.id,
            title: control.title,
            resource: finding.resource,
            path: finding.path,
            message: messageOf(control, finding),
          },
        ],
  );
}

function messageOf({ remedy }: Pick<Control, "remedy">, { path, what }: Finding): string {
  const place = [path, what].filter((part) => part !== undefined && part !== "").join(": ");
  return [...(place === "" ? [] : [place]), `To do: ${remedy}`].map((part) => `${part}.`).join(" ");
}
