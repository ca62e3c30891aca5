import { stringify } from "yaml";
import { declared, sysctlFile } from "./declared.ts";

/**
 * As a playbook, written to be quick: one task for all packages and one that reads all kernel settings
 * (ansible-core has no module for them), no gathering of facts.
 */
export function playbook(): string {
  const { packages, directories, copies, templates, sysctls, units } = declared;
  const item = (name: string) => `{{ item.${name} }}`;
  const pairs = (entries: Record<string, string>) =>
    Object.entries(entries).map(([dest, content]) => ({ dest, content }));
  const names = Object.keys(sysctls);
  const lines = names.map((name) => `${name} = ${sysctls[name]}\n`).join("");
  const builtin = (module: string) => `ansible.builtin.${module}`;
  const tasks = [
    { [builtin("apt")]: { name: packages, state: "present", install_recommends: false } },
    {
      [builtin("file")]: { path: "{{ item }}", state: "directory", mode: "0755" },
      loop: ["/etc/bench", ...directories],
    },
    {
      [builtin("copy")]: { dest: item("dest"), content: item("content"), mode: "0644" },
      loop: pairs(copies),
      loop_control: { label: item("dest") },
    },
    {
      [builtin("template")]: {
        src: "{{ item | basename }}.j2",
        dest: "{{ item }}",
        mode: "0644",
      },
      loop: Object.keys(templates),
    },
    { [builtin("copy")]: { dest: sysctlFile, content: lines, mode: "0644" } },
    {
      [builtin("command")]: { argv: ["sysctl", "-n", ...names] },
      register: "found",
      changed_when: false,
    },
    {
      [builtin("command")]: { argv: ["sysctl", "-p", sysctlFile] },
      when: `found.stdout_lines | map('replace', '\t', ' ') | list != ${JSON.stringify(Object.values(sysctls))}`,
    },
    {
      [builtin("copy")]: { dest: item("dest"), content: item("content"), mode: "0644" },
      loop: Object.entries(units).map(([name, content]) => ({
        dest: `/etc/systemd/system/${name}`,
        content,
      })),
      loop_control: { label: item("dest") },
      register: "unit_files",
    },
    {
      [builtin("systemd")]: {
        name: "{{ item }}",
        enabled: true,
        state: "started",
        daemon_reload: "{{ unit_files.changed }}",
      },
      loop: Object.keys(units),
    },
  ];
  return stringify([{ hosts: "all", gather_facts: false, tasks }], { lineWidth: 0 });
}

/** The templates that the playbook names, by file name. */
export function templateFiles(): Record<string, string> {
  const entries = Object.entries(declared.templates).map(([path, text]) => [
    `${path.slice(path.lastIndexOf("/") + 1)}.j2`,
    text.replace("@HOST@", "{{ inventory_hostname }}"),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}
