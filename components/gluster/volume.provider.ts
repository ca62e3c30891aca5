import type { Connection } from "../model/connection.ts";
import { dataLossProblem } from "../model/data-loss.ts";
import { refuse } from "../model/problem.ts";
import { differenceOf } from "../provider/difference.ts";
import type { Context, Existing, ResourceType } from "../provider/resource.ts";
import { onHost } from "../ssh/session.ts";
import { orGiveUp } from "../ssh/unreachable.ts";
import { anyMember, liveMembers, type Members } from "./pool.ts";
import { CLEAR, ENSURE, FORESEE, HOLDS, REMOVE, STATE } from "./volume-scripts.ts";

/** A directory of a host that holds one copy of a volume. */
export interface Brick {
  host: string;
  path: string;
}

export interface GlusterVolumeInputs {
  /** Every host of the pool. */
  members: Members;
  /** Name of the volume in the pool. */
  volume: string;
  /** One copy each; with `arbiter` the last holds names and attributes alone. */
  bricks: Brick[];
  arbiter: boolean;
  /** By name; see `gluster volume set help`. */
  options: Record<string, string>;
  /** Bricks may lie on the hosts' root file system. */
  rootDisk: boolean;
  /** Whose it is, for messages. */
  of: string;
  /** It may go with what is in it. */
  allowDataLoss: boolean;
}

/** Stands in the state for a brick whose directory was lost. */
const LOST = "(lost)";

const nameOf = ({ members }: GlusterVolumeInputs, brick: Brick): string =>
  `${members[brick.host]!.name}:${brick.path}`;

const optionsOf = ({ options }: GlusterVolumeInputs): string =>
  Object.entries(options)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");

async function ensure(context: Context, inputs: GlusterVolumeInputs, reset: Brick[] = []): Promise<void> {
  const { volume, bricks, arbiter, rootDisk, of, members } = inputs;
  const member = await anyMember(of, members, context);
  const values = {
    VOLUME: volume,
    LAYOUT: arbiter ? "replica 3 arbiter 1" : "replica 3",
    BRICKS: bricks.map((brick) => nameOf(inputs, brick)).join(" "),
    ARBITER: arbiter ? nameOf(inputs, bricks.at(-1)!) : "",
    RESET: reset.map((brick) => nameOf(inputs, brick)).join(" "),
    FORCE: rootDisk ? "force" : "",
  };
  await onHost(member.connection, context, (session) =>
    session.step(
      {
        name: `gluster-${volume}`,
        text: ENSURE,
        values,
        files: { OPTIONS: optionsOf(inputs) },
        timeoutSeconds: context.timeoutSeconds || 3600,
      },
      context,
    ),
  );
}

/** Refuses all bricks that Gluster would take although they do harm, or would refuse late. */
async function foresee(context: Context, inputs: GlusterVolumeInputs, bricks: Brick[]): Promise<void> {
  const problems = await Promise.all(
    bricks.map(async ({ host, path }) => {
      const script = { name: `look at ${path}`, text: FORESEE, values: { BRICK: path }, timeoutSeconds: 60 };
      const { connection } = inputs.members[host]!;
      const [disk, entries] = (
        await onHost(connection, context, (session) => session.run(script, context), { change: false })
      )
        .trim()
        .split("\n");
      return [
        ...(disk === "root" && !inputs.rootDisk
          ? [
              {
                path: `bricks.${host}`,
                found: `${path} lies on the disk of the root file system, which a volume can fill up`,
                remedy: "mount a disk of its own there, or say `rootDisk: true` of the store",
              },
            ]
          : []),
        ...(Number(entries) > 0
          ? [
              {
                path: `bricks.${host}`,
                found: `${path} on host ${host} holds data that is not this volume's`,
                remedy: "move it away, or give the volume another name",
              },
            ]
          : []),
      ];
    }),
  );
  refuse(inputs.of, problems.flat());
}

/** Those in places where the volume had none; a brick that was lost is at its own place. */
function newBricks(old: GlusterVolumeInputs, inputs: GlusterVolumeInputs): Brick[] {
  return inputs.bricks.filter(
    ({ host, path }) =>
      !old.bricks.some((brick) => brick.host === host && (brick.path === path || brick.path === LOST)),
  );
}

/** A copy becomes no arbiter, nor the other way round: Gluster has no way that keeps the data safe all along. */
function refuseLayout(old: GlusterVolumeInputs, inputs: GlusterVolumeInputs): void {
  const arbiterOf = ({ arbiter, bricks }: GlusterVolumeInputs) => (arbiter ? bricks.at(-1)!.host : undefined);
  const [before, after] = [arbiterOf(old), arbiterOf(inputs)];
  const has = ({ bricks }: GlusterVolumeInputs, host?: string) => bricks.some((brick) => brick.host === host);
  if (before === after) return;
  if (before && after && !has(inputs, before) && !has(old, after)) return;
  const name = (host?: string) => (host === undefined ? "no arbiter" : `the arbiter on ${host}`);
  refuse(inputs.of, [
    {
      path: "arbiter",
      found: `the volume has ${name(before)}, and shall have ${name(after)}`,
      remedy:
        "make a store as you want it and move the data by a Migration; or name a host that is not in the store yet",
    },
  ]);
}

/** Asks the host of each brick. */
async function holdings(context: Context, inputs: GlusterVolumeInputs, bricks: Brick[]) {
  return Promise.all(
    bricks.map(async (brick) => {
      const { connection } = inputs.members[brick.host]!;
      const script = {
        name: "look at a brick",
        text: HOLDS,
        values: { BRICK: brick.path },
        timeoutSeconds: 60,
      };
      let said = "unknown";
      const look = async () => {
        const printed = await onHost(connection, context, (session) => session.run(script, context), {
          change: false,
        });
        said = printed.trim();
      };
      return { brick, said: () => said, look };
    }),
  );
}

async function clear(context: Context, connection: Connection, brick: Brick): Promise<void> {
  const script = { name: `remove ${brick.path}`, text: CLEAR, values: { BRICK: brick.path } };
  await orGiveUp(context, () => onHost(connection, context, (session) => session.run(script, context)));
}

/** A replicated volume of a trusted pool. */
export const glusterVolume: ResourceType<GlusterVolumeInputs, Record<never, never>> = {
  token: "spillway:gluster:Volume",
  words: ["allowDataLoss"],
  computed: [],
  unfinishedId: ({ volume }) => volume,
  diff: (old, inputs) =>
    differenceOf(old.inputs, inputs, { ignore: ["members", "of"], replaceOn: ["volume"] }),

  preview: (context, inputs) => foresee(context, inputs, inputs.bricks),

  async previewUpdate(context, old, inputs) {
    refuseLayout(old.inputs, inputs);
    await foresee(context, inputs, newBricks(old.inputs, inputs));
  },

  async create(context, inputs) {
    await foresee(context, inputs, inputs.bricks);
    await ensure(context, inputs);
    return { id: inputs.volume, outputs: {} };
  },

  async read(context, old) {
    const { inputs } = old;
    const member = await anyMember(inputs.of, inputs.members, context);
    const script = {
      name: "look at the volume",
      text: STATE,
      values: { VOLUME: inputs.volume },
      files: { OPTIONS: optionsOf(inputs) },
      timeoutSeconds: 120,
    };
    const printed = await onHost(member.connection, context, (session) => session.run(script, context), {
      change: false,
    });
    const [state, ...lines] = printed.trim().split("\n");
    if (state === "absent") return undefined;
    const options = lines.flatMap((line) => {
      const [kind, key = "", ...value] = line.split(" ");
      return kind === "option" ? [[key, value.join(" ")]] : [];
    });
    const looks = await holdings(context, inputs, inputs.bricks);
    await Promise.all(looks.map(({ look }) => look()));
    const known = lines.flatMap((line) => (line.startsWith("brick ") ? [line.slice(6)] : []));
    const bricks = looks.map(({ brick, said }) => {
      const lost = said() === "gone" || said() === "lost" || !known.includes(nameOf(inputs, brick));
      return lost ? { ...brick, path: LOST } : brick;
    });
    const found = { ...Object.fromEntries(options), ...(state === "stopped" ? { stopped: "yes" } : {}) };
    return { inputs: { ...inputs, bricks, options: found }, outputs: {} };
  },

  async update(context, old, inputs) {
    refuseLayout(old.inputs, inputs);
    const lost = inputs.bricks.filter((brick) =>
      old.inputs.bricks.some(({ host, path }) => host === brick.host && path === LOST),
    );
    // A disk that is only not mounted looks like a lost brick, on the disk of the root file system.
    await foresee(context, inputs, [...newBricks(old.inputs, inputs), ...lost]);
    await ensure(context, inputs, lost);
    for (const brick of old.inputs.bricks) {
      const stays = inputs.bricks.some(({ host, path }) => host === brick.host && path === brick.path);
      const { connection } = old.inputs.members[brick.host]!;
      if (!stays && brick.path !== LOST) await clear(context, connection, brick);
    }
    return {};
  },

  async delete(context, { inputs }: Existing<GlusterVolumeInputs, object>) {
    const { members, of, volume, allowDataLoss } = inputs;
    const bricks = inputs.bricks.filter(({ path }) => path !== LOST);
    const looks = await holdings(context, inputs, bricks);
    for (const { look } of looks) await orGiveUp(context, look);
    const held = looks.find(({ said }) => Number(said()) > 0);
    if (held && !allowDataLoss)
      refuse(of, [dataLossProblem(`the volume holds data (${held.said()} at its top)`)]);
    const [member = Object.values(members)[0]!] = await liveMembers(members, context);
    const script = {
      name: `remove ${volume}`,
      text: REMOVE,
      values: { VOLUME: volume },
      timeoutSeconds: 240,
    };
    await orGiveUp(context, () =>
      onHost(member.connection, context, (session) => session.run(script, context)),
    );
    for (const brick of bricks) await clear(context, members[brick.host]!.connection, brick);
  },
};
