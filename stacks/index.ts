import * as pulumi from "@pulumi/pulumi";

/** Programs by name; a stack runs the one of its own name, or the one that `spillway:program` names. */
const programs: Record<string, () => Promise<object>> = {
  local: () => import("./local.ts"),
  onprem: () => import("./onprem.ts"),
};

const name = new pulumi.Config().get("program") ?? pulumi.getStack();
const program = programs[name];
if (!program) {
  const known = Object.keys(programs).join(", ");
  throw new pulumi.RunError(
    `no program is called "${name}"; name the stack ${known}, or choose one: pulumi config set program local`,
  );
}

export default { ...(await program()) };
