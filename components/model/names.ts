import type { Problem } from "./problem.ts";

const LABEL = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;

/** Longest host or cluster name: it becomes part of DNS labels, unit names and interface names. */
export const NAME_LIMIT = 40;

/** What is wrong with the name of a site, host, cluster or pool; a name is data that reaches hosts. */
export function nameProblems(path: string, name: string): Problem[] {
  if (LABEL.test(name) && name.length <= NAME_LIMIT) return [];
  return [
    {
      path,
      found: `${quote(name)} is no valid name`,
      remedy: `use at most ${NAME_LIMIT} lower-case letters, digits and dashes, a letter first`,
    },
  ];
}

const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

/** What is wrong with node labels, by the rules of Kubernetes for label keys and values. */
export function labelProblems(path: string, labels: Record<string, string>): Problem[] {
  const remedy =
    "see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set";
  return Object.entries(labels).flatMap(([key, value]) => [
    ...(LABEL_KEY.test(key) ? [] : [{ path, found: `${quote(key)} is no label key`, remedy }]),
    ...(LABEL_VALUE.test(value)
      ? []
      : [{ path: `${path}.${key}`, found: `${quote(value)} is no label value`, remedy }]),
  ]);
}

/** What is wrong with a TCP port. */
export function portProblems(path: string, port: number): Problem[] {
  if (Number.isInteger(port) && port > 0 && port < 65536) return [];
  return [{ path, found: `${port} is no port`, remedy: "give one from 1 to 65535" }];
}

/** A found value for a message: quoted, control characters escaped, cut when long. */
export function quote(value: string | undefined): string {
  if (value === undefined) return "nothing";
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
}

/** The candidate nearest to `word`, or `undefined` when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, Math.floor(word.length / 2)) ? best.candidate : undefined;
}

/** What is wrong with a name that shall be one of the site's hosts'; nothing, where the site itself names none. */
export function hostNameProblems(path: string, host: string, known: string[]): Problem[] {
  if (known.length === 0 || known.includes(host)) return [];
  const near = nearest(host, known);
  const remedy = near ? `did you mean ${quote(near)}?` : `give one of ${known.join(", ")}`;
  return [{ path, found: `${quote(host)} is no host of the site`, remedy }];
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitution));
    }
    row = next;
  }
  return row[b.length]!;
}
