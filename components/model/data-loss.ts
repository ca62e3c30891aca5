import type { Problem } from "./problem.ts";

/** Why data stays: nobody has said that it may go. */
export function dataLossProblem(found: string): Problem {
  return {
    path: "allowDataLoss",
    found,
    remedy:
      "move it away first; or, to lose it, say `allowDataLoss: true` of the volume or its store, let one `pulumi up` record that, then run again",
  };
}
