import { nearest, quote } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import { named, optional, text } from "../model/shape.ts";
import { display } from "./http.ts";
import { type UpstreamHosts, upstreamHosts } from "./list.ts";
import type { Source } from "./source.ts";

const HOSTS = Object.keys(upstreamHosts);

/** What TypeScript would say of a source, for one that came from configuration. */
export const SOURCE_SHAPE = named({
  kind: text,
  files: text,
  images: text,
  caCertificate: text,
  hosts: optional(named(Object.fromEntries(HOSTS.map((host) => [host, text])))),
});

/** Arguments by kind. */
const OPTIONS: Record<Source["kind"], readonly string[]> = {
  upstream: ["hosts"],
  mirror: ["files", "images", "caCertificate"],
  built: [],
};

/** What is wrong with a source of the right shape, in words that quote no password. */
export function sourceProblems(path: string, source: Source): Problem[] {
  const { kind, ...args } = source;
  const kinds = Object.keys(OPTIONS);
  if (!Object.hasOwn(OPTIONS, kind)) {
    const near = nearest(kind ?? "", kinds);
    const remedy = near ? `did you mean ${quote(near)}?` : `give one of ${kinds.join(", ")}`;
    return [{ path: `${path}.kind`, found: `${quote(kind)} is no source`, remedy }];
  }
  const foreign = Object.entries(args)
    .filter(([name, value]) => value !== undefined && !OPTIONS[kind].includes(name))
    .map(([name]) => ({
      path: `${path}.${name}`,
      found: `the source ${kind} has no such argument`,
      remedy: "take it out, or give another kind",
    }));
  return [...foreign, ...valueProblems(path, source)];
}

function valueProblems(path: string, source: Source): Problem[] {
  switch (source.kind) {
    case "built":
      return [];
    case "mirror":
      return [
        ...folderProblems(`${path}.files`, source.files),
        ...imagesProblems(`${path}.images`, source.images),
      ];
    case "upstream":
      return Object.entries(source.hosts ?? {}).flatMap(([host, value]) => {
        const place = `${path}.hosts.${host}`;
        if (value === undefined) return [];
        const isFolder = upstreamHosts[host as keyof UpstreamHosts].startsWith("https:");
        if (isFolder) return folderProblems(place, value);
        return value.includes("@") ? [passwordProblem(place)] : [];
      });
  }
}

/** A user and password in an address are written to state and previews as they are. */
function passwordProblem(path: string): Problem {
  const remedy =
    "take it out: files are fetched without one, images with what `skopeo login` keeps on this computer";
  return { path, found: "it carries a user or a password", remedy };
}

function folderProblems(path: string, address: string | undefined): Problem[] {
  const remedy = "give the folder's URL, such as https://mirror.example/files";
  if (!address) return [{ path, found: "nothing is given", remedy }];
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    return [{ path, found: `${quote(shown(address))} is no HTTP URL`, remedy }];
  if (url.username || url.password) return [passwordProblem(path)];
  if (url.search || url.hash) return [{ path, found: "it has a query or a fragment", remedy }];
  return [];
}

function imagesProblems(path: string, reference: string | undefined): Problem[] {
  const remedy = "give registry and path without a scheme, such as mirror.example:5000/platform";
  if (!reference) return [{ path, found: "nothing is given", remedy }];
  if (reference.includes("@")) return [passwordProblem(path)];
  if (/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._/-]+)?$/.test(reference)) return [];
  return [{ path, found: `${quote(reference)} is no registry reference`, remedy }];
}

/** An address without what may be secret in it. */
export const shown = (address: string): string =>
  URL.canParse(address) ? display(new URL(address)) : "(no URL)";
