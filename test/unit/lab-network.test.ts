import { beforeEach, expect, test, vi } from "vitest";
import { network } from "../../components/lab/network.provider.ts";
import type { NetworkRecord } from "../../components/lab/record.ts";
import type { Context } from "../../components/provider/resource.ts";

/** What is on this computer. */
const computer: { record?: NetworkRecord; hosts: string[]; wired: boolean } = { hosts: [], wired: false };
vi.mock("../../components/lab/record.ts", async (original) => ({
  ...(await original<object>()),
  readNetwork: () => computer.record,
  writeNetwork: (_lab: string, record: NetworkRecord) => {
    computer.record = record;
  },
  hostNames: () => computer.hosts,
  labNames: () => [],
}));
vi.mock("../../components/lab/wiring.ts", async (original) => ({
  ...(await original<object>()),
  isWired: async () => computer.wired,
  rangeClash: async () => undefined,
  wire: async () => {
    computer.wired = true;
  },
}));
vi.mock("../../components/lab/requirements.ts", async (original) => ({
  ...(await original<object>()),
  requireLab: () => {},
}));
vi.mock("../../components/lab/inotify.ts", async (original) => ({
  ...(await original<object>()),
  raiseInotifyLimit: () => {},
}));
vi.mock("../../components/local/lock.ts", async (original) => ({
  ...(await original<object>()),
  locked: (_file: string, work: () => unknown) => work(),
}));

const told: string[] = [];
const context = {
  urn: "urn:ours",
  preview: false,
  progress: () => {},
  info: (message) => void told.push(message),
  warn: () => {},
} as Partial<Context> as Context;
const inputs = { lab: "paris", range: "10.77.0.0/24" };
beforeEach(() => {
  Object.assign(computer, { record: undefined, hosts: [], wired: false });
  told.length = 0;
});

test("what a lab changes is told before it is made, and not again", async () => {
  await network.preview!(context, inputs);
  expect(told).toEqual([expect.stringMatching(/nftables[\s\S]*inotify[\s\S]*kernel setting/)]);
  await network.create(context, inputs);
  await network.preview!(context, inputs);
  expect(told).toHaveLength(1);
});

test("a lab that has hosts is not taken over by a state that does not know it", async () => {
  const { outputs } = await network.create(context, inputs);
  // Cut before the state had it.
  await network.create(context, inputs);
  computer.hosts = ["cp1", "w1"];
  await expect(network.create(context, inputs)).rejects.toThrow(
    "lab: lab paris is on this computer already (cp1, w1), and this state does not know it; bring back the state",
  );
  // What a state knows goes on, and may be replaced.
  await network.update!(context, { id: "paris", inputs, outputs }, inputs);
  await network.preview!(context, { ...inputs, range: "10.78.0.0/24" });
});

test("a network that went with a reboot is found by a refresh, and not forgotten with its hosts there", async () => {
  const state = { inputs, ...(await network.create(context, inputs)) };
  expect(await network.read!(context, state)).toMatchObject({ inputs });
  Object.assign(computer, { hosts: ["cp1"], wired: false });
  const found = await network.read!(context, state);
  expect(found!.inputs).toEqual({ ...inputs, wired: false });
  await network.update!(context, { ...state, ...found! }, inputs);
  expect(computer.wired).toBe(true);
  computer.record = undefined;
  expect(await network.read!(context, state)).toBeUndefined();
});
