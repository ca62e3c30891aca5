import type { Context } from "../provider/resource.ts";
import { ConnectionError } from "./error.ts";

const VARIABLE = "SPILLWAY_DELETE_UNREACHABLE";

/** How somebody says that what does not answer is given up. */
export const GIVE_UP = `${VARIABLE}=true`;

/** Whether somebody says so. */
export const givesUp = (): boolean => process.env[VARIABLE] === "true";

/**
 * Takes something back from a host. One that does not answer, or lets nobody in, stops the delete, since what is on it
 * (a running node, keys) would be forgotten; with `SPILLWAY_DELETE_UNREACHABLE=true` it is given up.
 */
export async function orGiveUp(context: Context, takeBack: () => Promise<unknown>): Promise<void> {
  try {
    await takeBack();
  } catch (error) {
    // A machine that was set up anew, or another one at its address, refuses as one that is gone is silent.
    if (!(error instanceof ConnectionError)) throw error;
    if (!givesUp()) {
      throw new Error(`${error.message}, or, if it is gone for good, run with ${GIVE_UP}`);
    }
    context.warn(`given up, what is on host ${error.host} stays there: ${error.reason}`);
  }
}
