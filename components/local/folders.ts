import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What is fetched or built, and safe to delete: `$SPILLWAY_CACHE`, else `spillway` in the user's
 * cache folder.
 */
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
