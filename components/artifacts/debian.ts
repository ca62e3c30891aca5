import { chmod, cp, lstat, mkdir, readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../local/run.ts";
import type { Architecture } from "./list.ts";
import type { Work } from "./work.ts";

/** Parts of packages that no program in an image reads. */
const unread = ["usr/share", "usr/lib/*/gconv", "usr/lib/*/audit", "etc/ld.so.conf.d"];

const missing = "Debian packages are unpacked with apt-get and dpkg-deb: build on Debian or Ubuntu";

/** Unpacks Debian packages of this machine's release into a folder, without their install scripts. */
export async function addPackages(
  root: string,
  packages: readonly string[],
  architecture: Architecture,
  work: Work,
): Promise<void> {
  const folder = `${root}.packages`;
  await mkdir(folder);
  const names = packages.map((name) => `${name}:${architecture}`);
  try {
    await run(["apt-get", "-o", "APT::Sandbox::User=root", "download", ...names], {
      cwd: folder,
      signal: work.signal,
      missing,
      timeoutSeconds: 600,
    });
  } catch (error) {
    throw new Error(`downloading ${packages.join(", ")}: ${(error as Error).message}; try: apt-get update`);
  }
  for (const archive of (await readdir(folder)).sort()) {
    await run(["dpkg-deb", "--extract", join(folder, archive), root], { signal: work.signal, missing });
  }
  await rm(folder, { recursive: true });
  await mergeFolders(root);
  for (const pattern of unread) await removeMatching(root, pattern.split("/"));
  if (packages.includes("iptables")) await linkIptables(join(root, "usr/sbin"));
}

/** `/lib` and its like become links into `/usr`, as on an installed system of any release. */
async function mergeFolders(root: string): Promise<void> {
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    const old = join(root, name);
    const merged = join(root, "usr", name);
    await mkdir(merged, { recursive: true });
    await chmod(merged, 0o755);
    if (await isFolder(old)) {
      await cp(old, merged, { recursive: true, verbatimSymlinks: true });
      await rm(old, { recursive: true });
    }
    await symlink(`usr/${name}`, old);
  }
}

async function removeMatching(root: string, [first, ...rest]: string[]): Promise<void> {
  const names = first === "*" ? await readdir(root) : [first!];
  for (const name of names) {
    const path = join(root, name);
    if (rest.length === 0) await rm(path, { recursive: true, force: true });
    else if (await isFolder(path)) await removeMatching(path, rest);
  }
}

/** Debian's install script would choose nftables over the legacy tables as well. */
async function linkIptables(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name !== "xtables-nft-multi") await rm(join(folder, name));
  }
  for (const family of ["iptables", "ip6tables"]) {
    for (const suffix of ["", "-save", "-restore"]) {
      await symlink("xtables-nft-multi", join(folder, `${family}${suffix}`));
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}
