import { parseQuantity } from "./quantity.ts";
import { isObject, listOf, type Properties } from "./value.ts";

export type Environment = "production" | "development";

/** What a site says to the pack; see `SETTINGS_SCHEMA`. */
export interface Settings {
  environment: Environment;
  registries: readonly string[];
  /** Cores. */
  maxCpu: number;
  /** Bytes. */
  maxMemory: number;
  /** Machines that a group of a cloud may have. */
  maxGroupSize: number;
  kubernetesVersions: readonly string[];
  /** What is known of images, by digest; nothing when the site keeps no records. */
  images: Readonly<Record<string, ImageRecord>> | undefined;
  /** Days that a scan is good for. */
  scanDays: number;
  /** Names of bases that images may stand on; all when there is none. */
  bases: readonly string[];
  /** Who verifies signatures, where that is not in the stack. */
  admissionVerifier: string | undefined;
  /** The day of the run, as 2026-11-26. */
  today: string;
  waivers: readonly Waiver[];
  /** What is wrong with the settings. */
  problems: readonly string[];
}

/** What the site's build recorded of an image. */
export interface ImageRecord {
  /** Day of its last scan, as 2026-11-26. */
  scanned?: string;
  /** How many findings were critical. @default 0 */
  critical?: number;
  /** Whose signature it has. */
  signedBy?: string;
  /** Name of what it was built on. */
  base?: string;
}

/** Lets one resource break one control, for a reason and for a time. */
export interface Waiver {
  control: string;
  /** Name of the resource; `*` stands for any characters. */
  resource: string;
  reason: string;
  /** Last day, as 2027-01-31. */
  until: string;
}

/** Schema of the pack's settings, by the words of JSON schema. */
export const SETTINGS_SCHEMA = {
  registries: {
    type: "array",
    items: { type: "string" },
    description:
      "Registries, or paths in them, that images may come from; all are refused when there is none",
  },
  maxCpu: { type: ["string", "number"], description: "Highest limit of a container, as a quantity: 8" },
  maxMemory: { type: ["string", "number"], description: "Highest limit of a container, as a quantity: 32Gi" },
  maxGroupSize: { type: "number", description: "Most machines of a group in a cloud: 100" },
  kubernetesVersions: {
    type: "array",
    items: { type: "string" },
    description: "Minor versions that clusters may have, such as 1.36",
  },
  images: {
    type: "object",
    description: "What is known of images, by digest: scanned (a day), critical (a number), signedBy, base",
  },
  scanDays: { type: "number", description: "Days that a scan is good for: 30" },
  bases: { type: "array", items: { type: "string" }, description: "Bases that images may stand on" },
  admissionVerifier: {
    type: "string",
    description: "Who verifies signatures, where that is in another stack",
  },
  environments: {
    type: "object",
    additionalProperties: { enum: ["production", "development"] },
    description: "What each stack is for, by its name; one that is not listed is production",
  },
  waivers: {
    type: "array",
    description: "Exceptions: control, resource (a name, * for any characters), reason, until (last day)",
    items: {
      type: "object",
      properties: {
        control: { type: "string" },
        resource: { type: "string" },
        reason: { type: "string" },
        until: { type: "string" },
      },
    },
  },
} as const;

const DEFAULTS = {
  maxCpu: 8,
  maxMemory: 32 * 2 ** 30,
  maxGroupSize: 100,
  // 1.34 got its last patch in October 2026.
  kubernetesVersions: ["1.35", "1.36", "1.37"],
};

/**
 * Settings as they were given, for a stack; what is wrong in them is told and changes nothing.
 *
 * @param known ids of all controls
 * @param today as 2026-11-26
 */
export function settingsOf(
  given: unknown,
  { stack, known, today }: { stack?: string; known: ReadonlySet<string>; today: string },
): Settings {
  const problems: string[] = [];
  const said = isObject(given) ? given : {};
  if (given !== undefined && !isObject(given)) problems.push("settings: not an object of settings");
  for (const key of Object.keys(said)) {
    if (!Object.hasOwn(SETTINGS_SCHEMA, key)) problems.push(`${key}: there is no such setting`);
  }
  return {
    environment: environmentOf(said, stack, problems),
    registries: registriesOf(said, problems),
    maxCpu: quantity(said, "maxCpu", DEFAULTS.maxCpu, problems),
    maxMemory: quantity(said, "maxMemory", DEFAULTS.maxMemory, problems),
    maxGroupSize: quantity(said, "maxGroupSize", DEFAULTS.maxGroupSize, problems),
    images: recordsOf(said, today, problems),
    scanDays: quantity(said, "scanDays", 30, problems),
    bases: texts(said, "bases", [], problems),
    admissionVerifier: typeof said.admissionVerifier === "string" ? said.admissionVerifier : undefined,
    today,
    kubernetesVersions: texts(said, "kubernetesVersions", DEFAULTS.kubernetesVersions, problems),
    waivers: waiversOf(said, known, today, problems),
    problems,
  };
}

function environmentOf(said: Properties, stack: string | undefined, problems: string[]): Environment {
  const { environments } = said;
  if (environments === undefined) return "production";
  if (!isObject(environments)) {
    problems.push("environments: not an object of stack names");
    return "production";
  }
  for (const [name, value] of Object.entries(environments)) {
    if (value !== "production" && value !== "development")
      problems.push(`environments.${name}: neither "production" nor "development"; it counts as production`);
  }
  const own = stack !== undefined && Object.hasOwn(environments, stack) ? environments[stack] : undefined;
  return own === "development" ? "development" : "production";
}

function texts(
  said: Properties,
  key: string,
  otherwise: readonly string[],
  problems: string[],
): readonly string[] {
  const value = said[key];
  if (value === undefined) return otherwise;
  if (Array.isArray(value) && value.every((each) => typeof each === "string" && each !== "")) return value;
  problems.push(`${key}: not a list of texts`);
  return otherwise;
}

function registriesOf(said: Properties, problems: string[]): readonly string[] {
  const registries = texts(said, "registries", [], problems);
  // Container engines take a word alone for a path of Docker Hub, and nobody means it so.
  const isWord = (each: string) => /^(?!localhost$)[\w-]+$/.test(each);
  for (const each of registries.filter(isWord))
    problems.push(`registries: "${each}" is no registry; for a path on Docker Hub write "${each}/"`);
  return registries.filter((each) => !isWord(each));
}

function quantity(said: Properties, key: string, otherwise: number, problems: string[]): number {
  const value = said[key];
  if (value === undefined) return otherwise;
  const number = parseQuantity(value);
  if (number !== undefined && number > 0) return number;
  problems.push(`${key}: not a quantity above 0`);
  return otherwise;
}

function recordsOf(said: Properties, today: string, problems: string[]): Settings["images"] {
  if (said.images === undefined) return undefined;
  const entries = Object.entries(isObject(said.images) ? said.images : {});
  if (!isObject(said.images)) problems.push("images: not an object of records by digest");
  return Object.fromEntries(
    entries.filter(([digest, record]) => {
      const isGood = isObject(record) && isRecord(record, today);
      if (!isGood)
        problems.push(`images.${digest}: not a record with scanned (a day), critical, signedBy, base`);
      return isGood;
    }),
  ) as Record<string, ImageRecord>;
}

/** A count that is no number, or a day to come, would let pass what nobody has looked at. */
function isRecord({ scanned, critical }: Properties, today: string): boolean {
  const isScanned = scanned === undefined || (isDay(String(scanned)) && String(scanned) <= today);
  return isScanned && (critical === undefined || typeof critical === "number");
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

function waiversOf(
  said: Properties,
  known: ReadonlySet<string>,
  today: string,
  problems: string[],
): Waiver[] {
  if (said.waivers !== undefined && !Array.isArray(said.waivers)) problems.push("waivers: not a list");
  return listOf(said.waivers).flatMap((each, i) => {
    const found = waiverProblems(each, known, today);
    problems.push(...found.map((problem) => `waivers[${i}]: ${problem}; it waives nothing`));
    return found.length === 0 ? [each as Waiver] : [];
  });
}

function waiverProblems(value: unknown, known: ReadonlySet<string>, today: string): string[] {
  if (!isObject(value)) return ["not an object with control, resource, reason and until"];
  const missing = ["control", "resource", "reason", "until"].filter(
    (key) => typeof value[key] !== "string" || (value[key] as string).trim() === "",
  );
  if (missing.length > 0) return [`${missing.join(", ")} missing`];
  const { control, resource, until } = value as unknown as Waiver;
  const strange = Object.keys(value).filter(
    (key) => !["control", "resource", "reason", "until"].includes(key),
  );
  return [
    ...(strange.length > 0 ? [`${strange.join(", ")} unknown`] : []),
    ...(known.has(control) ? [] : ["there is no such control"]),
    ...(/^\*+$/.test(resource) ? ["resource names all there are; name those that need it"] : []),
    ...(isDay(until)
      ? until < today
        ? [`it ended on ${until}`]
        : []
      : ["until is no day such as 2027-01-31"]),
  ];
}

function isDay(text: string): boolean {
  return DAY.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);
}

/** Whether a resource may break a control. */
export function isWaived({ waivers }: Settings, control: string, name: string): boolean {
  return waivers.some((waiver) => waiver.control === control && patternOf(waiver.resource).test(name));
}

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .split("*")
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
    "s",
  );
