import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { controls, setControls } from "../../components/policies/controls/index.ts";
import { checkout } from "../../tools/engine/paths.ts";

const vitest = join(checkout, "node_modules", "vitest", "vitest.mjs");

/** Runs the tests of policies with one control switched off. */
async function failsWithout(control: string): Promise<boolean> {
  const args = [vitest, "run", "--project", "unit", "--bail=1", "test/unit/policies"];
  const env = { ...process.env, SPILLWAY_WITHOUT_CONTROL: control };
  try {
    await promisify(execFile)(process.execPath, args, { cwd: checkout, env, maxBuffer: 2 ** 28 });
    return false;
  } catch (error) {
    return /Tests .*failed/.test((error as { stdout: string }).stdout);
  }
}

test("the tests pass with every control on", async () => expect(await failsWithout("")).toBe(false));

test.each([...controls, ...setControls])("a test fails when $id is switched off", async ({ id }) => {
  expect(await failsWithout(id)).toBe(true);
});
