import { nameProblems, quote } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import { anything, argumentProblems, given, map, named, number, optional, text } from "../model/shape.ts";
import type { WebServiceArgs } from "./web-service.ts";

const PINNED = /^[a-z0-9][^\s@]*@sha256:[0-9a-f]{64}$/;
const QUANTITY = { cpu: /^(\d+m|\d+(\.\d{1,3})?)$/, memory: /^\d+(Ki|Mi|Gi)$/ };
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

const pinRemedy = "name it by digest, such as registry.example.com/shop@sha256:<64 hex digits>";

const SHAPE = named({
  image: given,
  replicas: number,
  port: number,
  nodePort: number,
  namespace: text,
  resources: optional(named({ cpu: text, memory: text })),
  healthPath: text,
  env: optional(map(anything)),
});

/** Everything wrong with the arguments, found before any resource exists. */
export function webServiceProblems(name: string, args: WebServiceArgs): Problem[] {
  return argumentProblems(SHAPE, args, (args) => {
    const {
      image,
      replicas = 2,
      port = 8080,
      nodePort,
      namespace,
      healthPath = "/",
      resources = {},
      env = {},
    } = args;
    return [
      ...nameProblems("name", name),
      ...(namespace === undefined ? [] : nameProblems("namespace", namespace)),
      ...(typeof image === "string" ? imageProblems(image) : []),
      ...wholeNumber("replicas", replicas, 1, Number.MAX_SAFE_INTEGER, "give 1 or more"),
      ...wholeNumber(
        "port",
        port,
        1024,
        65535,
        "give 1024 to 65535; without root no lower one can be listened on",
      ),
      ...(nodePort === undefined
        ? []
        : wholeNumber("nodePort", nodePort, 30000, 32767, "give 30000 to 32767")),
      ...quantity("cpu", resources.cpu, "give cores, such as 0.5 or 250m"),
      ...quantity("memory", resources.memory, "give bytes with a unit, such as 128Mi or 1Gi"),
      ...(/^\/[^\s]*$/.test(healthPath)
        ? []
        : [{ path: "healthPath", found: `${quote(healthPath)} is no path`, remedy: "begin it with /" }]),
      ...Object.keys(env)
        .filter((key) => !VARIABLE.test(key))
        .map((key) => ({
          path: "env",
          found: `${quote(key)} is no variable's name`,
          remedy: "use letters, digits and _, no digit first",
        })),
    ];
  });
}

/** The image, once its value is known; throws when it has no digest. */
export function pinned(image: string): string {
  const [problem] = imageProblems(image);
  if (problem) throw new Error(`image: ${problem.found}; ${problem.remedy}`);
  return image;
}

function imageProblems(image: string): Problem[] {
  if (PINNED.test(image)) return [];
  return [{ path: "image", found: `${quote(image)} has no digest`, remedy: pinRemedy }];
}

function wholeNumber(path: string, value: number, least: number, most: number, remedy: string): Problem[] {
  const fits = Number.isInteger(value) && value >= least && value <= most;
  return fits ? [] : [{ path, found: `found ${value}`, remedy }];
}

function quantity(kind: "cpu" | "memory", value: string | undefined, remedy: string): Problem[] {
  if (value === undefined || QUANTITY[kind].test(value)) return [];
  return [{ path: `resources.${kind}`, found: `${quote(value)} is no amount`, remedy }];
}
