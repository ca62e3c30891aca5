import { existsSync } from "node:fs";
import type { Problem } from "../model/problem.ts";
import type { ResourceType } from "../provider/resource.ts";
import { configuredMirror } from "./apt-sources.ts";
import { computerProblems, requireLab, requireSpace } from "./requirements.ts";
import { ensureImage, imageDirectory, isWhole } from "./rootfs.ts";

/** What Kubernetes, a registry and their networks need on a lab host. */
export const labPackages: readonly string[] = [
  "containerd",
  "runc",
  "conntrack",
  "socat",
  "ethtool",
  "containernetworking-plugins",
  "curl",
  "docker-registry",
  "bird2",
  "keepalived",
  "kmod",
  "iptables",
  "iputils-ping",
  // Cilium's agent compiles with it.
  "clang-19",
];

/** The root file system that lab hosts start from. */
export interface ImageInputs {
  /** Release of Debian. */
  suite: "bookworm";
  /** Debian packages besides systemd, sshd and the network tools. Their services start only when enabled. */
  packages: string[];
  /** Address of a Debian archive. @default the one that this computer's apt is set to for the suite */
  mirror?: string;
}

export interface ImageOutputs {
  /** Directory of the root file system; nobody writes to it. */
  path: string;
}

const packageName = /^[a-z0-9][a-z0-9+.-]{1,79}$/;
const archive = /^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/;

/**
 * A root file system for lab hosts, made by mmdebstrap and cached outside of the repository under
 * a name made from the inputs. Delete keeps the cache: other stacks share it, and it takes minutes
 * to make. `SPILLWAY_CACHE` says where.
 */
export const image: ResourceType<ImageInputs, ImageOutputs> = {
  token: "spillway:lab:Image",
  computed: ["path"],
  replaceOn: ["suite", "packages", "mirror"],

  check(inputs, unknown) {
    const problems: Problem[] = [...computerProblems()];
    if (!unknown.has("suite") && inputs.suite !== "bookworm") {
      problems.push({
        path: "suite",
        found: `${JSON.stringify(inputs.suite)} is not known`,
        remedy: "use bookworm, the release that lab hosts are tested with",
      });
    }
    (inputs.packages ?? []).forEach((name, index) => {
      if (name !== undefined && !packageName.test(name)) {
        problems.push({
          path: `packages[${index}]`,
          found: `${JSON.stringify(name.slice(0, 60))} is no Debian package name`,
          remedy: "use lowercase letters, digits and + - . such as containerd",
        });
      }
    });
    problems.push(...mirrorProblems(inputs, unknown));
    return problems;
  },

  preview: async () => requireSpace(),

  async create(context, inputs) {
    requireLab();
    requireSpace();
    const path = await ensureImage(context, inputs);
    return { id: imageDirectory(inputs), outputs: { path } };
  },

  async read(_context, old) {
    return isWhole(old.id) && existsSync(old.outputs.path)
      ? { inputs: old.inputs, outputs: old.outputs }
      : undefined;
  },

  async delete() {},
};

function mirrorProblems(inputs: Partial<ImageInputs>, unknown: ReadonlySet<string>): Problem[] {
  if (unknown.has("mirror")) return [];
  if (inputs.mirror !== undefined) {
    if (archive.test(inputs.mirror)) return [];
    return [
      {
        path: "mirror",
        found: "it is no http or https address of a Debian archive, or it carries a user name",
        remedy: "give one such as http://mirror.example/debian",
      },
    ];
  }
  if (inputs.suite !== "bookworm" || configuredMirror(inputs.suite)) return [];
  return [
    {
      path: "mirror",
      found: `apt on this computer has no source for Debian ${inputs.suite}`,
      remedy: "say which Debian archive to use, by the site's `mirror`",
    },
  ];
}
