import type { Context } from "../provider/resource.ts";
import { ConnectionError } from "./error.ts";

const VARIABLE = "SPILLWAY_DELETE_UNREACHABLE";

/**
 * Takes something back from a host. One that does not answer stops the delete, since what is on it
 * (a running node, keys) would be forgotten; with `SPILLWAY_DELETE_UNREACHABLE=true` it is given up.
 */
export async function orGiveUp(context: Context, takeBack: () => Promise<unknown>): Promise<void> {
  try {
    await takeBack();
  } catch (error) {
    if (!(error instanceof ConnectionError) || !error.transient) throw error;
    if (process.env[VARIABLE] !== "true") {
      throw new Error(`${error.message}, or, if it is gone for good, run with ${VARIABLE}=true`);
    }
    context.warn(`given up, what is on host ${error.host} stays there: ${error.reason}`);
  }
}
