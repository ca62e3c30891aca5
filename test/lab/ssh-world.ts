import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as control from "../../components/lab/control.ts";
import { host } from "../../components/lab/host.provider.ts";
import { image, labPackages } from "../../components/lab/image.provider.ts";
import { network } from "../../components/lab/network.provider.ts";
import { rangeClash } from "../../components/lab/wiring.ts";
import type { Connection } from "../../components/model/connection.ts";
import type { Context } from "../../components/provider/resource.ts";
import { closeAll } from "../../components/ssh/pool.ts";
import { onHost } from "../../components/ssh/session.ts";

export interface Told extends Context {
  said: string[];
  warned: string[];
}

export function context(
  urn = "urn:pulumi:dev::project::type::thing",
  signal = new AbortController().signal,
): Told {
  const said: string[] = [];
  const warned: string[] = [];
  return {
    urn,
    preview: false,
    progress: (message) => said.push(message),
    info: (message) => said.push(message),
    warn: (message) => warned.push(message),
    signal,
    timeoutSeconds: 0,
    said,
    warned,
  };
}

/** A lab of its own, with as many hosts as asked for. */
export interface World {
  lab: string;
  /** A folder for the test's own files. */
  files: string;
  /** By name: h1, h2 ... */
  connections: Record<string, Connection>;
  /** Runs shell text on a host, not by SSH. */
  inside(host: string, text: string): Promise<string>;
  destroy(): Promise<void>;
}

export async function makeWorld(hosts: number): Promise<World> {
  const lab = `ssh-${randomBytes(2).toString("hex")}`;
  const files = mkdtempSync(join(tmpdir(), "spillway-ssh-test-"));
  const destroy = async () => {
    await closeAll();
    await control.purge(lab);
    rmSync(files, { recursive: true, force: true });
  };
  try {
    const connections = await bootHosts(lab, files, hosts);
    const inside = async (name: string, text: string) => {
      const { stdout, stderr, code } = await control.exec(lab, name, ["/bin/sh", "-eu"], text);
      if (code !== 0) throw new Error(`in ${name}: ${stderr}`);
      return stdout;
    };
    return { lab, files, connections, inside, destroy };
  } catch (error) {
    await destroy();
    throw error;
  }
}

async function bootHosts(lab: string, files: string, hosts: number): Promise<Record<string, Connection>> {
  const { outputs } = await image.create(context(), { suite: "bookworm", packages: [...labPackages] });
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(files, "id")]);
  const range = await freeRange(lab);
  const net = await network.create(context(), { lab, range, nat: true });
  const made = Array.from({ length: hosts }, async (_, i): Promise<[string, Connection]> => {
    const name = `h${i + 1}`;
    const address = range.replace("0/24", String(11 + i));
    const { outputs: told } = await host.create(context(), {
      lab,
      name,
      address,
      prefixLength: 24,
      gateway: net.outputs.gateway,
      image: outputs.path,
      authorizedKey: readFileSync(join(files, "id.pub"), "utf8"),
    });
    const privateKey = readFileSync(join(files, "id"), "utf8");
    return [name, { host: name, address, port: told.port, hostKey: told.hostKey, privateKey }];
  });
  return Object.fromEntries(await Promise.all(made));
}

async function freeRange(lab: string): Promise<string> {
  for (;;) {
    const range = `10.${200 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 250)}.0/24`;
    if ((await rangeClash(lab, range)) === undefined) return range;
  }
}

/** Shell text by SSH, as a script without values. */
export function sh(connection: Connection, text: string): Promise<string> {
  return onHost(connection, context(), (session) => session.run({ text }, context()));
}
