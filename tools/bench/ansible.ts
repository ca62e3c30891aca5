import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot } from "../../components/local/folders.ts";
import { child } from "./child.ts";

import type { Lab } from "./lab.ts";
import { playbook, templateFiles } from "./playbook.ts";
import { later } from "./tidy.ts";

const version = "2.19.14";

/** Ansible from PyPI in a folder of the cache; installed when it is not there. */
export async function ansible(): Promise<string> {
  const folder = join(cacheRoot(), "bench", `ansible-core-${version}`);
  const program = join(folder, "bin", "ansible-playbook");
  if (existsSync(join(folder, "whole"))) return program;
  // A virtual environment knows its own path and cannot be moved: its mark of being whole comes last.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await child(["python3", "-m", "venv", folder]);
  await child([
    join(folder, "bin", "pip"),
    "install",
    "--quiet",
    "--disable-pip-version-check",
    `ansible-core==${version}`,
  ]);
  writeFileSync(join(folder, "whole"), "");
  return program;
}

/** A playbook on hosts of a lab, with the settings that make Ansible quick. */
export interface Play {
  /** Runs it on these hosts and gives what it said of changes. */
  run(hosts: readonly string[]): Promise<string>;
}

export async function preparePlay(lab: Lab): Promise<Play> {
  const program = await ansible();
  const folder = join(lab.folder, "play");
  mkdirSync(join(folder, "templates"), { recursive: true });
  writeFileSync(join(folder, "play.yaml"), playbook());
  for (const [name, text] of Object.entries(templateFiles()))
    writeFileSync(join(folder, "templates", name), text);
  writeFileSync(join(folder, "hosts"), lab.connections.map(({ host }) => `${host}\n`).join(""));
  const sockets = join(lab.folder, "cp");
  mkdirSync(sockets);
  const env = {
    ...process.env,
    ANSIBLE_HOME: join(folder, "home"),
    ANSIBLE_INVENTORY: join(folder, "hosts"),
    ANSIBLE_PIPELINING: "true",
    ANSIBLE_FORKS: "10",
    ANSIBLE_SSH_ARGS: `-F ${lab.sshConfig} -o ControlMaster=auto -o ControlPersist=60s`,
    ANSIBLE_SSH_CONTROL_PATH: `${sockets}/%%C`,
    ANSIBLE_PYTHON_INTERPRETER: "/usr/bin/python3",
    ANSIBLE_NOCOLOR: "true",
    LC_ALL: "C.UTF-8",
  };
  later(() => endMasters(lab, sockets));
  return {
    run: (hosts) =>
      child([program, "--limit", hosts.join(","), join(folder, "play.yaml")], { cwd: folder, env }),
  };
}

async function endMasters(lab: Lab, sockets: string): Promise<void> {
  const end = (host: string) =>
    child(["ssh", "-F", lab.sshConfig, "-o", `ControlPath=${sockets}/%C`, "-O", "exit", host]);
  await Promise.allSettled(lab.connections.map(({ host }) => end(host)));
}

/** How many things a run changed on all hosts, by its recap. */
export function changesOf(said: string): number {
  return [...said.matchAll(/ changed=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
