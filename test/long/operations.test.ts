import { afterAll, beforeAll, expect, test } from "vitest";
import { backup } from "../../components/operations/backup.provider.ts";
import { migration } from "../../components/operations/migration.provider.ts";
import { restore } from "../../components/operations/restore.provider.ts";
import { hostState } from "../../components/ssh/host-state.provider.ts";
import { context, makeWorld, type World } from "../lab/ssh-world.ts";
import { fillTree, treeOf } from "../lab/trees.ts";

let world: World;

beforeAll(async () => {
  world = await makeWorld(1);
  const packages = ["acl", "attr", "restic", "rsync"];
  await hostState.create(context(), { connection: world.connections.h1!, name: "tools", packages });
  await world.inside("h1", "mkdir -p /srv/volumes/data /srv/volumes/again /srv/volumes/moved");
  await world.inside("h1", `cd /srv/volumes/data\n${fillTree(10_000, 1024)}`);
});

afterAll(() => world?.destroy());

test("ten thousand small files and one of 1 GiB come back, and move, as they were", async () => {
  const connection = world.connections.h1!;
  const volume = (name: string) => ({ volume: `disk/${name}`, directory: `/srv/volumes/${name}` });
  const repository = { directory: "/srv/backups", password: "a-password-of-the-test" };
  const common = { connection, name: "large", trigger: "" };
  const took: Record<string, string> = {};
  const timed = async <T>(what: string, work: () => Promise<T>) => {
    const began = performance.now();
    const done = await work();
    took[what] = `${((performance.now() - began) / 1000).toFixed(1)} s`;
    return done;
  };
  const kept = { ...common, identity: "large", volume: volume("data"), repository, ownPassword: true };
  const point = await timed("backup with check", () =>
    backup.create(context(), { ...kept, readBackPercent: 0, allowDataLoss: false }),
  );
  const from = { repository, snapshotId: point.outputs.snapshotId, pinned: true };
  await timed("restore with comparison", () =>
    restore.create(context(), { ...common, volume: volume("again"), overwrite: false, backup: from }),
  );
  const moving = { ...common, volume: volume("moved"), overwrite: false, from: volume("data") };
  await timed("migration with comparison", () => migration.create(context(), moving));
  console.log(took);
  const original = await treeOf(world.lab, "h1", "/srv/volumes/data");
  for (const name of ["again", "moved"]) {
    expect(await treeOf(world.lab, "h1", `/srv/volumes/${name}`), name).toBe(original);
  }
});
