import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { at, type KubernetesObject, list, type Plain } from "./objects.ts";

/** The owner of the fields we apply, as `kubectl get --show-managed-fields` names it. */
export const FIELD_MANAGER = "pulumi-kubernetes";

const REQUEST_SECONDS = 30;

/** The API server said no. */
export class ApiError extends Error {
  /** HTTP status. */
  readonly code: number;
  /** Kubernetes' own word, such as `Conflict`. */
  readonly reason: string;

  constructor(code: number, body: unknown) {
    super(String(at(body, "message") ?? `the API server answered ${code}`));
    this.code = code;
    this.reason = String(at(body, "reason") ?? "");
  }
}

/** No answer came from the API server. */
export class Unreachable extends Error {}

/** The cluster has no such kind: a misspelt one, or a custom resource before its definition. */
export class UnknownKind extends Error {}

export interface Coordinates {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string;
}

interface ResourceKind {
  plural: string;
  namespaced: boolean;
}

/**
 * One API server, spoken to in plain JSON. The typed client's own serializer would silently drop
 * fields that it does not know, and its path builder lowercases names.
 */
export class Cluster {
  /** Where objects without a namespace go. */
  readonly namespace: string;
  readonly #config: KubeConfig;
  readonly #kinds = new Map<string, Map<string, ResourceKind>>();

  constructor(config: KubeConfig, namespace: string | undefined) {
    this.#config = config;
    this.namespace = namespace || config.getContextObject(config.currentContext)?.namespace || "default";
  }

  /** How the cluster names a kind in its paths; throws `UnknownKind`. */
  async kind(apiVersion: string, kind: string): Promise<ResourceKind> {
    const known = this.#kinds.get(apiVersion)?.get(kind);
    if (known) return known;
    const found = (await this.#discover(apiVersion)).get(kind);
    if (!found) throw new UnknownKind(`the cluster has no kind ${kind} in ${apiVersion}`);
    return found;
  }

  /** The live object, `undefined` when there is none. */
  async get(coordinates: Coordinates): Promise<KubernetesObject | undefined> {
    try {
      return (await this.#call("GET", await this.#path(coordinates))) as KubernetesObject;
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  }

  /** Server-side apply. A dry run goes through validation, defaults and admission, and keeps nothing. */
  async apply(
    object: KubernetesObject,
    options: { dryRun?: boolean; force?: boolean } = {},
  ): Promise<KubernetesObject> {
    const path = await this.#path({ ...object, ...object.metadata, kind: object.kind });
    const query = new URLSearchParams({ fieldManager: FIELD_MANAGER, fieldValidation: "Strict" });
    if (options.dryRun) query.set("dryRun", "All");
    if (options.force) query.set("force", "true");
    const type = "application/apply-patch+yaml";
    return (await this.#call("PATCH", `${path}?${query}`, object, type)) as KubernetesObject;
  }

  /** Starts the deletion; false when there was nothing to delete. */
  async delete(coordinates: Coordinates, propagationPolicy: string): Promise<boolean> {
    try {
      await this.#call("DELETE", await this.#path(coordinates), { propagationPolicy });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return false;
      throw error;
    }
  }

  async list(
    of: Omit<Coordinates, "name">,
    selector: { labels?: string; fields?: string } = {},
  ): Promise<KubernetesObject[]> {
    const path = await this.#path({ ...of, name: "" });
    const query = new URLSearchParams();
    if (selector.labels) query.set("labelSelector", selector.labels);
    if (selector.fields) query.set("fieldSelector", selector.fields);
    return list(at(await this.#call("GET", `${path}?${query}`), "items")) as KubernetesObject[];
  }

  async #discover(apiVersion: string): Promise<Map<string, ResourceKind>> {
    const kinds = new Map<string, ResourceKind>();
    const answer = await this.#call("GET", root(apiVersion)).catch((error: unknown) => {
      if (error instanceof ApiError && error.code === 404) return { resources: [] };
      throw error;
    });
    for (const resource of list(at(answer, "resources")) as Plain[]) {
      const plural = String(resource.name);
      // Subresources such as deployments/scale repeat their parent's kind or name another one.
      if (!plural.includes("/"))
        kinds.set(String(resource.kind), { plural, namespaced: !!resource.namespaced });
    }
    this.#kinds.set(apiVersion, kinds);
    return kinds;
  }

  async #path({ apiVersion, kind, name, namespace }: Coordinates): Promise<string> {
    const { plural, namespaced } = await this.kind(apiVersion, kind);
    const parts = [root(apiVersion)];
    if (namespaced) parts.push("namespaces", encodeURIComponent(namespace ?? this.namespace));
    parts.push(plural);
    if (name) parts.push(encodeURIComponent(name));
    return parts.join("/");
  }

  async #call(method: string, path: string, body?: object, type = "application/json"): Promise<unknown> {
    const server = this.#config.getCurrentCluster()?.server;
    if (!server) throw new Unreachable("the kubeconfig's context names no cluster");
    const options: RequestOptions = { method, timeout: REQUEST_SECONDS * 1000 };
    // Brings certificates, tokens, exec plugins and an agent that keeps connections open.
    await this.#config.applyToHTTPSOptions(options);
    const content = body && Buffer.from(JSON.stringify(body));
    options.headers = {
      ...options.headers,
      accept: "application/json",
      "content-type": type,
      // Node announces no body on a DELETE by itself, and the API server would not read it.
      ...(content && { "content-length": content.length }),
    };
    const { code, text } = await send(new URL(server.replace(/\/$/, "") + path), options, content);
    const answer = parse(text);
    if (code >= 300) throw new ApiError(code, answer);
    return answer;
  }
}

const root = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 200) };
  }
}

function send(url: URL, options: RequestOptions, content?: Buffer): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new Unreachable(`no answer from ${url.origin}: ${error.message}`));
    const request = (url.protocol === "http:" ? httpRequest : httpsRequest)(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", fail);
      response.on("end", () =>
        resolve({ code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.on("timeout", () => request.destroy(new Error(`silent for ${REQUEST_SECONDS} s`)));
    request.on("error", fail);
    request.end(content);
  });
}
