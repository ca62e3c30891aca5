import { createHash, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import ssh2, { type Client, type ServerHostKeyAlgorithm } from "ssh2";
import type { Endpoint } from "../model/connection.ts";
import { messageOf } from "../model/problem.ts";
import type { Context } from "../provider/resource.ts";
import { ConnectionError, HostError } from "./error.ts";

const attempts = 5;
const keepaliveMilliseconds = 5_000;
const keepalivesMissed = 4;

const algorithmsOfType = new Map<string, ServerHostKeyAlgorithm[]>(
  Object.entries({
    "ssh-ed25519": ["ssh-ed25519"],
    "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
    "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
    "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
    "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  }),
);

/** The host key that a connection insists on. */
export interface PinnedKey {
  algorithms: ServerHostKeyAlgorithm[];
  blob: Buffer;
}

/** The parts of a key, each behind its length (RFC 4251); nothing when it ends within one, as one cut short does. */
function partsOf(blob: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    parts.push(blob.subarray(at + 4, end));
    at = end;
  }
  return parts;
}

/** Reads `ssh-ed25519 AAAA... comment`; tells what is wrong with anything else. */
export function parseHostKey(text: string): PinnedKey {
  const [type = "", encoded = ""] = text.trim().split(/\s+/);
  const advice =
    "give what `ssh-keyscan` shows, without the address, or /etc/ssh/ssh_host_ed25519_key.pub holds, such as ssh-ed25519 AAAA...";
  if (type === "") throw new Error(`no host key is pinned; ${advice}`);
  const algorithms = algorithmsOfType.get(type);
  if (algorithms === undefined)
    throw new Error(`the pinned host key's type "${type}" is not known; ${advice}`);
  const blob = Buffer.from(encoded, "base64");
  const [name, ...values] = partsOf(blob) ?? [];
  // RSA's two numbers, or a curve's name and a point; of ed25519 the point alone.
  const whole =
    values.length === (type === "ssh-ed25519" ? 1 : 2) && values.every(({ length }) => length > 0);
  if (name?.toString("latin1") !== type || !whole) {
    throw new Error(`the pinned host key is not a whole ${type} key; ${advice}`);
  }
  return { algorithms, blob };
}

/** As `ssh-keygen -l` writes it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

function mismatch(pinned: Buffer, found: Buffer): string {
  return (
    `the host key is ${fingerprint(found)} but ${fingerprint(pinned)} is pinned; ` +
    "if the host was installed anew, check the new key on its console, pin that one and run `pulumi up`, then `pulumi up --refresh`; " +
    "else someone else answers at this address"
  );
}

interface Attempt {
  host: string;
  endpoint: Endpoint;
  dialTimeout: number;
  through?: Duplex;
}

function dialOnce({ host, endpoint, dialTimeout, through }: Attempt): Promise<Client> {
  const step = "connecting";
  const where = `${endpoint.user ?? "root"}@${endpoint.address}:${endpoint.port ?? 22}`;
  const fatal = (reason: string) => new ConnectionError(host, step, reason, "refused");
  let pinned: PinnedKey;
  try {
    pinned = parseHostKey(endpoint.hostKey ?? "");
  } catch (error) {
    return Promise.reject(fatal(messageOf(error)));
  }
  const key = ssh2.utils.parseKey(endpoint.privateKey ?? "");
  if (key instanceof Error || !key.isPrivateKey()) {
    const what = key instanceof Error ? "cannot be read" : "is a public one";
    return Promise.reject(
      fatal(`the private key ${what}; give an OpenSSH or PEM private key without a passphrase`),
    );
  }
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    let answered: Buffer | undefined;
    const fail = (error: Error & { level?: string }) => {
      client.removeAllListeners();
      // The socket may still complain while it is being closed.
      client.on("error", () => {});
      client.destroy();
      if (answered !== undefined) reject(fatal(mismatch(pinned.blob, answered)));
      else if (error.level === "client-authentication") {
        reject(
          fatal(`${where} refused the private key; put its public key in the account's authorized_keys`),
        );
      } else if (/no matching host key/i.test(error.message)) {
        reject(
          fatal(
            `${where} has no host key of the pinned type ${pinned.algorithms.join(", ")}; pin one that it has`,
          ),
        );
      } else
        reject(
          new ConnectionError(host, step, `${where} did not answer: ${messageOf(error)}`, "unreachable"),
        );
    };
    client.once("ready", () => {
      client.removeAllListeners("error");
      client.removeAllListeners("close");
      client.on("error", () => {});
      resolve(client);
    });
    client.on("error", fail);
    client.once("close", () => fail(new Error("closed before the log-in was done")));
    client.connect({
      host: endpoint.address,
      port: endpoint.port ?? 22,
      username: endpoint.user ?? "root",
      privateKey: endpoint.privateKey,
      sock: through,
      readyTimeout: dialTimeout * 1000,
      keepaliveInterval: keepaliveMilliseconds,
      keepaliveCountMax: keepalivesMissed,
      hostVerifier: (key: Buffer) => {
        if (key.length === pinned.blob.length && timingSafeEqual(key, pinned.blob)) return true;
        answered = key;
        return false;
      },
      algorithms: {
        serverHostKey: pinned.algorithms,
        // AES-GCM is OpenSSL's; ssh2's own ChaCha20 is several times slower without its native add-on.
        cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr"],
      },
    });
  });
}

/** A bastion waits for minutes for a host that is off; what comes later than it may is closed. */
async function inTime(opened: Promise<Duplex>, { host, endpoint, dialTimeout }: Attempt): Promise<Duplex> {
  const timer = new AbortController();
  const late = sleep(dialTimeout * 1000, undefined, { signal: timer.signal, ref: false }).then(() => {
    opened.then((stream) => stream.destroy()).catch(() => {});
    const reason = `${endpoint.address}:${endpoint.port ?? 22} did not answer in ${dialTimeout} s`;
    throw new ConnectionError(host, "connecting", reason, "unreachable");
  });
  late.catch(() => {});
  try {
    return await Promise.race([opened, late]);
  } finally {
    timer.abort();
  }
}

export interface Dial {
  host: string;
  endpoint: Endpoint;
  /** Seconds. */
  dialTimeout: number;
  /** Opens the way through a bastion, anew for each try. @default straight */
  through?: () => Promise<Duplex>;
}

/** Connects with pinned key; a host that does not answer is tried five times, each for `dialTimeout`. */
export async function dial({ through, ...target }: Dial, context: Context): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    if (context.signal.aborted) throw new HostError(target.host, "connecting", "interrupted; run again");
    try {
      return await dialOnce({ ...target, through: through && (await inTime(through(), target)) });
    } catch (error) {
      if (!(error instanceof ConnectionError) || !error.transient || attempt >= attempts) throw error;
      // A bastion that does not answer was tried five times itself.
      if (error.host !== target.host && error.failure === "unreachable") throw error;
      context.progress(`${target.host}: try ${attempt + 1} of ${attempts} to connect`);
      await sleep(500 * 2 ** (attempt - 1) * (0.75 + Math.random() / 2));
    }
  }
}
