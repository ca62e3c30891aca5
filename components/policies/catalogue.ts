import { type Control, PRACTICES, type Practice } from "./control.ts";
import { controls, setControls } from "./controls/index.ts";

type Entry = Omit<Control, "find" | "id" | "types"> & { policy: string; types: string[] };

/** What answers each practice: practice, control, policy, types of resources. */
export interface Catalogue {
  practices: Record<string, { title: string; controls: string[] }>;
  controls: Record<string, Entry>;
}

const all = (): Omit<Control, "find">[] =>
  [...controls, ...setControls].sort(({ id: a }, { id: b }) => (a < b ? -1 : 1));

/** Content of `policies/controls.json`. */
export function catalogue(): Catalogue {
  const entries = all().map(({ id, practice, title, remedy, source, types, production, level }) => {
    const entry = {
      practice,
      policy: id,
      title,
      remedy,
      source,
      types: [...new Set(types)],
      production,
      level,
    };
    return [id, entry] as const;
  });
  const practices = Object.entries(PRACTICES).map(([practice, title]) => {
    const own = all().filter((control) => control.practice === practice);
    return [practice, { title, controls: own.map(({ id }) => id) }] as const;
  });
  return { practices: Object.fromEntries(practices), controls: Object.fromEntries(entries) };
}

/** The same as a table in Markdown, by practice. */
export function catalogueTable(): string {
  const sections = (Object.keys(PRACTICES) as Practice[]).map((practice) => {
    const rows = all()
      .filter((control) => control.practice === practice)
      .map((control) => `| \`${control.id}\` | ${control.title}${notes(control)} | ${typesOf(control)} |`);
    const head = ["| control | what must be so | resources |", "| --- | --- | --- |"];
    return [
      `### ${PRACTICES[practice]}`,
      "",
      ...(rows.length > 0 ? [...head, ...rows] : ["No control."]),
    ].join("\n");
  });
  return `${sections.join("\n\n")}\n`;
}

function notes({ production, level }: Omit<Control, "find">): string {
  const words = [...(production ? ["production alone"] : []), ...(level === "advisory" ? ["advice"] : [])];
  return words.length > 0 ? ` (${words.join(", ")})` : "";
}

const PROVIDERS: readonly [RegExp, string][] = [
  [/^(aws|aws-native|awsx|eks):/, "AWS"],
  [/^azure(-native)?:/, "Azure"],
  [/^gcp:/, "Google Cloud"],
  [/^docker:/, "Docker"],
  [/^command:/, "`command`"],
  [/^spillway:/, "Spillway"],
];

/** Kinds that make pods, and types of a cloud, are many: each is one word; `controls.json` has them all. */
function typesOf({ types }: Omit<Control, "find">): string {
  const isPods = ["Pod", "Deployment", "CronJob"].every((kind) => types.includes(kind));
  const words = types.flatMap((type) => {
    if (isPods && /^[A-Z]\w+$/.test(type)) return [];
    return [PROVIDERS.find(([prefix]) => prefix.test(type))?.[1] ?? type];
  });
  return [...new Set([...(isPods ? ["whatever makes pods"] : []), ...words])].join(", ");
}
