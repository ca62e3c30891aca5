import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkout } from "../../tools/engine/paths.ts";

const secret = "canary-4711-secret";
let folder: string;
let project: string;
let env: NodeJS.ProcessEnv;

const program = `
import * as pulumi from "@pulumi/pulumi";
import { seconds } from "./delay.ts";

const config = new pulumi.Config();
const provider: pulumi.dynamic.ResourceProvider = {
  async create(inputs) {
    await new Promise((resolve) => setTimeout(resolve, inputs.seconds * 1000));
    return { id: inputs.value, outs: { ...inputs, made: "made " + inputs.value } };
  },
  async diff(_id, olds, news) {
    return { changes: olds.value !== news.value };
  },
  async update(_id, _olds, news) {
    return { outs: { ...news, made: "made " + news.value } };
  },
};

class Thing extends pulumi.dynamic.Resource {
  declare readonly made: pulumi.Output<string>;
  constructor(name: string, value: pulumi.Input<string>) {
    super(provider, name, { value, seconds, made: undefined });
  }
}

let thing = new Thing("thing", config.get("value") ?? "first");
for (let index = 1; index < Number(config.get("count") ?? 1); index++)
  thing = new Thing("thing-" + index, pulumi.interpolate\`\${thing.id}-\${index}\`);
export const made = thing.made;
export const hidden = config.getSecret("hidden") ?? "none";
`;

const policies = `
import { PolicyPack, type ResourceValidationPolicy } from "@pulumi/policy";

const noForbidden: ResourceValidationPolicy = {
  name: "no-forbidden",
  description: "Things have a good value.",
  enforcementLevel: "mandatory",
  validateResource: (args, report) => {
    if (args.props.value === "forbidden") report("choose another value");
  },
};
new PolicyPack("trial", { policies: [noForbidden] });
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "engine-lab-"));
  project = join(folder, "project");
  const pack = join(folder, "pack");
  const files: Record<string, string> = {
    [join(project, "Pulumi.yaml")]:
      "name: trial\nruntime:\n  name: nodejs\n  options:\n    typescript: false\nmain: source/index.ts\n",
    [join(project, "package.json")]: JSON.stringify({
      type: "module",
      scripts: { pulumi: join(checkout, "tools", "pulumi") },
    }),
    [join(project, "source", "index.ts")]: program,
    [join(project, "source", "delay.ts")]:
      'export const seconds: number = Number(process.env.SECONDS ?? "0");',
    [join(pack, "PulumiPolicy.yaml")]: "runtime: nodejs\n",
    [join(pack, "package.json")]: '{ "type": "module", "version": "1.0.0", "main": "index.ts" }',
    [join(pack, "index.ts")]: policies,
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, content);
  }
  for (const place of [project, pack])
    symlinkSync(join(checkout, "node_modules"), join(place, "node_modules"));
  env = { ...process.env, XDG_STATE_HOME: join(folder, "state"), NO_COLOR: "1" };
  for (const name of Object.keys(env)) if (name.startsWith("PULUMI_")) delete env[name];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  text: string;
}

function launch(
  command: string,
  args: string[],
  more: NodeJS.ProcessEnv = {},
): { child: ChildProcess; end: Promise<Ended> } {
  // Its own group, as a shell gives each job: Ctrl-C is a signal to the group.
  const child = spawn(command, args, { cwd: project, env: { ...env, ...more }, detached: true });
  let text = "";
  const collect = (data: Buffer) => {
    text += data.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const end = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, text })));
  return { child, end };
}

const pulumi = (...args: string[]) => launch(join(checkout, "tools", "pulumi"), args).end;

async function succeed(...args: string[]): Promise<string> {
  const { code, text } = await pulumi(...args);
  expect(code, text).toBe(0);
  return text;
}

describe("a program in TypeScript", () => {
  test("shows help and passes on the exit code of Pulumi", async () => {
    expect(await succeed("--help")).toContain("Deployment Commands");
    expect((await pulumi("no-such-command")).code).not.toBe(0);
  });

  test("is previewed, comes up on a stack made on the fly, and comes up again without a change", async () => {
    expect(await succeed("preview", "-s", "dev")).toMatch(/\+ 2 to create/);
    const up = await succeed("up", "-s", "dev", "--yes");
    expect(up).toMatch(/\+ 2 created/);
    expect(up).toContain('made  : "made first"');
    expect(up).not.toContain("warning");
    const again = await succeed("up", "-s", "dev", "--yes");
    expect(again).toMatch(/2 unchanged/);
    expect(again).not.toMatch(/created|updated/);
  });

  test("gets secret configuration, which is nowhere in plain", async () => {
    await succeed("config", "set", "--secret", "hidden", secret, "-s", "dev");
    expect(await succeed("up", "-s", "dev", "--yes", "--skip-preview")).not.toContain(secret);
    const shown = JSON.parse(await succeed("stack", "output", "--json", "--show-secrets", "-s", "dev"));
    expect(shown).toEqual({ made: "made first", hidden: secret });
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(10);
    for (const file of files)
      expect(readFileSync(join(file.parentPath, file.name), "utf8").includes(secret), file.name).toBe(false);
  });

  test("is refreshed, updated and explained", async () => {
    expect(await succeed("refresh", "-s", "dev", "--yes")).toMatch(/2 unchanged/);
    await succeed("config", "set", "value", "second", "-s", "dev");
    expect(await succeed("up", "-s", "dev", "--yes")).toMatch(/~ 1 updated/);
    expect(await succeed("about", "-s", "dev")).toMatch(/nodejs: executable=.* version='v2[2-9]/);
  });

  test("that fails ends with its error, once, and a code other than 0", async () => {
    const delay = join(project, "source", "delay.ts");
    const before = readFileSync(delay, "utf8");
    writeFileSync(delay, 'throw new Error("the program is broken");\nexport const seconds: number = 0;');
    try {
      const { code, text } = await pulumi("preview", "-s", "dev");
      expect(code).not.toBe(0);
      expect(text).toContain("the program is broken");
      expect(text).not.toContain("exit code");
    } finally {
      writeFileSync(delay, before);
    }
  });
});

describe("a policy pack", () => {
  test("lets good resources pass", async () => {
    expect(await succeed("preview", "-s", "dev", "--policy-pack", "../pack")).toContain("trial@v1.0.0");
  });

  test("stops a forbidden resource before it is made", async () => {
    await succeed("config", "set", "value", "forbidden", "-s", "dev");
    const { code, text } = await pulumi(
      "up",
      "-s",
      "dev",
      "--yes",
      "--skip-preview",
      "--policy-pack",
      "../pack",
    );
    expect(code).not.toBe(0);
    expect(text).toMatch(/\[mandatory\]\s+no-forbidden/);
    expect(text).toContain("choose another value");
    expect(await succeed("stack", "output", "made", "-s", "dev")).toContain("made second");
    await succeed("config", "set", "value", "second", "-s", "dev");
  });
});

describe("Ctrl-C once", () => {
  const launchers: Record<string, [string, string[]]> = {
    "tools/pulumi": [join(checkout, "tools", "pulumi"), []],
    "npm run": ["npm", ["run", "-s", "pulumi", "--"]],
  };

  test.each(Object.entries(launchers))(
    "under %s ends an update after its current step, and the next finishes it",
    async (_, [command, before]) => {
      const stack = `cut-${before.length}`;
      await succeed("stack", "init", stack);
      await succeed("config", "set", "count", "15", "-s", stack);
      const { child, end } = launch(command, [...before, "up", "-s", stack, "--yes", "--skip-preview"], {
        SECONDS: "1",
      });
      const state = join(folder, "state", "spillway", ".pulumi", "stacks", "trial", `${stack}.json`);
      while (!(existsSync(state) && readFileSync(state, "utf8").includes("::thing-1"))) await sleep(100);
      process.kill(-(child.pid ?? 0), "SIGINT");
      const { code, text } = await end;
      expect(code).not.toBe(0);
      expect(readFileSync(state, "utf8"), "the last of all").not.toContain("::thing-14");
      expect(text).toContain("cancelling");
      expect(text, "one signal only: the second would end it at once").not.toContain("received; terminating");
      expect(text).toContain("update canceled");
      expect(await succeed("up", "-s", stack, "--yes", "--skip-preview")).toMatch(/\+ \d+ created/);
      expect(await succeed("preview", "-s", stack)).toMatch(/16 unchanged/);
      await succeed("destroy", "-s", stack, "--yes");
      await succeed("stack", "rm", stack, "--yes");
    },
  );
});

test("plain pulumi runs from a terminal that has the printed environment", async () => {
  const printed = await succeed("--print-env");
  const script = `${printed}\npulumi up -s dev --yes --skip-preview`;
  const text = execFileSync("sh", ["-c", script], { cwd: project, env, encoding: "utf8" });
  expect(text).toMatch(/2 unchanged/);
  expect(text).not.toContain("warning");
});

test("destroy leaves nothing in the stack, and no process", async () => {
  expect(await succeed("destroy", "-s", "dev", "--yes")).toMatch(/- 2 deleted/);
  expect(await succeed("stack", "export", "-s", "dev")).not.toContain("thing");
  await succeed("stack", "rm", "dev", "--yes");
  const processes = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  expect(processes).not.toContain(project);
});
