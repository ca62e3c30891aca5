import { Final, request, retry } from "./http.ts";
import type { RegistryAccess } from "./skopeo.ts";

/** Every kind of manifest: a registry that is not told so converts to an old one. */
const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

/** Digest of what a tag or digest names in a private registry; `undefined` when it names nothing. */
export async function manifestDigest(
  access: RegistryAccess,
  repository: string,
  reference: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { status, digest } = await ask("HEAD", access, repository, reference, signal);
  if (status === 404) return undefined;
  if (status !== 200) throw unexpected(access, `looking for ${repository}@${reference}`, status);
  if (digest === undefined)
    throw new Error(`registry ${access.registry}: its answer has no Docker-Content-Digest`);
  return digest;
}

/** Deletes a manifest; `false` when the registry is set up to keep everything. */
export async function deleteManifest(
  access: RegistryAccess,
  repository: string,
  digest: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { status } = await ask("DELETE", access, repository, digest, signal);
  if (status === 405) return false;
  if (status !== 202 && status !== 404) throw unexpected(access, `deleting ${repository}@${digest}`, status);
  return true;
}

async function ask(
  method: "HEAD" | "DELETE",
  access: RegistryAccess,
  repository: string,
  reference: string,
  signal: AbortSignal,
): Promise<{ status: number; digest: string | undefined }> {
  const { registry, username, password, caCertificate } = access;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const headers = { accept: manifestTypes, authorization };
  return retry(async () => {
    const url = `https://${registry}/v2/${repository}/manifests/${reference}`;
    const answer = await request(url, { method, headers, caCertificate, signal, timeout: 15_000 });
    answer.resume();
    const status = answer.statusCode ?? 0;
    if (status === 401 || status === 403) {
      throw new Final(
        `registry ${registry}: refuses user "${username}" (${status}); check username and password`,
      );
    }
    if (status >= 500) throw unexpected(access, `${method} ${repository}`, status);
    const digest = answer.headers["docker-content-digest"];
    return { status, digest: typeof digest === "string" ? digest : undefined };
  }, signal);
}

function unexpected({ registry }: RegistryAccess, step: string, status: number): Error {
  return new Error(
    `registry ${registry}: ${step}: it answers ${status}; see the registry's log, then run again`,
  );
}
