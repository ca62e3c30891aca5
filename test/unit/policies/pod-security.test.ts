import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { podSecurity } from "../../../components/policies/controls/pod-security.ts";
import { violationsOf } from "../../../components/policies/judge.ts";
import { kubernetesType, type Resource } from "../../../components/policies/resource.ts";
import { settingsOf } from "../../../components/policies/settings.ts";
import type { Properties } from "../../../components/policies/value.ts";

const settings = settingsOf({}, { known: new Set(), today: "2026-01-01" });

/** The cases of Kubernetes' own conformance tests of these standards: each is named after its check. */
function cases(level: string, verdict: string): { name: string; resource: Resource }[] {
  const text = readFileSync(
    new URL(`../../fixtures/pod-security-${level}-${verdict}.yaml`, import.meta.url),
    "utf8",
  );
  return [...parseAllDocuments(text)].flatMap((document) => {
    const props = document.toJS() as Properties | null;
    if (props === null) return [];
    const { name } = props.metadata as { name: string };
    return [{ name, resource: { type: kubernetesType("v1", "Pod"), name, props } }];
  });
}

/** Which control answers the check that a case is named after. */
const ANSWERS: Record<string, string> = {
  allowprivilegeescalation: "privilege-escalation",
  apparmorprofile: "app-armor",
  capabilities_baseline: "added-capabilities",
  capabilities_restricted: "capabilities",
  hostnamespaces: "host-namespaces",
  hostpathvolumes: "host-path",
  hostports: "host-port",
  hostprobesandhostlifecycle: "host-probe",
  privileged: "privileged",
  procmount: "proc-mount",
  procmount_restricted: "proc-mount",
  restrictedvolumes: "volume-types",
  runasnonroot: "run-as-non-root",
  runasuser: "run-as-user",
  seccompprofile_baseline: "unconfined-seccomp",
  seccompprofile_restricted: "seccomp",
  selinuxoptions: "selinux",
  sysctls: "sysctls",
  windowshostprocess: "windows-host-process",
};

const broken = (resource: Resource) =>
  podSecurity.flatMap((control) =>
    violationsOf(control, resource, settings).length > 0 ? [control.id] : [],
  );

test.each([...cases("baseline", "fail"), ...cases("restricted", "fail")])(
  "$name is refused by its control",
  ({ name, resource }) => {
    const control = ANSWERS[name.replace(/\d+$/, "")];
    expect(control, name).toBeDefined();
    expect(broken(resource)).toContain(control);
  },
);

test.each(cases("restricted", "pass"))("$name of the restricted level breaks none", ({ resource }) => {
  expect(broken(resource)).toEqual([]);
});
