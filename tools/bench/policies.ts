import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownPolicies } from "../../test/lab/stack.ts";
import { checkout } from "../engine/paths.ts";
import { child } from "./child.ts";
import { type Measure, said, seconds } from "./measure.ts";
import { rounds } from "./options.ts";
import { benchStack, mustEnd, UP } from "./stack.ts";
import { later } from "./tidy.ts";

const RESOURCES = 1000;

/** A Deployment as it should be; `name` makes each a file and a resource of its own. */
const deployment = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "web", labels: { app: name } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "web",
            image: `10.0.0.1:5000/web@sha256:${"a".repeat(64)}`,
            ports: [{ containerPort: 8080 }],
            env: [{ name: "LOG", value: "info" }],
            resources: { limits: { cpu: "1", memory: "256Mi" }, requests: { cpu: "100m", memory: "64Mi" } },
            securityContext: {
              readOnlyRootFilesystem: true,
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"] },
            },
            livenessProbe: { httpGet: { path: "/", port: 8080 } },
            readinessProbe: { httpGet: { path: "/", port: 8080 } },
          },
        ],
      },
    },
  },
});

/** Nothing is made, so that the engine's own work is all there is to compare with. */
const program = `
import * as pulumi from "@pulumi/pulumi";
class Judged extends pulumi.ComponentResource {
  constructor(name: string, props: pulumi.Inputs) { super("kubernetes:apps/v1:Deployment", name, props); }
}
const text = ${JSON.stringify(JSON.stringify(deployment("NAME")))};
for (let i = 0; i < ${RESOURCES}; i++) new Judged(\`d\${i}\`, JSON.parse(text.replaceAll("NAME", \`d\${i}\`)));
`;

/** The pack on the engine and over files. */
export async function policies(): Promise<Measure[]> {
  return [...(await onEngine()), ...(await overFiles())];
}

async function onEngine(): Promise<Measure[]> {
  const stack = benchStack({ name: "bench-policies", program });
  const empty = emptyPack(stack.project);
  mustEnd(await stack.run(["stack", "init"]));
  const timed = async (what: string, args: string[]) => said(what, mustEnd(await stack.run(args)).seconds);
  const up = async (what: string, args: readonly string[]) => {
    const taken = await timed(`up ${what}`, [...UP, ...args]);
    mustEnd(await stack.destroy());
    return taken;
  };
  const [preview, plainPreview, floor, made, plainMade]: number[][] = [[], [], [], [], []];
  for (let round = 0; round < rounds(3); round++) {
    preview!.push(await timed("preview with the pack", ["preview", ...ownPolicies]));
    plainPreview!.push(await timed("preview without", ["preview"]));
    floor!.push(await timed("preview with an empty pack", ["preview", "--policy-pack", empty]));
  }
  // Once: the engine writes its state anew for each resource, which takes minutes.
  made!.push(await up("with the pack", ownPolicies));
  plainMade!.push(await up("without", []));
  const limit = { mostTimes: 1.15 };
  const without = (values: number[]) => ({ what: "the same without it", values });
  const what = `${RESOURCES} Deployments with the pack`;
  return [
    { bench: "policies", what: `up of ${what}`, unit: "s", ours: made!, other: without(plainMade!), limit },
    {
      bench: "policies",
      what: `preview of ${what}`,
      unit: "s",
      ours: preview!,
      other: without(plainPreview!),
      limit,
    },
    {
      bench: "policies",
      what: `preview of ${what}`,
      unit: "s",
      ours: preview!,
      other: { what: "with a pack of one policy that says nothing", values: floor! },
    },
  ];
}

/** What any pack costs: its process, and a question for each resource. */
function emptyPack(project: string): string {
  const folder = join(project, "empty-pack");
  const files = {
    "PulumiPolicy.yaml": "runtime: { name: nodejs, options: { typescript: false } }\nmain: index.js\n",
    "package.json": '{ "name": "empty", "version": "0.0.1", "type": "module", "main": "index.js" }\n',
    "index.js": `import { PolicyPack } from "@pulumi/policy";
new PolicyPack("empty", { policies: [{ name: "none", description: "none", validateResource() {} }] });
`,
  };
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const FILES = 3000;
const TIMES = 4;
const MOST = Number((TIMES ** 1.1).toFixed(2));

/** On one core, as `taskset` sees to. */
async function overFiles(): Promise<Measure[]> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  later(async () => rmSync(folder, { recursive: true, force: true }));
  const files = Array.from({ length: FILES * TIMES }, (_, i) => join(folder, `${i}.json`));
  for (const [i, file] of files.entries()) writeFileSync(file, JSON.stringify(deployment(`d${i}`)));
  const check = (count: number) =>
    seconds(`policy-check of ${count} files`, () =>
      child([
        "taskset",
        "-c",
        "0",
        join(checkout, "bin", "spillway"),
        "policy-check",
        ...config,
        ...files.slice(0, count),
      ]),
    );
  const few: number[] = [];
  const many: number[] = [];
  for (let round = 0; round < rounds(3); round++) {
    few.push(await check(FILES));
    many.push(await check(FILES * TIMES));
  }
  return [
    {
      bench: "policies",
      what: `policy-check of ${FILES} files on one core`,
      unit: "s",
      ours: few,
      limit: { most: 5 },
    },
    {
      bench: "policies",
      what: `policy-check of ${FILES * TIMES} files on one core`,
      unit: "s",
      ours: many,
      other: { what: `of ${FILES}: an exponent of 1.1 gives ${MOST}`, values: few },
      limit: { mostTimes: MOST },
    },
  ];
}

const config = ["--config", join(checkout, "policy-config.json")];
