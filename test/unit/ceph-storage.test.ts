import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { CephStorage, type CephStorageArgs } from "../../components/kubernetes/index.ts";
import { CephStore, Site } from "../../components/onprem/index.ts";
import { build } from "./world.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";

function store(): CephStore {
  const site = new Site("paris", {
    range: "10.0.0.0/24",
    ssh: { privateKey: pulumi.secret("canary-ssh") },
    hosts: { s1: { address: "10.0.0.31", hostKey } },
  });
  return new CephStore("shared", { site, monitors: ["s1"], osds: { s1: ["/dev/sdb"] }, replicas: 1 });
}

async function kubernetes(argsOf: (ceph: CephStore) => CephStorageArgs) {
  const asked = await build(() => new CephStorage("ceph", argsOf(store())));
  return asked.filter(({ type }) => type.startsWith("kubernetes:"));
}

test("files alone take one driver, whose class names its file system and its secrets", async () => {
  const made = await kubernetes((ceph) => ({ store: ceph, values: { provisioner: { replicaCount: 1 } } }));
  expect(made.map(({ name }) => name).sort()).toEqual([
    "ceph-files",
    "ceph-files",
    "ceph-files-user",
    "ceph-namespace",
  ]);
  const chart = made.find(({ type }) => type.endsWith(":Chart"))!.inputs as {
    chart: string;
    values: { csiConfig: { monitors: string[] }[]; provisioner: object };
  };
  expect(chart.chart).toBe("ceph-csi-cephfs");
  expect(chart.values.csiConfig[0]!.monitors).toEqual(["10.0.0.31:6789"]);
  expect(chart.values.provisioner).toEqual({ replicaCount: 1 });
  const made1 = made.find(({ type }) => type.endsWith(":StorageClass"))!.inputs as {
    provisioner: string;
    parameters: Record<string, string>;
  };
  expect(made1.provisioner).toBe("cephfs.csi.ceph.com");
  expect(made1.parameters).toMatchObject({
    fsName: "shared",
    "csi.storage.k8s.io/provisioner-secret-name": "ceph-files-user",
    "csi.storage.k8s.io/node-stage-secret-namespace": "ceph-csi",
  });
});

test("a pool of block devices adds a class of its own", async () => {
  const made = await kubernetes((ceph) => ({ store: ceph, blockPool: ceph.blockPool("kubernetes") }));
  const classes = made.filter(({ type }) => type.endsWith(":StorageClass"));
  expect(classes.map(({ name }) => name).sort()).toEqual(["ceph-blocks", "ceph-files"]);
  const blocks = classes.find(({ name }) => name === "ceph-blocks")!.inputs as {
    parameters: Record<string, string>;
  };
  expect(blocks.parameters.pool).toBe("shared.kubernetes");
});

test("what is misspelt is refused", async () => {
  const bad = (ceph: CephStore) =>
    ({ store: ceph, pool: "x", namespace: "No" }) as unknown as CephStorageArgs;
  await expect(kubernetes(bad)).rejects.toThrow(/pool: there is no such argument/);
});
