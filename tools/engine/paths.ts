import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of this checkout. */
export const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where built and downloaded engines are kept; safe to delete, never part of a checkout. */
export function cacheRoot(env: Environment = process.env): string {
  return env.SPILLWAY_CACHE || join(env.XDG_CACHE_HOME || join(home(env), ".cache"), "spillway");
}

/** Where the state of stacks is kept by default: deleting it forgets what was provisioned. */
export function stateRoot(env: Environment = process.env): string {
  return join(env.XDG_STATE_HOME || join(home(env), ".local", "state"), "spillway");
}

/** The user's own Pulumi folder: login, plugins. */
export function pulumiHome(env: Environment = process.env): string {
  return env.PULUMI_HOME || join(home(env), ".pulumi");
}

function home(env: Environment): string {
  return env.HOME || homedir();
}
