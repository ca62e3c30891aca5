import { messageOf, type Problem } from "../model/problem.ts";
import type { Context, ResourceType } from "../provider/resource.ts";
import { GIVE_UP, givesUp } from "../ssh/unreachable.ts";
import { layoutDigest } from "./pack.ts";
import { deleteManifest, manifestDigest } from "./registry.ts";
import { copyImage, type RegistryAccess } from "./skopeo.ts";
import type { ImageSource } from "./source.ts";

/** An image to have in a private registry. */
export interface ImageInputs extends RegistryAccess {
  /** Repository in the registry, such as `kube-apiserver`. */
  repository: string;
  tag: string;
  /** `sha256:...` that the registry must show afterwards. */
  digest: string;
  /** Where it is copied from. */
  source: ImageSource;
}

export interface ImageOutputs {
  /** `host:port/repository@sha256:...`, for pods to name. */
  reference: string;
}

/** What tells one image in a registry from another. */
const identity = ["registry", "repository", "digest"] as const;

/**
 * One image in a private registry. Deleting it deletes its manifest, and so every tag of it: a
 * repository and digest belong to one resource.
 */
export const image: ResourceType<ImageInputs, ImageOutputs> = {
  token: "spillway:artifacts:Image",
  computed: ["reference"],

  check(inputs, unknown) {
    return imageProblems(inputs).filter(({ path }) => !unknown.has(path));
  },

  diff(old, inputs) {
    const names = ["tag", "caCertificate", "username", "password"] as const;
    const replace = identity.filter((name) => old.inputs[name] !== inputs[name]);
    const paths = [...replace, ...names.filter((name) => old.inputs[name] !== inputs[name])];
    // Where it was copied from says nothing about what is there: the digest does. And what pods
    // run now is deleted after what they are to run next is there.
    return { paths, replace: [...replace], deleteBeforeReplace: false };
  },

  async create(context, inputs) {
    const outputs = await push(context, inputs);
    return { id: outputs.reference, outputs };
  },

  async read(context, { inputs, outputs }) {
    const { repository, digest, tag } = inputs;
    const found = (reference: string) => manifestDigest(inputs, repository, reference, context.signal);
    try {
      if ((await found(tag)) === digest) return { inputs, outputs };
      return (await found(digest)) ? { inputs: { ...inputs, tag: "" }, outputs } : undefined;
    } catch (error) {
      if (!isSilence(error)) throw error;
      // Its host's own state tells that it stopped; the next update starts it.
      context.warn(`${messageOf(error)}; ${repository}:${tag} is taken to be as it was`);
      return { inputs, outputs };
    }
  },

  update: (context, _old, inputs) => push(context, inputs),

  async delete(context, { inputs }) {
    const { registry, repository, digest } = inputs;
    const deleted = await deleteManifest(inputs, repository, digest, context.signal).catch(
      (error: unknown) => {
        if (!isSilence(error)) throw error;
        if (!givesUp()) {
          const wayOn = "bring it back and run again, or, if it is gone for good, run with";
          throw new Error(`${messageOf(error)}; ${wayOn} ${GIVE_UP}`);
        }
        context.warn(`given up with its registry: ${messageOf(error)}`);
        return true;
      },
    );
    if (!deleted)
      context.warn(`registry ${registry} deletes nothing by its own set-up: ${repository}@${digest} stays`);
  },
};

/** No answer at all, as when the registry is stopped. */
function isSilence(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"].includes(cause?.code ?? "");
}

async function push(context: Context, inputs: ImageInputs): Promise<ImageOutputs> {
  const { registry, repository, tag, digest, source } = inputs;
  const outputs = { reference: `${registry}/${repository}@${digest}` };
  const there = () => manifestDigest(inputs, repository, tag, context.signal);
  if ((await there()) === digest) return outputs;
  if ("layout" in source) requireDigest(source.layout, await layoutDigest(source.layout), digest);
  context.progress(`copying ${repository}:${tag} to ${registry}`);
  await copyImage(source, inputs, context.signal);
  requireDigest(`registry ${registry}: ${repository}:${tag}`, await there(), digest);
  return outputs;
}

function requireDigest(place: string, found: string | undefined, wanted: string): void {
  if (found === wanted) return;
  throw new Error(
    `${place}: the image is ${found ?? "absent"}, ${wanted} was wanted; ` +
      `something else changed it meanwhile: run "pulumi refresh", then "pulumi up"`,
  );
}

function imageProblems(inputs: Partial<ImageInputs>): Problem[] {
  const rules: [keyof ImageInputs & string, RegExp, string][] = [
    [
      "registry",
      /^([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?$/,
      "give host:port, such as registry.example:5000",
    ],
    [
      "repository",
      /^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
      "give lower-case path parts, such as team/app",
    ],
    ["tag", /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/, "give letters, digits, dots and dashes, such as v1.2.3"],
    ["digest", /^sha256:[0-9a-f]{64}$/, "give sha256: and 64 hexadecimal digits"],
  ];
  return rules.flatMap(([path, pattern, remedy]) => {
    const value = inputs[path];
    if (typeof value === "string" && pattern.test(value)) return [];
    return [{ path, found: `${JSON.stringify(value)} is no ${path}`, remedy }];
  });
}
