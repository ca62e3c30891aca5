import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { expect, test, vi } from "vitest";
import { parse } from "yaml";
import { build } from "./world.ts";

vi.mock("spillway/onprem", () => import("../../components/onprem/index.ts"));
vi.mock("spillway/kubernetes", () => import("../../components/kubernetes/index.ts"));

const settings = readFileSync(join(import.meta.dirname, "../../Pulumi.onprem.yaml"), "utf8");
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHiY2zxEZh24Iau6m+tMa9cblMlaZQIhbXlPK65B9Bja";

test("the stack that users copy takes its settings in a project of any name", async () => {
  const { config } = parse(settings.replaceAll("ssh-ed25519 AAAA...", hostKey)) as { config: object };
  const entries = Object.entries({ ...config, "onprem:sshKey": "key" }).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const copied = async () => {
    pulumi.runtime.setAllConfig(Object.fromEntries(entries), ["onprem:sshKey"]);
    await import("../../stacks/onprem.ts");
  };
  const asked = await build(copied, [], "platform");
  const names = asked.filter(({ type }) => type === "spillway:kubeadm:Worker").map(({ name }) => name);
  expect(names.sort()).toEqual(["onprem-w1", "onprem-w2"]);
});
