/** `pulumi-resource-pulumi-nodejs`: serves dynamic resources with the SDK of the program's folder. */
import { createRequire } from "node:module";
import { join } from "node:path";

const fromProgram = createRequire(join(process.cwd(), "package.json"));
const script = "@pulumi/pulumi/cmd/dynamic-provider";
process.argv[1] = fromProgram.resolve(script);
fromProgram(script);
