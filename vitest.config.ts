import { defineConfig } from "vitest/config";

const minute = 60_000;

/** Labs share the computer's network and cgroups: one file at a time, and time to boot hosts. */
const lab = { fileParallelism: false, testTimeout: 10 * minute, hookTimeout: 10 * minute };

/** Whether each control of the policies has a test that fails without it: see test/long/policies.test.ts. */
const switchedOff = process.env.SPILLWAY_WITHOUT_CONTROL ? ["test/unit/policies/switch-off.ts"] : [];

const computer = "test/lab/lab.test.ts";

export default defineConfig({
  test: {
    // An Output in a template string throws instead of printing a sentence about itself.
    env: { PULUMI_ERROR_OUTPUT_STRING: "true" },
    projects: [
      // A busy computer takes its time for what starts processes.
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: minute,
          setupFiles: switchedOff,
        },
      },
      // What labs change on the computer shows only while there are no others.
      { extends: true, test: { name: "computer", include: [computer], ...lab } },
      {
        extends: true,
        test: { name: "lab", include: ["test/lab/**/*.test.ts"], exclude: [computer], ...lab },
      },
      { extends: true, test: { name: "cluster", include: ["test/cluster/**/*.test.ts"], ...lab } },
      {
        extends: true,
        test: { name: "long", include: ["test/long/**/*.test.ts"], ...lab, testTimeout: 60 * minute },
      },
    ],
  },
});
