import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "../../components/model/connection.ts";
import type { Stack } from "../../test/lab/stack.ts";
import { benchStack } from "./stack.ts";

const program = (name: string) => `
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { HostState } from "spillway/ssh";
const connections = JSON.parse(readFileSync("connections.json", "utf8"));
for (const { privateKey, ...rest } of connections) {
  const connection = { ...rest, privateKey: pulumi.secret(privateKey) };
  const files = { "/etc/${name}": { content: "cheap\\n" } };
  new HostState(rest.host, { connection, name: "${name}", files });
}
`;

/** A stack that puts one small file on each of these hosts. */
export function cheapStack(name: string, connections: readonly Connection[]): Stack {
  const stack = benchStack({ name, program: program(name) });
  writeFileSync(join(stack.project, "connections.json"), JSON.stringify(connections), { mode: 0o600 });
  return stack;
}
