import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../local/run.ts";
import type { Architecture } from "./list.ts";
import type { ImageSource } from "./source.ts";

/** A private registry and who one is there. */
export interface RegistryAccess {
  /** `host:port`. */
  registry: string;
  /** PEM of the authority that signed its certificate. */
  caCertificate: string;
  username: string;
  /** A secret. */
  password: string;
}

/** `TMPFS_MAGIC` of statfs(2). */
const tmpfs = 0x01021994;

/** What one image may take to cross a slow line. */
const copySeconds = 1800;

/** Copies an image (the only one of its layout) into a private registry, every byte of its manifest kept. */
export async function copyImage(
  source: ImageSource,
  target: RegistryAccess & { repository: string; tag: string },
  signal: AbortSignal,
): Promise<void> {
  await withPrivateFolder(async (folder) => {
    const authFile = join(folder, "auth.json");
    await writeFile(authFile, authJson(target), { mode: 0o600 });
    await certificateFolder(folder, "to", target.caCertificate);
    const flags = ["--preserve-digests", "--retry-times", "2", "--dest-authfile", authFile];
    flags.push("--dest-cert-dir", join(folder, "to"));
    if ("reference" in source && source.caCertificate) {
      await certificateFolder(folder, "from", source.caCertificate);
      flags.push("--src-cert-dir", join(folder, "from"));
    }
    const from = "layout" in source ? `oci:${source.layout}` : `docker://${source.reference}`;
    const to = `docker://${target.registry}/${target.repository}:${target.tag}`;
    await run(["skopeo", "copy", "--quiet", ...flags, from, to], { signal, timeoutSeconds: copySeconds });
  });
}

/** Copies an image of a public registry into an OCI layout, under the name `image`. */
export async function pullImage(reference: string, layout: string, signal: AbortSignal): Promise<void> {
  const flags = ["--quiet", "--retry-times", "2"];
  const copy = ["skopeo", "copy", ...flags, `docker://${reference}`, `oci:${layout}:image`];
  await run(copy, { signal, timeoutSeconds: copySeconds });
}

/**
 * Digest of the image for one architecture that a reference names; of a list of images, the one
 * for Linux on that architecture.
 */
export async function resolveDigest(
  reference: string,
  architecture: Architecture,
  caCertificate: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  return withPrivateFolder(async (folder) => {
    const flags = ["--raw", "--retry-times", "2"];
    if (caCertificate) {
      await certificateFolder(folder, "from", caCertificate);
      flags.push("--cert-dir", join(folder, "from"));
    }
    const inspect = ["skopeo", "inspect", ...flags, `docker://${reference}`];
    const { bytes } = await run(inspect, { signal, timeoutSeconds: 300 });
    return manifestDigestFor(bytes, reference, architecture);
  });
}

/** Digest of a raw manifest, or of the one for the architecture when it is a list. */
export function manifestDigestFor(raw: Buffer, reference: string, architecture: Architecture): string {
  const manifest = JSON.parse(raw.toString()) as {
    manifests?: { digest: string; platform?: { os: string; architecture: string } }[];
  };
  if (!manifest.manifests) return `sha256:${createHash("sha256").update(raw).digest("hex")}`;
  const found = manifest.manifests.find(
    ({ platform }) => platform?.os === "linux" && platform.architecture === architecture,
  );
  if (!found)
    throw new Error(`${reference}: has no image for linux/${architecture}; choose another architecture`);
  return found.digest;
}

async function certificateFolder(folder: string, name: string, pem: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, "ca.crt"), pem);
}

function authJson({ registry, username, password }: RegistryAccess): string {
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  return JSON.stringify({ auths: { [registry]: { auth } } });
}

/** A folder only this user can enter, in memory where the system has such, gone afterwards. */
async function withPrivateFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(await memoryFolder(), "spillway-"));
  try {
    return await action(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function memoryFolder(): Promise<string> {
  if (process.platform !== "linux") return tmpdir();
  for (const folder of [process.env.XDG_RUNTIME_DIR, "/dev/shm", "/run"]) {
    const found = folder ? await statfs(folder).catch(() => undefined) : undefined;
    if (folder && found?.type === tmpfs) return folder;
  }
  throw new Error("no folder in memory for a registry password: mount a tmpfs at /dev/shm");
}
