import { annotation, at, kindOf, type Plain } from "./objects.ts";

/** Why a type token is not handled; `undefined` when it is an ordinary kind. */
export function unsupported(token: string): string | undefined {
  const [, group = "", kind = ""] = token.split(":");
  const builtIn = !group.split("/")[0]!.includes(".") || /\.k8s\.io\//.test(group);
  const special = ["helm.sh", "kustomize", "yaml"].includes(group.split("/")[0]!);
  const plain = /^[^/]+\/v\d\w*$/.test(group) && kind !== "" && !special;
  if (plain && !(builtIn && /(Patch|List)$/.test(kind))) return undefined;
  return `${token} is not supported by the stand-in for the Kubernetes plugin; use plain objects, or the official plugin`;
}

/** Problems of one object's inputs: the property and what is wrong with it. */
export function inputProblems(token: string, inputs: Plain): [property: string, reason: string][] {
  const problems: [string, string][] = [];
  const reason = unsupported(token);
  if (reason) return [["", reason]];
  const { apiVersion, kind } = kindOf(token);
  if (inputs.kind !== kind)
    problems.push(["kind", `kind: found ${inputs.kind}; the resource's type says ${kind}`]);
  if (inputs.apiVersion !== apiVersion) {
    problems.push([
      "apiVersion",
      `apiVersion: found ${inputs.apiVersion}; the resource's type says ${apiVersion}`,
    ]);
  }
  if (at(inputs, "metadata", "generateName") !== undefined) {
    problems.push([
      "metadata",
      "metadata.generateName: not supported by the stand-in; leave metadata.name away for a name of its own",
    ]);
  }
  if (annotation(inputs, "pulumi.com/waitFor") !== undefined) {
    problems.push([
      "metadata",
      "the annotation pulumi.com/waitFor is not supported by the stand-in; take it away",
    ]);
  }
  const policy = annotation(inputs, "pulumi.com/deletionPropagationPolicy") ?? "foreground";
  if (!["foreground", "background", "orphan"].includes(policy.toLowerCase())) {
    problems.push([
      "metadata",
      `the annotation pulumi.com/deletionPropagationPolicy: found "${policy}"; say foreground, background or orphan`,
    ]);
  }
  return problems;
}
