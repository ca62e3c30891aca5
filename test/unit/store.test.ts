import { describe, expect, test } from "vitest";
import { Refusal } from "../../components/model/problem.ts";
import { Places, plainPathProblems, volumeProblems } from "../../components/model/store.ts";
import { HostStore, Site, VolumeMount } from "../../components/onprem/index.ts";
import { build } from "./world.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";

const newSite = () =>
  new Site("paris", {
    range: "10.0.0.0/24",
    ssh: { privateKey: "canary-ssh" },
    hosts: { w1: { address: "10.0.0.21", hostKey }, w2: { address: "10.0.0.22", hostKey } },
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
    const directories = { w1: "/srv/volumes/x", w3: "srv" };
    const bad = () => {
      const site = newSite();
      scratch(site);
      new HostStore("Other", { site, directories });
    };
    expect(await problemsOf(bad)).toEqual([
      'name: "Other" is no valid name',
      'directories.w1: /srv/volumes/x of w1 overlaps /srv/volumes, which belongs to HostStore "scratch"',
      'directories.w3: "w3" is no host of the site',
      'directories.w3: "srv" is no plain absolute path',
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
