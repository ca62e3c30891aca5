import type { Problem } from "../model/problem.ts";
import { parseAddress, rangeAround } from "../model/range.ts";
import type { HostInputs } from "./host.provider.ts";
import { nameProblems } from "./names.ts";

/** Everything wrong with the inputs of a host; what a preview does not know yet is left out. */
export function hostProblems(inputs: Partial<HostInputs>, unknown: ReadonlySet<string>): Problem[] {
  const known = (name: keyof HostInputs) => !unknown.has(name);
  return [
    ...(known("lab") ? nameProblems("lab", inputs.lab ?? "") : []),
    ...(known("name") ? nameProblems("name", inputs.name ?? "") : []),
    ...addressProblems(inputs, unknown),
    ...(known("image") ? imageProblems(inputs.image ?? "") : []),
    ...(known("authorizedKey") ? keyProblems(inputs.authorizedKey ?? "") : []),
    ...hostsProblems(inputs.hosts ?? {}),
    ...bindProblems(inputs.diskBinds ?? []),
    ...diskProblems(inputs.disks ?? {}),
    ...sizeProblems(inputs),
  ];
}

function addressProblems(inputs: Partial<HostInputs>, unknown: ReadonlySet<string>): Problem[] {
  const { address = "", prefixLength = 0, gateway = "" } = inputs;
  const problems: Problem[] = [];
  const number = parseAddress(address);
  const via = parseAddress(gateway);
  const wrong = (path: string, found: string, remedy: string) => problems.push({ path, found, remedy });
  if (!unknown.has("address") && number === undefined) {
    wrong(
      "address",
      `${JSON.stringify(address.slice(0, 60))} is no IPv4 address`,
      "give one of the lab's range",
    );
  }
  if (!unknown.has("gateway") && via === undefined) {
    wrong(
      "gateway",
      `${JSON.stringify(gateway.slice(0, 60))} is no IPv4 address`,
      "give the lab network's gateway",
    );
  }
  if (
    !unknown.has("prefixLength") &&
    !(Number.isInteger(prefixLength) && prefixLength >= 8 && prefixLength <= 30)
  ) {
    wrong(
      "prefixLength",
      `${JSON.stringify(prefixLength)} is no length of a prefix`,
      "give 24, as the lab's range has",
    );
    return problems;
  }
  if (number === undefined || via === undefined || unknown.has("prefixLength")) return problems;
  const range = rangeAround(number, prefixLength);
  const size = 2 ** (32 - prefixLength);
  if (rangeAround(via, prefixLength).first !== range.first) {
    wrong(
      "address",
      `${address} is not in the range of the gateway ${gateway}`,
      "give one of the lab's range",
    );
  } else if (number === via || [0, size - 2, size - 1].includes(number - range.first)) {
    wrong("address", `${address} is taken by the network itself`, "give one from .2 to .253");
  }
  return problems;
}

function imageProblems(image: string): Problem[] {
  // Overlay's mount options part at comma and colon.
  if (/^\/[^,:\\\n]*$/.test(image)) return [];
  const found = `${JSON.stringify(image.slice(0, 100))} is no absolute path, or has a comma, colon or backslash`;
  return [
    { path: "image", found, remedy: "give an Image's path; SPILLWAY_CACHE chooses another place for it" },
  ];
}

function keyProblems(key: string): Problem[] {
  if (/^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n\r]*)?\n?$/.test(key)) return [];
  const found = "it is no single public key as in authorized_keys";
  return [{ path: "authorizedKey", found, remedy: "give one such as `ssh-ed25519 AAAA... name`" }];
}

function hostsProblems(hosts: Record<string, string>): Problem[] {
  return Object.entries(hosts).flatMap(([name, address]) => {
    if (
      /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name) &&
      (address === undefined || parseAddress(address) !== undefined)
    ) {
      return [];
    }
    return [
      {
        path: `hosts[${JSON.stringify(name.slice(0, 60))}]`,
        found: "it is no DNS name with an IPv4 address",
        remedy: "write such as w1: 10.77.1.21",
      },
    ];
  });
}

function bindProblems(paths: string[]): Problem[] {
  return paths.flatMap((path, index) => {
    if (/^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*){2,}$/.test(path)) return [];
    const found = `${JSON.stringify(path.slice(0, 100))} is no plain absolute path below a top directory`;
    return [{ path: `diskBinds[${index}]`, found, remedy: "write such as /var/lib/containerd" }];
  });
}

/** Whole disks only: other names may be those of the container's own devices. */
function diskProblems(disks: Record<string, number>): Problem[] {
  return Object.entries(disks).flatMap(([disk, sizeGiB]) => {
    const path = `disks[${JSON.stringify(disk.slice(0, 60))}]`;
    if (!/^((sd|vd|xvd)[a-z]{1,2}|nvme\d{1,2}n\d{1,2})$/.test(disk)) {
      return [{ path, found: "Linux calls no disk so", remedy: "name it such as sdb or nvme0n1" }];
    }
    if (sizeGiB === undefined || (Number.isInteger(sizeGiB) && sizeGiB >= 1 && sizeGiB <= 1024)) return [];
    return [{ path, found: `${sizeGiB} GiB`, remedy: "give a whole number from 1 to 1024" }];
  });
}

function sizeProblems({ memoryMiB, cpus, user }: Partial<HostInputs>): Problem[] {
  const problems: Problem[] = [];
  if (memoryMiB !== undefined && !(Number.isInteger(memoryMiB) && memoryMiB >= 64)) {
    problems.push({
      path: "memoryMiB",
      found: `${memoryMiB} is too little or no whole number`,
      remedy: "give at least 64",
    });
  }
  if (cpus !== undefined && !(cpus >= 0.05)) {
    problems.push({ path: "cpus", found: `${cpus} is too little`, remedy: "give at least 0.05" });
  }
  if (user !== undefined && user !== "root") {
    problems.push({ path: "user", found: "a lab host has no such account", remedy: "use root" });
  }
  return problems;
}
