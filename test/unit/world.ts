import * as pulumi from "@pulumi/pulumi";
import { fromStruct, toStruct } from "../../components/provider/wire.ts";

/** A resource as the engine would have been asked for it. */
export interface Asked {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

/**
 * Runs a program against Pulumi's mocks and gives what it asked for. Outputs that only a real
 * resource has get a stand-in text, so that what is made from them can be read.
 *
 * @param asked gets it too, for a program that fails
 */
export async function build(
  program: () => unknown,
  asked: Asked[] = [],
  project = "spillway",
): Promise<Asked[]> {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        asked.push({ type, name, inputs: fromStruct(toStruct(inputs), { unknown: "keep" }) });
        return { id: `${name}-id`, state: { ...computed(type, name), ...inputs } };
      },
      call: () => ({}),
    },
    project,
    "test",
    false,
    "organization",
  );
  // As Pulumi's own runner does: an error that nobody handled fails the program.
  const unhandled: unknown[] = [];
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (error) => unhandled.push(error));
  try {
    await program();
  } finally {
    await pulumi.runtime.disconnect();
    await new Promise(setImmediate);
    process.removeAllListeners("unhandledRejection");
    for (const listener of others) process.on("unhandledRejection", listener);
  }
  if (unhandled.length > 0) throw unhandled[0];
  return asked;
}

const image = (name: string) => ({
  repository: name,
  tag: "1",
  digest: `sha256:${name}`,
  source: { layout: `/cache/${name}` },
});
const images = [
  "coredns",
  "etcd",
  "hello",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "pause",
];
const program = (name: string) => ({ path: `/cache/${name}`, sha256: name, version: "1" });
const programs = [
  "cilium-agent",
  "cilium-bpf.tar.gz",
  "cilium-cni",
  "cilium-operator",
  "flanneld",
  "kubeadm",
  "kubectl",
  "kubelet",
];

function computed(type: string, name: string): Record<string, unknown> {
  const fromNames = <T>(names: string[], make: (name: string) => T) =>
    Object.fromEntries(names.map((each) => [each, make(each)]));
  const all: Record<string, Record<string, unknown>> = {
    "spillway:artifacts:Artifacts": {
      images: fromNames(images, image),
      binaries: fromNames(programs, program),
      origin: "built",
      summary: "Kubernetes 1.36.3: built",
    },
    "spillway:artifacts:Image": { reference: `registry/${name}@sha256:${"0".repeat(64)}` },
    "spillway:kubeadm:ControlPlaneMember": { nodeName: name, certificateExpiry: "2027-01-01T00:00:00Z" },
    "spillway:kubeadm:Worker": { nodeName: name },
    "spillway:lab:Host": { hostKey: "ssh-ed25519 AAAA" },
    "spillway:lab:Image": { path: "/image" },
    "spillway:lab:Network": { gateway: "10.77.0.1" },
    "spillway:ssh:Preflight": { owner: `${name}-owner` },
    "spillway:secrets:KeyPair": { privateKey: `${name}-private`, publicKey: `${name}-public` },
    "spillway:secrets:Password": { value: `${name}-value`, bcrypt: `${name}-bcrypt` },
    "spillway:secrets:Authority": {
      certificate: `${name}-pem`,
      privateKey: `${name}-key`,
      notAfter: "2036-01-01T00:00:00Z",
      publicKeyHash: "sha256:00",
    },
    "spillway:secrets:Certificate": {
      certificate: `${name}-pem`,
      privateKey: `${name}-key`,
      notAfter: "2027-01-01T00:00:00Z",
    },
  };
  return all[type] ?? {};
}
