import type { Duplex } from "node:stream";
import type { Connection, Endpoint } from "../model/connection.ts";
import { messageOf } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { dial } from "./dial.ts";
import { ConnectionError } from "./error.ts";
import { Link } from "./link.ts";
import { takeLock } from "./lock.ts";

interface Entry {
  link: Promise<Link>;
  lock?: Promise<void>;
}

/** Seconds for which a host that several tries did not reach counts as unreachable, for all that ask. */
const unreachableSeconds = 20;

const entries = new Map<string, Entry>();

function keyOf({ address, port = 22, user = "root", hostKey }: Endpoint): string {
  return JSON.stringify([address, port, user, hostKey]);
}

function isRoot({ user = "root" }: Endpoint): boolean {
  return user === "root";
}

/** Prefix of every command line: nothing that varies is ever part of one. */
export function asRoot(connection: Connection): string {
  return (connection.sudo ?? !isRoot(connection)) ? "exec sudo -n /bin/sh" : "exec /bin/sh";
}

function share(
  host: string,
  endpoint: Endpoint,
  dialTimeout: number,
  context: Context,
  through?: () => Promise<Duplex>,
): Entry {
  const key = keyOf(endpoint);
  const existing = entries.get(key);
  if (existing !== undefined) return existing;
  const forget = () => {
    if (entries.get(key) === entry) entries.delete(key);
  };
  const link = dial({ host, endpoint, dialTimeout, through }, context).then((client) => {
    const made = new Link(host, client);
    made.onceLost(forget);
    return made;
  });
  const entry: Entry = { link };
  link.catch((error: unknown) => {
    if (!(error instanceof ConnectionError) || error.failure !== "unreachable") return forget();
    setTimeout(forget, unreachableSeconds * 1000).unref();
  });
  entries.set(key, entry);
  return entry;
}

function entryOf(connection: Connection, context: Context): Entry {
  const { host, bastion, dialTimeout = 10 } = connection;
  if (bastion === undefined) return share(host, connection, dialTimeout, context);
  const name = `${host}'s bastion ${bastion.address}`;
  const through = async () => {
    const link = await share(name, bastion, dialTimeout, context).link;
    const { address, port = 22 } = connection;
    return link.forward(address, port).catch((error: unknown) => {
      if (error instanceof ConnectionError) throw error;
      throw new ConnectionError(
        host,
        "connecting",
        `through ${bastion.address}: ${messageOf(error)}`,
        "unreachable",
      );
    });
  };
  return share(host, connection, dialTimeout, context, through);
}

/** The shared connection to a host, made when there is none. */
export function linkTo(connection: Connection, context: Context): Promise<Link> {
  return entryOf(connection, context).link;
}

/** As `linkTo`, and the host's lock is this process's for as long as the connection lives. */
export async function lockedLinkTo(connection: Connection, context: Context): Promise<Link> {
  const entry = entryOf(connection, context);
  const link = await entry.link;
  entry.lock ??= takeLock(link, asRoot(connection), context, connection.stepTimeout ?? 600, () => {
    entry.lock = undefined;
  });
  await entry.lock;
  return link;
}

/** Closes every connection, and with them the locks. */
export async function closeAll(): Promise<void> {
  const links = await Promise.allSettled([...entries.values()].map(({ link }) => link));
  const open = links.flatMap((result) =>
    result.status === "fulfilled" && !result.value.lost ? [result.value] : [],
  );
  await Promise.all(
    open.map((link) => {
      const closed = new Promise<void>((resolve) => link.onceLost(resolve));
      link.close();
      return closed;
    }),
  );
}
