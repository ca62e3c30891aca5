import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { pulumiHome, stateRoot } from "../../components/local/folders.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where stacks are kept and how their secrets are locked. */
export interface Backend {
  /** Folder of the default local backend; `undefined` when the user chose one by login or environment. */
  local: string | undefined;
  /** Variables to add to the environment of Pulumi. */
  env: Record<string, string>;
}

/**
 * The user's choice, made by `PULUMI_BACKEND_URL` or `pulumi login`, else a folder of this account
 * with a passphrase made once.
 */
export function backend(env: Environment = process.env, extraHome?: string): Backend {
  if (env.PULUMI_BACKEND_URL) return { local: undefined, env: {} };
  const credentials = [env.PULUMI_CREDENTIALS_PATH || pulumiHome(env), extraHome].find(
    (folder) => folder !== undefined && isLoggedIn(folder),
  );
  if (credentials !== undefined) return { local: undefined, env: { PULUMI_CREDENTIALS_PATH: credentials } };
  if (env.PULUMI_ACCESS_TOKEN) return { local: undefined, env: {} };
  const local = stateRoot(env);
  mkdirSync(local, { recursive: true, mode: 0o700 });
  const hasPassphrase = env.PULUMI_CONFIG_PASSPHRASE !== undefined || env.PULUMI_CONFIG_PASSPHRASE_FILE;
  return {
    local,
    env: {
      PULUMI_BACKEND_URL: pathToFileURL(local).href,
      ...(hasPassphrase ? {} : { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile(local) }),
    },
  };
}

function isLoggedIn(folder: string): boolean {
  try {
    const { current } = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8")) as {
      current?: string;
    };
    return Boolean(current);
  } catch {
    return false;
  }
}

/** Made whole or not at all, and never twice: a second passphrase would lock out the first one's stacks. */
function passphraseFile(folder: string): string {
  const path = join(folder, "passphrase");
  if (existsSync(path)) return path;
  const fresh = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
  writeFileSync(fresh, randomBytes(24).toString("base64url"), { mode: 0o600, flag: "wx" });
  try {
    linkSync(fresh, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  return path;
}
