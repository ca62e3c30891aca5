import type { Capacity } from "../model/store.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { ConnectionError, onHost } from "../ssh/session.ts";
import { liveMembers, type Members } from "./pool.ts";

export interface StatusInputs {
  members: Members;
  /** Directories of the bricks, by host; an arbiter's is left out. */
  bricks: Record<string, string>;
  /** Always; a refresh that finds it otherwise makes the next update look again. */
  healthy: boolean;
}

export interface StatusOutputs {
  health: string;
  capacity: Capacity;
}

/** A line for each copy that is behind or not there, and for what nobody says. */
export const HEALTH = `
if ! volumes=$(gluster --mode=script volume list 2>&1); then
  case $volumes in "No volumes"*) ;; *) echo "the volumes are not known: $volumes" | head -n 1 ;; esac
  exit 0
fi
for volume in $(printf '%s\\n' "$volumes" | grep -v '^No volumes' || :); do
  if ! heals=$(gluster --mode=script volume heal "$volume" info 2>/dev/null); then
    echo "$volume: what is left to heal is not known"
    continue
  fi
  printf '%s\\n' "$heals" | awk -v volume="$volume" '
    /^Brick / { brick = $2 }
    /^Status:/ && !/Connected/ { print volume ": " brick " is not connected" }
    /^Number of entries:/ && $4 + 0 > 0 { print volume ": " $4 " entries to heal, as " brick " sees it" }'
done
`;

const SPACE = `df -P -B1 "$DIRECTORY" | awk 'NR == 2 { print $2, $3, $4 }'`;

async function look({ members, bricks }: StatusInputs, context: Context): Promise<StatusOutputs> {
  const live = await liveMembers(members, context);
  const silent = Object.keys(members).filter((host) => !live.some((member) => member.host === host));
  const spaces = await Promise.all(
    Object.entries(bricks).map(async ([host, path]) => {
      const script = {
        name: `space of ${path}`,
        text: SPACE,
        values: { DIRECTORY: path },
        timeoutSeconds: 60,
      };
      return onHost(members[host]!.connection, context, (session) => session.run(script, context), {
        change: false,
      }).catch((error: unknown) => {
        if (error instanceof ConnectionError) return "";
        throw error;
      });
    }),
  );
  const figures = spaces.flatMap((text) => (text.trim() === "" ? [] : [text.trim().split(" ").map(Number)]));
  // Every brick holds all of it: the smallest decides.
  const least = (index: number) => Math.min(...figures.map((each) => each[index] ?? 0));
  const problems = silent.map((host) => `no glusterd answers on ${host}`);
  const first = live[0];
  if (first) {
    const script = { name: "health of the volumes", text: HEALTH, timeoutSeconds: 240 };
    const printed = await onHost(first.connection, context, (session) => session.run(script, context), {
      change: false,
    });
    problems.push(...printed.split("\n").filter((line) => line !== ""));
  }
  const used = Math.max(0, ...figures.map((each) => each[1] ?? 0));
  const capacity =
    figures.length === 0
      ? { total: 0, used: 0, available: 0 }
      : { total: least(0), used, available: least(2) };
  const word = live.length > Object.keys(members).length / 2 ? "HEALTH_WARN" : "HEALTH_ERR";
  return { health: problems.length === 0 ? "HEALTH_OK" : `${word}: ${problems.join("; ")}`, capacity };
}

/** How a trusted pool and its volumes are; changes nothing itself. */
export const status: ResourceType<StatusInputs, StatusOutputs> = {
  token: "spillway:gluster:Status",
  computed: ["health", "capacity"],
  diff: (old, inputs) => differenceOf(old.inputs, inputs, { ignore: ["members"] }),
  async create(context, inputs) {
    return { id: "status", outputs: await look(inputs, context) };
  },
  async read(context, { inputs }) {
    const outputs = await look(inputs, context);
    return { inputs: { ...inputs, healthy: outputs.health === "HEALTH_OK" }, outputs };
  },
  renews: () => ["health", "capacity"],
  update: (context, _old, inputs) => look(inputs, context),
  async delete() {},
};
