import { existsSync, statfsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { output, run } from "../local/run.ts";
import { overlap, parseAddress, parseRange, rangeAround } from "../model/range.ts";
import { interfaceName, interfacePrefix, namespaceName, namespacePath } from "./names.ts";
import { computerOf, gatewayOf } from "./range.ts";

/** Bridge of a lab, in its namespace. */
export const bridge = "br0";
const uplink = "uplink";
const nsfs = 0x6e736673;

interface Link {
  ifname: string;
  addr_info?: { family: string; local: string; prefixlen: number }[];
}

interface Route {
  dst: string;
  dev?: string;
}

/** An argument list that runs in a lab's network namespace, with the computer's files. */
export function inNamespace(lab: string, argv: readonly string[]): string[] {
  return ["nsenter", `--net=${namespacePath(lab)}`, "--", ...argv];
}

/** Whether the namespace is there: a file without the mount is left by a cut. */
export function hasNamespace(lab: string): boolean {
  return existsSync(namespacePath(lab)) && statfsSync(namespacePath(lab)).type === nsfs;
}

/** What on this computer already uses addresses of a range, other than the lab's own interface. */
export async function rangeClash(lab: string, text: string): Promise<string | undefined> {
  const range = parseRange(text);
  if (!range) return undefined;
  const own = interfaceName(lab);
  const links = await json<Link>(["ip", "-json", "address", "show"]);
  for (const { ifname, addr_info = [] } of links.filter((link) => link.ifname !== own)) {
    const clash = addr_info.find(({ family, local, prefixlen }) => {
      const address = family === "inet" ? parseAddress(local) : undefined;
      return address !== undefined && overlap(range, rangeAround(address, prefixlen));
    });
    if (clash) return `interface ${ifname} with ${clash.local}/${clash.prefixlen}`;
  }
  const routes = await json<Route>(["ip", "-json", "-4", "route", "show", "table", "main"]);
  const route = routes.find(({ dst, dev }) => {
    const target = parseRange(dst.includes("/") ? dst : `${dst}/32`);
    return dev !== own && target !== undefined && overlap(range, target);
  });
  return route && `the route to ${route.dst} on ${route.dev ?? "no interface"}`;
}

/** Makes what is missing of namespace, bridge and cable; leaves alone what is there. */
export async function wire(lab: string, text: string, nat: boolean): Promise<void> {
  const range = parseRange(text)!;
  const end = interfaceName(lab);
  if (!hasNamespace(lab)) {
    await rm(namespacePath(lab), { force: true });
    await run(["ip", "netns", "add", namespaceName(lab)]);
  }
  const inside = (...argv: string[]) => run(inNamespace(lab, argv));
  const has = async (name: string) =>
    (await run(inNamespace(lab, ["ip", "link", "show", name]), { allowed: () => true })).code === 0;
  await inside("ip", "link", "set", "lo", "up");
  if (!(await has(bridge))) await inside("ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0");
  if (!existsSync(`/sys/class/net/${end}`)) {
    await run([
      "ip",
      "link",
      "add",
      end,
      "type",
      "veth",
      "peer",
      "name",
      uplink,
      "netns",
      namespaceName(lab),
    ]);
  }
  await inside("ip", "link", "set", uplink, "master", bridge, "up");
  await inside("ip", "address", "replace", `${gatewayOf(range)}/24`, "dev", bridge);
  await inside("ip", "link", "set", bridge, "up");
  await run(["ip", "address", "replace", `${computerOf(range)}/24`, "dev", end]);
  await run(["ip", "link", "set", end, "up"]);
  await inside("sysctl", "-qw", `net.ipv4.ip_forward=${nat ? 1 : 0}`, "net.ipv4.conf.all.send_redirects=0");
  if (nat) await inside("ip", "route", "replace", "default", "via", computerOf(range));
  else await inside("ip", "route", "flush", "default");
  await run(["nft", "-f", "-"], { input: fence(lab, text, nat) });
}

/**
 * Rules of the computer for a lab, in a table of its own. Labs never meet, whatever the computer
 * forwards otherwise; without NAT nothing is forwarded.
 */
export function fence(lab: string, range: string, nat: boolean): string {
  const end = interfaceName(lab);
  const table = `inet ${namespaceName(lab)}`;
  const forward = nat
    ? [
        `iifname "${end}" oifname "${interfacePrefix}*" drop`,
        `oifname "${end}" ct state != { established, related } drop`,
      ]
    : [`iifname "${end}" drop`, `oifname "${end}" drop`];
  const masquerade = [
    "  chain postrouting {",
    "    type nat hook postrouting priority srcnat",
    `    ip saddr ${range} oifname != "${end}" masquerade`,
    "  }",
  ];
  return [
    // Declared first, so that it can be deleted whether it was there or not.
    `table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    "  chain forward {",
    "    type filter hook forward priority filter - 10",
    ...forward.map((rule) => `    ${rule}`),
    "  }",
    ...(nat ? masquerade : []),
    "}",
    "",
  ].join("\n");
}

/** Takes away the rules, the cable and the namespace with its bridge. */
export async function unwire(lab: string): Promise<void> {
  const table = `inet ${namespaceName(lab)}`;
  await run(["nft", "-f", "-"], { input: `table ${table}\ndelete table ${table}\n` });
  const end = interfaceName(lab);
  if (existsSync(`/sys/class/net/${end}`)) await run(["ip", "link", "delete", end]);
  if (hasNamespace(lab)) await run(["ip", "netns", "delete", namespaceName(lab)]);
  await rm(namespacePath(lab), { force: true });
  await forgetNamespaces();
}

/** `ip netns` mounts /run/netns on itself at the first namespace; the last one takes it along. */
async function forgetNamespaces(): Promise<void> {
  if (!existsSync("/run/netns") || (await readdir("/run/netns")).length > 0) return;
  await run(["umount", "/run/netns"], { allowed: () => true });
}

/** Whether all of a lab's network is there. */
export async function isWired(lab: string, text: string, nat: boolean): Promise<boolean> {
  const range = parseRange(text)!;
  if (!hasNamespace(lab) || !existsSync(`/sys/class/net/${interfaceName(lab)}`)) return false;
  const here = await json<Link>(["ip", "-json", "address", "show", "dev", interfaceName(lab), "up"]);
  const there = await json<Link>(inNamespace(lab, ["ip", "-json", "address", "show", "up"]));
  const has = (links: Link[], name: string, address?: string) =>
    links.some(
      ({ ifname, addr_info = [] }) =>
        ifname === name && (address === undefined || addr_info.some(({ local }) => local === address)),
    );
  const rules = await run(["nft", "list", "table", "inet", namespaceName(lab)], { allowed: () => true });
  return (
    has(here, interfaceName(lab), computerOf(range)) &&
    has(there, bridge, gatewayOf(range)) &&
    has(there, uplink) &&
    rules.code === 0 &&
    rules.stdout.includes("masquerade") === nat
  );
}

/** Interface of the computer's default route. */
export async function defaultInterface(): Promise<string | undefined> {
  return (await json<Route>(["ip", "-json", "-4", "route", "show", "default"]))[0]?.dev;
}

async function json<T>(argv: string[]): Promise<T[]> {
  const entries = JSON.parse((await output(argv)) || "[]") as T[];
  // `ip -json address show up` leaves empty objects for links that are down.
  return entries.filter((entry) => Object.keys(entry as object).length > 0);
}
