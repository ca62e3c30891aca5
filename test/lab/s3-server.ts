import { join } from "node:path";
import { cached, entryName } from "../../components/local/cache.ts";
import { cacheRoot } from "../../components/local/folders.ts";
import { goEnvironment, requireGo } from "../../components/local/go.ts";
import { run } from "../../components/local/run.ts";

const version = "1.8.0";
const module = join(import.meta.dirname, "modules", "versitygw");

/** Versity's S3 gateway over a directory, built once from its Go module: a real server for what talks S3. */
export async function s3Server(): Promise<{ path: string; sha256: string }> {
  const entry = await cached({
    folder: join(cacheRoot(), "artifacts", entryName("versitygw", version, [])),
    make: async (folder) => {
      await requireGo({ module, what: "versitygw", otherwise: "which these tests need" });
      const program = "github.com/versity/versitygw/cmd/versitygw";
      await run(["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", folder, program], {
        cwd: module,
        env: { ...goEnvironment, CGO_ENABLED: "0" },
        timeoutSeconds: 0,
      });
    },
  });
  return { path: join(entry.folder, "versitygw"), sha256: entry.files.versitygw! };
}
