import { run } from "../local/run.ts";
import type { Work } from "./work.ts";

/** Packs a folder as a `.tar.gz`: the same bytes from the same files, whoever packs. */
export async function packFolder(
  folder: string,
  archive: string,
  without: readonly string[],
  work: Work,
): Promise<void> {
  const fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  const form = ["--format=ustar", "--mode=u=rwX,go=rX", "--use-compress-program=gzip -n"];
  const left = without.map((name) => `--exclude=./${name}`);
  await run(["tar", ...fixed, ...form, ...left, "-C", folder, "-cf", archive, "."], {
    signal: work.signal,
    env: { LC_ALL: "C" },
    timeoutSeconds: 600,
  });
}
