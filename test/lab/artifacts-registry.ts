import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { request, retry } from "../../components/artifacts/http.ts";
import type { RegistryAccess } from "../../components/artifacts/skopeo.ts";
import { output, run } from "../../components/local/run.ts";

/** A real registry on loopback, with TLS and a password. */
export interface TestRegistry extends RegistryAccess {
  stop(): Promise<void>;
}

/** Starts Debian's docker-registry, unpacked into the folder and not installed. */
export async function startRegistry(
  folder: string,
  options: { anonymous?: boolean; deletes?: boolean } = {},
): Promise<TestRegistry> {
  await mkdir(folder, { recursive: true });
  const program = await registryProgram(folder);
  const port = await freePort();
  const access = { registry: `127.0.0.1:${port}`, username: "ops", password: "canary-5f1e'\" $x" };
  const caCertificate = await certificate(folder);
  const config = {
    version: "0.1",
    storage: {
      filesystem: { rootdirectory: join(folder, "data") },
      delete: { enabled: options.deletes ?? true },
    },
    http: {
      addr: access.registry,
      secret: "loopback",
      tls: { certificate: join(folder, "tls.crt"), key: join(folder, "tls.key") },
    },
    ...(!options.anonymous && {
      auth: {
        htpasswd: { realm: "test", path: await passwordFile(folder, access.username, access.password) },
      },
    }),
    log: { level: "error", accesslog: { disabled: true } },
  };
  const path = join(folder, "config.json");
  await writeFile(path, JSON.stringify(config));
  const child = spawn(program, ["serve", path], { stdio: "ignore" });
  try {
    await answering(access.registry, caCertificate);
  } catch (error) {
    await stop(child);
    throw error;
  }
  return { ...access, caCertificate, stop: () => stop(child) };
}

async function registryProgram(folder: string): Promise<string> {
  const unpacked = join(folder, "package");
  await mkdir(unpacked);
  await run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "docker-registry"], { cwd: unpacked });
  const archive = (await readdir(unpacked)).find((name) => name.endsWith(".deb"));
  await run(["dpkg-deb", "--extract", join(unpacked, archive!), unpacked]);
  return join(unpacked, "usr/bin/docker-registry");
}

async function certificate(folder: string): Promise<string> {
  const name = ["-subj", "/CN=test registry", "-addext", "subjectAltName=IP:127.0.0.1"];
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    join(folder, "tls.key"),
  ];
  await run(["openssl", "req", "-x509", "-days", "1", ...key, "-out", join(folder, "tls.crt"), ...name]);
  return readFile(join(folder, "tls.crt"), "utf8");
}

/** The C library of Debian hashes as htpasswd's bcrypt does. */
async function passwordFile(folder: string, username: string, password: string): Promise<string> {
  const hash = await output(["perl", "-e", "print crypt($ENV{PASSWORD}, q($2b$05$abcdefghijklmnopqrstuu))"], {
    env: { PASSWORD: password },
  });
  const path = join(folder, "htpasswd");
  await writeFile(path, `${username}:${hash}\n`);
  return path;
}

async function answering(registry: string, caCertificate: string): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const answer = await retry(() => request(`https://${registry}/v2/`, { caCertificate })).catch(
      () => undefined,
    );
    answer?.resume();
    if (answer) return;
  }
  throw new Error(`the test registry ${registry} does not start`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
