import { type Document, isAlias, isMap, isScalar, isSeq, parseAllDocuments, type Tags, visit } from "yaml";

/** A file that holds nothing that can be judged. */
export class Unreadable extends Error {}

/**
 * The documents of a text, be it JSON or YAML. What kubectl reads in another way than this is refused.
 *
 * @throws Unreadable that says what is wrong with it, and no value of it
 */
export function documentsOf(text: string): unknown[] {
  const json = jsonOf(text);
  if (json) return [json.value];
  if (/\r(?!\n)|[\u0085\u2028\u2029]/.test(text))
    throw new Unreadable("it has line breaks that not all readers see: only LF and CR LF are such");
  return parseAllDocuments(text, OPTIONS).map(contentOf);
}

function jsonOf(text: string): { value: unknown } | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // YAML may begin with a brace as well.
    return undefined;
  }
  if (namesTwice(text)) throw new Unreadable("an object has a key twice");
  return { value };
}

/** Whether an object of a JSON text, which has been read already, has a key twice. */
function namesTwice(json: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, colon] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[[\]{}]/g)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const name = JSON.parse(token.slice(0, -colon.length)) as string;
      if (open.at(-1)!.has(name)) return true;
      open.at(-1)!.add(name);
    }
  }
  return false;
}

/** Types that JSON has not, and that readers make different things of. */
const STRANGE = /:(?:binary|omap|pairs|set|timestamp)$/;

const OPTIONS = {
  merge: true,
  version: "1.1",
  uniqueKeys: true,
  logLevel: "silent",
  resolveKnownTags: false,
  customTags: (tags: Tags) =>
    tags.filter(
      (each) =>
        typeof each === "string" || !(STRANGE.test(each.tag) || ("format" in each && each.format === "TIME")),
    ),
} as const;

function contentOf(document: Document): unknown {
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const what = problem.code.toLowerCase().replaceAll("_", " ");
    throw new Unreadable(`neither JSON nor plain YAML: ${what} in line ${problem.linePos?.[0].line ?? 1}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 1000 });
  } catch {
    throw new Unreadable("its aliases or merge keys lead nowhere, or to too much");
  }
  const keys = new Map<unknown, Set<string>>();
  visit(document, {
    Alias: (_, alias, parents) => {
      const target: unknown = alias.resolve(document);
      if (parents.some((each) => each === target)) throw new Unreadable("an alias holds itself");
    },
    Map: (_, map) => void keysOf(map, document, keys),
  });
  return value;
}

/**
 * Keys of a mapping and of what it merges.
 *
 * @throws Unreadable when a merge comes after a key that it has as well: the first wins by YAML's word, the last
 *   with kubectl
 */
function keysOf(node: unknown, document: Document, known: Map<unknown, Set<string>>): Set<string> {
  const before = known.get(node);
  if (before) return before;
  const keys = new Set<string>();
  known.set(node, keys);
  for (const { key, value } of isMap(node) ? node.items : []) {
    if (!isMerge(key)) {
      keys.add(String(isScalar(key) ? key.value : key));
      continue;
    }
    const source = followed(value, document);
    const merged = (isSeq(source) ? source.items : [source]).flatMap((each) => [
      ...keysOf(followed(each, document), document, known),
    ]);
    if (merged.some((name) => keys.has(name)))
      throw new Unreadable("a merge key (<<) follows a key that it sets");
    for (const name of merged) keys.add(name);
  }
  return keys;
}

const isMerge = (key: unknown): boolean =>
  isScalar(key) && typeof key.value === "symbol" && key.value.description === "<<";

const followed = (node: unknown, document: Document): unknown =>
  isAlias(node) ? node.resolve(document) : node;
