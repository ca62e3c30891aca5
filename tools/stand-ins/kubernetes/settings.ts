import { existsSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { differingPaths } from "../../../components/provider/difference.ts";
import { UNKNOWN } from "../../../components/provider/wire.ts";
import { Cluster } from "./cluster.ts";
import type { Plain } from "./objects.ts";

/** The provider's arguments that change what the stand-in does; the official plugin's names. */
export interface Settings {
  kubeconfig?: string;
  context?: string;
  cluster?: string;
  namespace?: string;
  clusterIdentifier?: string;
  enableConfigMapMutable?: boolean;
  enableSecretMutable?: boolean;
  enablePatchForce?: boolean;
  upsertExistingObjects?: boolean;
  deleteUnreachable?: boolean;
}

const texts = ["kubeconfig", "context", "cluster", "namespace", "clusterIdentifier"] as const;
const flags = [
  "enableConfigMapMutable",
  "enableSecretMutable",
  "enablePatchForce",
  "upsertExistingObjects",
  "deleteUnreachable",
] as const;
/** Arguments whose absence changes nothing here, and the engine's own. */
const withoutEffect = new Set([
  "kubeClientSettings",
  "suppressDeprecationWarnings",
  "suppressHelmHookWarnings",
  "version",
  "pluginDownloadURL",
  "__internal",
]);

const isTrue = (value: unknown): boolean => value === true || value === "true";

/** Reads the provider's arguments; flags come as JSON text. */
export function settingsOf(inputs: Plain): Settings {
  const settings: Settings = {};
  for (const name of texts) {
    if (typeof inputs[name] === "string" && inputs[name]) settings[name] = inputs[name];
  }
  for (const name of flags) settings[name] = isTrue(inputs[name]);
  return settings;
}

/** Why an argument cannot be honoured, by its name. */
export function settingsProblems(inputs: Plain): Record<string, string> {
  const problems: Record<string, string> = {};
  const known = new Set<string>([...texts, ...flags, ...withoutEffect]);
  for (const [name, value] of Object.entries(inputs)) {
    if (known.has(name) || value === UNKNOWN) continue;
    if (name === "enableServerSideApply" ? isTrue(value) : !isTrue(value) && isFalse(value)) continue;
    problems[name] =
      `${name} is not supported by the stand-in for the Kubernetes plugin; leave it away, or use the official plugin`;
  }
  const { kubeconfig } = inputs;
  if (typeof kubeconfig === "string" && kubeconfig && kubeconfig !== UNKNOWN) {
    try {
      configOf(settingsOf(inputs));
    } catch (error) {
      problems.kubeconfig = (error as Error).message;
    }
  }
  return problems;
}

const isFalse = (value: unknown): boolean => value === false || value === "false";

/** The cluster that the arguments lead to; a missing kubeconfig means `$KUBECONFIG` or `~/.kube/config`. */
export function clusterOf(settings: Settings): Cluster {
  return new Cluster(configOf(settings), settings.namespace);
}

function configOf({ kubeconfig, context, cluster }: Settings): KubeConfig {
  const config = new KubeConfig();
  try {
    if (!kubeconfig) config.loadFromDefault();
    else if (existsSync(kubeconfig)) config.loadFromFile(kubeconfig);
    else config.loadFromString(kubeconfig);
  } catch {
    // The parser's message may quote a line of the file, and with it a key.
    throw new Error("kubeconfig is neither the path nor the contents of a kubeconfig; give one of both");
  }
  if (context !== undefined) {
    if (!config.getContextObject(context)) {
      const names = config.getContexts().map(({ name }) => name);
      throw new Error(`kubeconfig has no context "${context}"; it has ${names.join(", ") || "none"}`);
    }
    config.setCurrentContext(context);
  }
  if (cluster !== undefined) {
    if (!config.getCluster(cluster)) throw new Error(`kubeconfig has no cluster "${cluster}"`);
    const { user = "" } = config.getContextObject(config.currentContext) ?? {};
    config.addContext({ name: "chosen-cluster", cluster, user });
    config.setCurrentContext("chosen-cluster");
  }
  return config;
}

/**
 * What changed between two sets of arguments. A provider is replaced, and every object of it, only
 * when it leads to another cluster: told by `clusterIdentifier`, or else by server and authority.
 */
export function settingsChange(old: Plain, inputs: Plain): { paths: string[]; replace: string[] } {
  const paths = differingPaths(old, inputs);
  const [before, after] = [old.clusterIdentifier, inputs.clusterIdentifier];
  if (before && after) {
    const moved = before !== after && after !== UNKNOWN;
    return { paths, replace: moved ? ["clusterIdentifier"] : [] };
  }
  const replace = paths.filter((path) => ["kubeconfig", "context", "cluster"].includes(path));
  return { paths, replace: sameCluster(old, inputs) ? [] : replace };
}

function sameCluster(old: Plain, inputs: Plain): boolean {
  // An unknown kubeconfig may well be the same cluster's: a replacement is too much to foretell.
  if (Object.values(inputs).includes(UNKNOWN)) return true;
  try {
    const [before, after] = [old, inputs].map((arguments_) => {
      const active = configOf(settingsOf(arguments_)).getCurrentCluster();
      return `${active?.server} ${active?.caData ?? active?.caFile}`;
    });
    return before === after;
  } catch {
    return false;
  }
}
