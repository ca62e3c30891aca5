import { expect } from "vitest";
import { exec } from "../../components/lab/control.ts";
import { Stack } from "../lab/stack.ts";

/** Hosts of a cluster of several control plane members; what the environment names takes part. */
const hosts = ["cp1", "cp2", "cp3", "cp4", "w1", "w2"];

const program = (lab: string) => `
import { KubernetesCluster, Registry, Site } from "spillway/lab";

const names = (variable: string) => process.env[variable]!.split(",");
const site = new Site("${lab}", { hosts: ${JSON.stringify(hosts)} });
const registry = new Registry("registry", { site, host: "w1" });
const cluster = new KubernetesCluster("c", {
  site, registry, version: "1.36", network: { mode: "overlay", policies: "unenforced" },
  apiAddress: site.range.replace("0/24", "9"),
  controlPlane: names("MEMBERS"),
  pools: {
    general: {
      hosts: names("WORKERS"),
      labels: { tier: process.env.TIER ?? "one", ...(process.env.TRIED ? { tried: "yes" } : {}) },
      taints: process.env.TRIED ? [{ key: "example.com/tried", effect: "PreferNoSchedule" }] : [],
    },
  },
});
export const { kubeconfig } = cluster;
export const hello = registry.image("hello", cluster.image("hello")).reference;
`;

/** A cluster whose members come and go. */
export class Members {
  readonly stack: Stack;
  readonly lab: string;
  static readonly three = { MEMBERS: "cp1,cp2,cp3", WORKERS: "w1" };

  constructor(lab: string) {
    this.lab = lab;
    this.stack = new Stack({ name: lab, program: program(lab), labs: [lab] });
  }

  async onHost(host: string, script: string): Promise<string> {
    const { code, stdout, stderr } = await exec(this.lab, host, ["sh", "-euc", script]);
    expect(code, `${host}: ${stderr}`).toBe(0);
    return stdout.trim();
  }

  kubectl(words: string, member = "cp2"): Promise<string> {
    return this.onHost(member, `KUBECONFIG=/etc/kubernetes/admin.conf kubectl ${words}`);
  }

  nodes(): Promise<string> {
    return this.kubectl("get nodes -o 'jsonpath={.items[*].metadata.name}'");
  }

  etcdctl(words: string, member: string): Promise<string> {
    return this.kubectl(
      `-n kube-system exec etcd-${member} -- etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt` +
        ` --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key ${words}`,
      member,
    );
  }

  async etcdMembers(member: string): Promise<string[]> {
    const listed = await this.etcdctl("member list", member);
    return listed
      .split("\n")
      .map((line) => line.split(", ").slice(1, 3).reverse().join(" "))
      .sort();
  }
}
