import { LEAST_GIB } from "../ceph/device.ts";
import { hostNameProblems, nameProblems, quote } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import { argumentProblems, flag, given, list, map, named, number, text } from "../model/shape.ts";
import { plainPathProblems, volumeProblems } from "../model/store.ts";
import type { CephBlockPoolArgs } from "./ceph-block-pool.ts";
import type { CephDevice, CephStoreArgs } from "./ceph-store.ts";
import { placesOf } from "./store.ts";

const CEPH_STORE_SHAPE = named({
  site: given,
  monitors: list(text),
  osds: map(list(named({ device: text, wipe: flag }))),
  replicas: number,
  osdMemoryMiB: number,
  allowDataLoss: flag,
});

/** What is wrong with a Ceph store's arguments. */
export function cephStoreProblems(name: string, args: CephStoreArgs): Problem[] {
  return argumentProblems(CEPH_STORE_SHAPE, { ...args, osds: inFull(args.osds) }, (args) => {
    return [
      ...nameProblems("name", name),
      ...monitorProblems(args),
      ...neighbourProblems(args),
      ...osdProblems(args),
      ...replicaProblems(args),
      ...(args.osdMemoryMiB === undefined || args.osdMemoryMiB >= 896
        ? []
        : [
            {
              path: "osdMemoryMiB",
              found: `${args.osdMemoryMiB}, with which an OSD does not work`,
              remedy: "give at least 896",
            },
          ]),
    ];
  });
}

/** Devices named by their path alone, written out. */
export function inFull(osds: CephStoreArgs["osds"]): Record<string, CephDevice[]> {
  if (typeof osds !== "object" || osds === null) return osds as never;
  const each = (devices: unknown) =>
    Array.isArray(devices)
      ? devices.map((device) => (typeof device === "string" ? { device } : device))
      : devices;
  const entries = Object.entries(osds).map(([host, devices]) => [host, each(devices)]);
  return Object.fromEntries(entries) as Record<string, CephDevice[]>;
}

function monitorProblems({ site, monitors }: CephStoreArgs): Problem[] {
  const known = Object.keys(site.hosts);
  const count = new Set(monitors).size;
  return [
    ...monitors.flatMap((host, i) => hostNameProblems(`monitors[${i}]`, host, known)),
    ...(count === monitors.length
      ? []
      : [{ path: "monitors", found: "a host stands twice", remedy: "name each once" }]),
    ...([1, 3, 5].includes(count)
      ? []
      : [
          {
            path: "monitors",
            found: `${count} hosts`,
            remedy: "name 1, 3 or 5: more than half of them have to answer",
          },
        ]),
  ];
}

/** What a host of one store has once, and a second store would need as well. */
export const CEPH_CONFIG = "/etc/ceph/ceph.conf";

function neighbourProblems({ site, monitors, osds }: CephStoreArgs): Problem[] {
  const named = [
    ...monitors.map((host, i) => ({ host, path: `monitors[${i}]` })),
    ...Object.keys(osds).map((host) => ({ host, path: `osds.${host}` })),
  ];
  return named.flatMap(({ host, path }) =>
    placesOf(site)
      .problems(path, host, CEPH_CONFIG)
      .map((problem) => ({ ...problem, remedy: "a host is in one CephStore: name another host" })),
  );
}

function osdProblems({ site, osds }: CephStoreArgs): Problem[] {
  const known = Object.keys(site.hosts);
  return Object.entries(osds).flatMap(([host, devices]) => {
    const path = `osds.${host}`;
    const paths = devices.map((device) => (typeof device === "string" ? device : (device.device ?? "")));
    return [
      ...hostNameProblems(path, host, known),
      ...(paths.length > 0
        ? []
        : [{ path, found: "no devices", remedy: `name one of at least ${LEAST_GIB} GiB, such as /dev/sdb` }]),
      ...paths.flatMap((device, i) => [
        ...plainPathProblems(`${path}[${i}]`, device, "/dev/sdb"),
        ...(paths.indexOf(device) === i
          ? []
          : [{ path: `${path}[${i}]`, found: `${quote(device)} stands twice`, remedy: "name each once" }]),
        ...placesOf(site).problems(`${path}[${i}]`, host, device),
      ]),
    ];
  });
}

/** What is wrong with the arguments of a pool of block devices; `taken` are the names of the store's others. */
export function blockPoolProblems(
  store: string,
  name: string,
  args: CephBlockPoolArgs,
  of: Pick<CephStoreArgs, "osds" | "replicas"> & { taken: ReadonlySet<string> },
): Problem[] {
  return argumentProblems(
    named({ replicas: number, allowDataLoss: flag }),
    args,
    ({ replicas = of.replicas }) => [
      ...volumeProblems(store, name, {}, of.taken),
      ...replicaProblems({ osds: of.osds, replicas }),
    ],
  );
}

function replicaProblems({ osds, replicas = 3 }: Pick<CephStoreArgs, "osds" | "replicas">): Problem[] {
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 10) {
    return [{ path: "replicas", found: `${replicas}`, remedy: "give a whole number from 1 to 10" }];
  }
  const hosts = Object.keys(osds).length;
  if (hosts >= replicas) return [];
  return [
    {
      path: "replicas",
      found: `${replicas} copies on ${hosts} hosts with OSDs`,
      remedy:
        "name OSDs on more hosts, or say `replicas: 2` (the next fault may lose data) or `replicas: 1` (the first does)",
    },
  ];
}
