import { describe, expect, test } from "vitest";
import { type GlusterVolumeInputs, glusterVolume } from "../../components/gluster/volume.provider.ts";
import { StaticVolume } from "../../components/kubernetes/index.ts";
import { Refusal } from "../../components/model/problem.ts";
import { Places, plainPathProblems, volumeProblems } from "../../components/model/store.ts";
import {
  GlusterStore,
  type GlusterStoreArgs,
  HostStore,
  Site,
  VolumeMount,
} from "../../components/onprem/index.ts";
import type { Context } from "../../components/provider/resource.ts";
import { type Asked, build } from "./world.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";

const newSite = () =>
  new Site("paris", {
    range: "10.0.0.0/24",
    ssh: { privateKey: "canary-ssh" },
    hosts: {
      w1: { address: "10.0.0.21", hostKey },
      w2: { address: "10.0.0.22", hostKey },
      w3: { address: "10.0.0.23", hostKey },
    },
  });

const scratch = (site = newSite()) => new HostStore("scratch", { site, directories: { w1: "/srv/volumes" } });

async function problemsOf(program: () => unknown): Promise<string[]> {
  const refusal = await build(program).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toBeInstanceOf(Refusal);
  return (refusal as Refusal).problems.map(({ path, found }) => `${path}: ${found}`);
}

describe("places", () => {
  const places = new Places();
  places.take("w1", "/srv/volumes", 'HostStore "scratch"');

  test.each([
    ["/srv/volumes", ['place: /srv/volumes of w1 belongs to HostStore "scratch" already']],
    [
      "/srv/volumes/a",
      ['place: /srv/volumes/a of w1 overlaps /srv/volumes, which belongs to HostStore "scratch"'],
    ],
    ["/srv", ['place: /srv of w1 overlaps /srv/volumes, which belongs to HostStore "scratch"']],
    ["/srv/volumes2", []],
  ])("%s beside /srv/volumes", (path, expected) => {
    const problems = places.problems("place", "w1", path);
    expect(problems.map((problem) => `${problem.path}: ${problem.found}`)).toEqual(expected);
    expect(places.problems("place", "w2", path)).toEqual([]);
  });
});

test.each([
  "/",
  "srv",
  "/srv/",
  "/srv//a",
  "/srv/../etc",
  "/srv/.ssh",
  "/srv/a b",
  "/srv/$(id)",
  "/srv/-o",
  "",
])("%j is no plain absolute path", (path) => {
  expect(plainPathProblems("path", path, "/srv/data")).toHaveLength(1);
  expect(plainPathProblems("path", "/srv/data-1.d/x_y", "/srv/data")).toEqual([]);
});

test("a volume's arguments are judged all at once", () => {
  const found = (name: string, args: object, taken: string[] = []) =>
    volumeProblems("scratch", name, args, new Set(taken)).map(({ path }) => path);
  expect(found("Data", { capacityGiB: 0 })).toEqual(["name", "capacityGiB"]);
  for (const capacityGiB of [1e-10, 1e15, Number.NaN])
    expect(found("data", { capacityGiB })).toEqual(["capacityGiB"]);
  expect(found("data", {}, ["data"])).toEqual(["name"]);
  expect(found("a".repeat(32), { capacityGiB: 1.5 })).toEqual([]);
  expect(found("a".repeat(33), {})).toEqual(["name"]);
  expect(found("data", { allowDataloss: true })).toEqual(["allowDataloss"]);
});

describe("a host store", () => {
  test("makes a volume a directory of its own, which waits for the store's", async () => {
    const asked = await build(() => {
      const volume = scratch().volume("data");
      new VolumeMount("data", { volume, host: "w1", path: "/srv/data" });
    });
    const of = (name: string) => asked.find((one) => one.name === name)!;
    expect(of("scratch-w1-state").inputs).toMatchObject({ directories: { "/srv/volumes": {} } });
    expect(of("scratch-data-w1").inputs).toMatchObject({
      path: "/srv/volumes/data",
      holder: "organization/spillway/test/scratch/data",
      allowDataLoss: false,
    });
    expect(of("data-state").inputs).toMatchObject({
      name: "mount-data",
      mounts: { "/srv/data": { what: "/srv/volumes/data", type: "none", options: "bind" } },
    });
  });

  test("gives its word to the volumes that do not say otherwise", async () => {
    const asked = await build(() => {
      const site = newSite();
      const store = new HostStore("scratch", { site, directories: { w1: "/srv/v" }, allowDataLoss: true });
      store.volume("tmp");
      store.volume("kept", { allowDataLoss: false });
    });
    const word = (name: string) => asked.find((one) => one.name === name)!.inputs.allowDataLoss;
    expect([word("scratch-tmp-w1"), word("scratch-kept-w1")]).toEqual([true, false]);
  });

  test("refuses all that is wrong with it at once", async () => {
    const directories = { w1: "/srv/volumes/x", w4: "srv" };
    const bad = () => {
      const site = newSite();
      scratch(site);
      new HostStore("Other", { site, directories });
    };
    expect(await problemsOf(bad)).toEqual([
      'name: "Other" is no valid name',
      'directories.w1: /srv/volumes/x of w1 overlaps /srv/volumes, which belongs to HostStore "scratch"',
      'directories.w4: "w4" is no host of the site',
      'directories.w4: "srv" is no plain absolute path',
    ]);
    expect(await problemsOf(() => new HostStore("none", { site: newSite(), directories: {} }))).toEqual([
      "directories: no hosts",
    ]);
  });

  test("refuses a volume that it has, and one whose host is not told", async () => {
    const both = { w1: "/srv/volumes", w2: "/srv/volumes" };
    const twice = () => {
      const store = scratch();
      store.volume("data");
      store.volume("data");
    };
    expect(await problemsOf(twice)).toEqual(['name: the store has a volume "data" already']);
    const somewhere = () => new HostStore("s", { site: newSite(), directories: both }).volume("data");
    expect(await problemsOf(somewhere)).toEqual(["host: the store has directories on w1, w2"]);
    const capped = () => scratch().volume("data", { capacityGiB: 1 } as object);
    expect(await problemsOf(capped)).toEqual(["capacityGiB: there is no such argument"]);
  });
});

describe("a mount on a host", () => {
  test.each([
    [{ host: "w2" }, ['host: the volume "data" lies on w1 alone']],
    [{ host: "w9" }, ['host: "w9" is no host of the site']],
    [{ path: "data" }, ['path: "data" is no plain absolute path']],
    [{ path: "/srv/taken" }, ['path: /srv/taken of w1 belongs to VolumeMount "first" already']],
    [{ path: "/srv/volumes/data/in" }, [/overlaps \/srv\/volumes, which belongs to HostStore "scratch"/]],
  ])("is refused for %j", async (args, expected) => {
    const program = () => {
      const volume = scratch().volume("data");
      new VolumeMount("first", { volume, host: "w1", path: "/srv/taken" });
      new VolumeMount("mount", { volume, host: "w1", path: "/srv/data", ...args });
    };
    expect(await problemsOf(program)).toEqual(expected.map((text) => expect.stringMatching(text)));
  });
});

describe("a Gluster store", () => {
  const poolVolume = (asked: Asked[]) => asked.find(({ type }) => type === "spillway:gluster:Volume")!.inputs;
  const three = { w1: "/srv/bricks", w2: "/srv/bricks", w3: "/srv/bricks" };

  test("puts one copy on each host, the arbiter last, and lets only the site in", async () => {
    const asked = await build(() => {
      const store = new GlusterStore("shared", { site: newSite(), bricks: three, arbiter: "w2" });
      const volume = store.volume("data");
      new VolumeMount("data", { volume, host: "w3", path: "/srv/data" });
    });
    const of = (name: string) => asked.find((one) => one.name === name)!.inputs;
    expect(poolVolume(asked)).toMatchObject({
      volume: "shared-data",
      arbiter: true,
      bricks: [
        { host: "w1", path: "/srv/bricks/data" },
        { host: "w3", path: "/srv/bricks/data" },
        { host: "w2", path: "/srv/bricks/data" },
      ],
      options: { "auth.allow": "10.0.0.21,10.0.0.22,10.0.0.23,127.0.0.1", "network.ping-timeout": "10" },
    });
    // By names that stay when a host is replaced.
    expect(of("data-state").mounts).toEqual({
      "/srv/data": {
        what: "1.shared.paris.internal:/shared-data",
        type: "glusterfs",
        options: "_netdev,backup-volfile-servers=2.shared.paris.internal:3.shared.paris.internal",
      },
    });
    expect(of("shared-data-w3-client")).toMatchObject({
      packages: ["glusterfs-client"],
      hosts: { "w1.paris.internal": ["10.0.0.21"], "1.shared.paris.internal": ["10.0.0.21"] },
    });
  });

  test("names what is on hosts alike, however the program lists them", async () => {
    const inputs = async (bricks: Record<string, string>) => {
      const asked = await build(() => new GlusterStore("shared", { site: newSite(), bricks }).volume("data"));
      return poolVolume(asked);
    };
    const { w1, w2, w3 } = three;
    const alike = await inputs(three);
    expect(alike.bricks).toHaveLength(3);
    expect(await inputs({ w3, w1, w2 })).toEqual(alike);
  });

  test.each<[Partial<GlusterStoreArgs>, string[]]>([
    [{ bricks: { w1: "/srv/bricks", w2: "/srv/bricks" } }, ["bricks: 2 hosts"]],
    [{ bricks: { ...three, w3: "/srv/volumes/b" } }, []],
    [
      { bricks: { w1: "/srv/volumes/b", w2: "/dev/../sdb", w9: "/b" } },
      [
        'bricks.w1: /srv/volumes/b of w1 overlaps /srv/volumes, which belongs to HostStore "scratch"',
        'bricks.w2: "/dev/../sdb" is no plain absolute path',
        'bricks.w9: "w9" is no host of the site',
      ],
    ],
    [{ arbiter: "w4" }, ['arbiter: "w4" is no host of the site']],
  ])("given %j is refused for all that is wrong at once", async (args, expected) => {
    const program = () => {
      const site = newSite();
      scratch(site);
      new GlusterStore("shared", { site, bricks: three, ...args });
    };
    if (expected.length === 0) await build(program);
    else expect(await problemsOf(program)).toEqual(expected);
  });

  test("two stores never share a directory, nor a host's pool", async () => {
    const twice = () => {
      const site = newSite();
      new GlusterStore("one", { site, bricks: three });
      new GlusterStore("two", { site, bricks: three });
    };
    expect(await problemsOf(twice)).toHaveLength(6);
  });
});

describe("a replicated volume", () => {
  const volumeOn = (hosts: string[], arbiter: boolean): GlusterVolumeInputs => ({
    members: {},
    volume: "shared-data",
    bricks: hosts.map((host) => ({ host, path: "/srv/bricks/data" })),
    arbiter,
    options: {},
    rootDisk: false,
    of: 'GlusterStore "shared", volume "data"',
    allowDataLoss: false,
  });

  test.each<[string, GlusterVolumeInputs, string]>([
    [
      "loses its arbiter",
      volumeOn(["w1", "w2", "w3"], false),
      "the arbiter on w3, and shall have no arbiter",
    ],
    [
      "makes a copy of it",
      volumeOn(["w1", "w3", "w2"], true),
      "the arbiter on w3, and shall have the arbiter on w2",
    ],
    [
      "moves it to a host that leaves a copy",
      volumeOn(["w1", "w3", "w4"], true),
      "the arbiter on w3, and shall have the arbiter on w4",
    ],
  ])("that %s is refused in preview", async (_, wanted, found) => {
    const old = { id: "shared-data", inputs: volumeOn(["w1", "w2", "w3"], true), outputs: {} };
    const previewed = async () => glusterVolume.previewUpdate?.({} as Context, old, wanted);
    await expect(previewed()).rejects.toThrow(found);
  });
});

describe("a volume inside a cluster", () => {
  const mountsOn = (hosts: string[], paths = hosts.map(() => "/srv/data")) => {
    const bricks = { w1: "/srv/bricks", w2: "/srv/bricks", w3: "/srv/bricks" };
    const volume = new GlusterStore("shared", { site: newSite(), bricks }).volume("data");
    return hosts.map((host, i) => new VolumeMount(`m-${host}`, { volume, host, path: paths[i]! }));
  };

  test("is written by many pods on the nodes that mount it, and stays when the claim goes", async () => {
    const asked = await build(() => new StaticVolume("data", { mounts: mountsOn(["w2", "w1"]) }));
    const { spec } = asked.find(({ name }) => name === "data-volume")!.inputs as { spec: object };
    expect(spec).toMatchObject({
      accessModes: ["ReadWriteMany"],
      persistentVolumeReclaimPolicy: "Retain",
      local: { path: "/srv/data" },
      claimRef: { namespace: "default", name: "data" },
    });
    expect(JSON.stringify(spec)).toContain('"values":["w1","w2"]');
  });

  test("is written by one node where the store does not share it", async () => {
    const asked = await build(() => {
      const mount = new VolumeMount("m", { volume: scratch().volume("data"), host: "w1", path: "/srv/data" });
      new StaticVolume("data", { mounts: [mount] });
    });
    const claim = asked.find(({ name }) => name === "data-claim")!.inputs;
    expect(claim).toMatchObject({ spec: { accessModes: ["ReadWriteOnce"], volumeName: "data" } });
  });

  test("is refused without mounts, at several paths, and of several volumes", async () => {
    expect(await problemsOf(() => new StaticVolume("data", { mounts: [], capacityGiB: 0.5 }))).toEqual([
      "capacityGiB: 0.5",
      "mounts: no mounts",
    ]);
    const apart = () => new StaticVolume("data", { mounts: mountsOn(["w1", "w2"], ["/srv/a", "/srv/b"]) });
    expect(await problemsOf(apart)).toEqual(["mounts[1]: it is at /srv/b, not at /srv/a"]);
    const mixed = () => {
      const store = scratch();
      const mounts = ["a", "b"].map(
        (name) => new VolumeMount(name, { volume: store.volume(name), host: "w1", path: `/srv/${name}` }),
      );
      new StaticVolume("data", { mounts });
    };
    expect(await problemsOf(mixed)).toEqual([
      'mounts: 2 hosts would write the volume "a", which its store does not share',
      'mounts[1]: it is of the volume "b", not of "a"',
      "mounts[1]: it is at /srv/b, not at /srv/a",
    ]);
  });
});
