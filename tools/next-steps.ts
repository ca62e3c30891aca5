/** What to do after `npm start`, from the outputs of the stack. */
export function nextSteps(stack: string, outputs: Readonly<Record<string, unknown>>): string {
  const facts: [string, unknown][] = [
    ["nodes", outputs.nodes],
    ["registry", outputs.registry],
    ["certificates expire", outputs.certificateExpiry],
    ["sample", outputs.sampleUrl],
  ];
  const known = facts
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name}: ${plain(value)}`);
  const commands: [string, string][] = [
    ["look at the sample", `curl ${plain(outputs.sampleUrl ?? "")}`],
    [
      "use kubectl",
      `(umask 077; npm run -s pulumi -- stack output kubeconfig -s ${stack} --show-secrets > kubeconfig.yaml)\n` +
        "      KUBECONFIG=kubeconfig.yaml kubectl get nodes",
    ],
    ["find drift, repair it", `npm run -s pulumi -- refresh -s ${stack}; npm start`],
    ["take all of it back", `npm run -s pulumi -- destroy -s ${stack} --yes`],
  ];
  const offered = commands.filter(
    ([title]) => title !== "look at the sample" || outputs.sampleUrl !== undefined,
  );
  return ["", ...known, "", ...offered.map(([title, command]) => `  ${title}:\n      ${command}`), ""].join(
    "\n",
  );
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (value === null || typeof value !== "object") return String(value);
  const { name, ...rest } = value as Record<string, unknown>;
  if (typeof name === "string") return Object.keys(rest).length > 0 ? `${name} (${plain(rest)})` : name;
  return Object.entries(value)
    .map(([key, inner]) => `${key} ${plain(inner)}`)
    .join(", ");
}
