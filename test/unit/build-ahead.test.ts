import { beforeEach, expect, test, vi } from "vitest";
import type { ArtifactRequest } from "../../components/artifacts/list.ts";
import { obtain } from "../../components/artifacts/obtain.ts";
import { chooseSource } from "../../components/artifacts/source.ts";
import { whileBuilding } from "../../tools/build-ahead.ts";

vi.mock("../../components/artifacts/obtain.ts", () => ({ obtain: vi.fn() }));
vi.mock("../../components/artifacts/source.ts", () => ({ chooseSource: vi.fn() }));

const requests = [{}, {}] as ArtifactRequest[];
const never = new AbortController().signal;
/** Those of the builds that were begun. */
const signals: AbortSignal[] = [];

function source(kind: "built" | "upstream"): void {
  vi.mocked(chooseSource).mockResolvedValue({ source: { kind } } as Awaited<ReturnType<typeof chooseSource>>);
}

/** Builds that end only when they are told to. */
function endless(): void {
  vi.mocked(obtain).mockImplementation((_request, _source, { signal }) => {
    signals.push(signal!);
    return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
  });
}

beforeEach(() => {
  vi.resetAllMocks();
  signals.length = 0;
});

test("a build that is not done ends with the work, whose result is given", async () => {
  source("built");
  endless();
  const work = async () => {
    await vi.waitFor(() => expect(signals).toHaveLength(1));
    expect(signals[0]!.aborted).toBe(false);
    return "done";
  };
  expect(await whileBuilding(requests, never, work)).toBe("done");
  expect(signals).toHaveLength(1);
  expect(signals[0]!.aborted).toBe(true);
});

test("a build ends with work that fails, whose error is told", async () => {
  source("built");
  endless();
  const work = async () => {
    await vi.waitFor(() => expect(signals).toHaveLength(1));
    throw new Error("no network");
  };
  await expect(whileBuilding(requests, never, work)).rejects.toThrow("no network");
  expect(signals[0]!.aborted).toBe(true);
});

test("Ctrl-C reaches a build", async () => {
  source("built");
  endless();
  const interrupted = new AbortController();
  const work = async () => {
    await vi.waitFor(() => expect(signals).toHaveLength(1));
    interrupted.abort();
    expect(signals[0]!.aborted).toBe(true);
  };
  await whileBuilding(requests, interrupted.signal, work);
});

test("a build that fails is left to whoever needs it", async () => {
  source("built");
  vi.mocked(obtain).mockRejectedValue(new Error("no space"));
  expect(await whileBuilding(requests, never, async () => "done")).toBe("done");
});

test("what is to be had ready-made is not built", async () => {
  source("upstream");
  await whileBuilding(requests, never, async () => {
    await vi.waitFor(() => expect(chooseSource).toHaveResolved());
  });
  expect(obtain).not.toHaveBeenCalled();
});
