import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Stack } from "./stack.ts";

/** All that is secret in the state of a stack. */
export async function secretsOf(stack: Stack): Promise<string[]> {
  const { code, text, stdout } = await stack.run(["stack", "export", "--show-secrets"]);
  if (code !== 0) throw new Error(text);
  const secrets = [...new Set(secretsIn(JSON.parse(stdout)))];
  // The search finds them all where they are.
  const missed = secrets.filter((secret) => !stdout.includes(secret));
  if (missed.length > 0) throw new Error(`${missed.length} secrets are not found in the state they are from`);
  return secrets;
}

/** Every secret text of a state, and for longer ones of several lines each line that tells something. */
function secretsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  if ("plaintext" in value) return texts(JSON.parse(String(value.plaintext)));
  return Object.values(value).flatMap(secretsIn);
}

/** Texts in which only a key, password or hash can be; a connection's address is no secret. */
function texts(value: unknown): string[] {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, item]) => (PUBLIC.has(key) ? [] : texts(item)));
  }
  if (typeof value !== "string") return [];
  // A private key ends with its public half, which is public.
  const whole = value.replace(/\n[^\n]*\n(-----END [A-Z ]*PRIVATE KEY-----)/g, "\n$1");
  const lines = whole
    .split("\n")
    .map((line) => line.trim().replace(/^(authorization = "Basic |.*-data: |.*secret: )|"$/g, ""));
  return lines.filter(
    (line) =>
      line.length >= 20 &&
      !/^-----|^#|^\[|^(server|ca|capabilities) = |^\/|: /.test(line) &&
      !value.includes("CERTIFICATE-----"),
  );
}

const PUBLIC = new Set(["host", "address", "user", "hostKey", "port", "dialTimeout", "stepTimeout"]);

/** Which secrets show where; nothing is to be found. */
export function shown(secrets: readonly string[], places: Record<string, string>): string[] {
  return Object.entries(places).flatMap(([where, text]) =>
    secrets
      .filter((secret) => text.includes(secret))
      .map((secret) => `${where}: a secret of ${secret.length} characters, ${secret.slice(0, 12)}...`),
  );
}

/** What the files of a stack hold: its program, its state and the state's earlier versions. */
export function filesOf({ folder }: Stack): string {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  return names
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

/**
 * Begins to collect the command lines of this computer's processes, those of lab hosts among them.
 *
 * @returns what gives the text of all that were seen, and `stop`
 */
export function watchCommandLines(): { text(): string; stop(): void } {
  const seen = new Set<string>();
  const look = () => {
    for (const entry of readdirSync("/proc")) if (/^\d+$/.test(entry)) seen.add(commandLine(entry));
  };
  const turns = setInterval(look, 100);
  return { text: () => [...seen].join("\n"), stop: () => clearInterval(turns) };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    // It ended meanwhile.
    return "";
  }
}
