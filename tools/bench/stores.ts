import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as control from "../../components/lab/control.ts";
import type { Connection } from "../../components/model/connection.ts";
import type { Stack } from "../../test/lab/stack.ts";
import { storePackages } from "../../test/lab/store-packages.ts";
import { underWriter } from "../../test/lab/writer.ts";
import { child } from "./child.ts";
import { writeSshConfig } from "./lab.ts";
import { type Measure, said, seconds } from "./measure.ts";
import { rounds } from "./options.ts";
import { benchStack, mustEnd, pulumi, UP } from "./stack.ts";
import { tidy } from "./tidy.ts";

const hosts = ["s1", "s2", "s3"];

/** A kind of store, in a program and in shell. */
interface Kind {
  name: string;
  /** Program text that makes `store`. */
  store: string;
  /** What it makes, for the table. */
  what: string;
  script: string;
  /** Shell text for s1 that succeeds when every part of the store is there and whole. */
  healthy: string;
}

const kinds: Kind[] = [
  {
    name: "ceph",
    store: `const osds = Object.fromEntries(hosts.map((host) => [host, ["/dev/sdb"]]));
const store = new CephStore("shared", { site, monitors: hosts, osds, osdMemoryMiB: 896, allowDataLoss: true });`,
    what: "up of a CephStore (3 monitors, 3 OSDs), a volume on 2 hosts",
    script: "bare-ceph.sh",
    healthy: "timeout -k 5 30 ceph health | grep -q ^HEALTH_OK",
  },
  {
    name: "gluster",
    store: `const bricks = Object.fromEntries(hosts.map((host) => [host, "/srv/disk/bricks"]));
const store = new GlusterStore("shared", { site, bricks, allowDataLoss: true });`,
    what: "up of a GlusterStore (replica 3), a volume on 2 hosts",
    script: "bare-gluster.sh",
    healthy: `gluster volume heal shared-data info | awk '
      /^Status:/ && !/Connected/ { away = 1 } /^Number of entries:/ { left += $4; n++ }
      END { exit away || left > 0 || n < 3 }'`,
  },
];

const program = (lab: string, { store }: Kind) => `
import * as pulumi from "@pulumi/pulumi";
import { CephStore, GlusterStore, Site, VolumeMount } from "spillway/lab";
const hosts = ${JSON.stringify(hosts)};
const disks = Object.fromEntries(hosts.map((host) => [host, { sdb: 6 }]));
const packages = ${JSON.stringify(storePackages)};
const site = new Site("${lab}", { hosts, packages, disks, diskBinds: ["/srv/disk"] });
export const connections = pulumi.secret(pulumi.all(hosts.map((host) => site.connection(host))));
if (process.env.STORE) make();
function make() {
  ${store}
  const volume = store.volume("data");
  for (const host of hosts.slice(0, 2)) new VolumeMount(\`data-\${host}\`, { volume, host, path: "/srv/data" });
}
`;

/**
 * A store on three hosts that have its packages. By turns `pulumi up` makes it, and a shell script gives the
 * same commands; both end when a volume is mounted on two hosts.
 */
export async function stores(): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const kind of kinds) {
    measures.push(...(await storeOf(kind)));
    await tidy();
  }
  return measures;
}

async function storeOf(kind: Kind): Promise<Measure[]> {
  const lab = `bench-${kind.name}`;
  const stack = benchStack({ name: lab, program: program(lab, kind), labs: [lab] });
  await pulumi(stack, ...UP);
  const folder = await prepare(stack);
  const script = (word: "up" | "down") =>
    child(["bash", fileURLToPath(new URL(kind.script, import.meta.url)), folder, word]);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds(3); round++) {
    ours.push(said("pulumi up", mustEnd(await stack.up({ STORE: "yes" })).seconds));
    await pulumi(stack, ...UP);
    bare.push(await seconds("shell script", () => script("up")));
    await script("down");
  }
  mustEnd(await stack.up({ STORE: "yes" }));
  return [
    {
      bench: "stores",
      what: kind.what,
      unit: "s",
      ours,
      other: { what: "the store's commands by a parallel shell script", values: bare },
      limit: { mostTimes: 1.25 },
    },
    ...(await lossOf(lab, kind)),
  ];
}

/** A host loses its power under a writer that reads every line back, and comes again after half a minute. */
async function lossOf(lab: string, { name, healthy }: Kind): Promise<Measure[]> {
  const mounted = { lab, writer: "s1", reader: "s2", directory: "/srv/data" };
  const pauses: number[] = [];
  const returns: number[] = [];
  for (let round = 0; round < rounds(3); round++) {
    const { pause, result } = await underWriter(mounted, async () => {
      // A host without power closes no connection; the lab's kernel would.
      await control.exec(lab, "s3", ["sh", "-c", "iptables -I INPUT -j DROP; iptables -I OUTPUT -j DROP"]);
      await control.powerCut(lab, "s3");
      await sleep(30_000);
      await control.boot(lab, "s3");
      return seconds("healthy after the boot", () => untilWhole(lab, healthy));
    });
    pauses.push(said("longest pause of the writer", pause));
    returns.push(result);
  }
  const of = (what: string, ours: number[]): Measure => ({
    bench: "stores",
    what: `${name}: ${what}`,
    unit: "s",
    ours,
  });
  return [
    of("longest pause of a writer while a host loses its power and returns", pauses),
    of("from the host's boot until all is whole again", returns),
  ];
}

async function untilWhole(lab: string, healthy: string): Promise<void> {
  for (const end = Date.now() + 600_000; Date.now() < end; await sleep(1000)) {
    const { code } = await control.exec(lab, "s1", ["sh", "-c", healthy]);
    if (code === 0) return;
  }
  throw new Error("not whole again after ten minutes");
}

/** Writes what the shell scripts need. */
async function prepare(stack: Stack): Promise<string> {
  const { connections } = await stack.outputs<{ connections: Connection[] }>();
  const folder = join(stack.folder, "bare");
  mkdirSync(folder, { mode: 0o700 });
  writeSshConfig(folder, connections);
  writeFileSync(
    join(folder, "hosts"),
    connections.map(({ host, address }) => `${host} ${address}\n`).join(""),
  );
  return folder;
}
