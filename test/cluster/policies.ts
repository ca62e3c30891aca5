import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { exec } from "../../components/lab/control.ts";
import { Stack } from "../lab/stack.ts";

/** Pods of one cluster that try to reach each other; each is asked from inside its own network. */
export class PolicyLab {
  readonly stack: Stack;
  readonly #lab: string;

  /**
   * @param network the cluster's, as TypeScript; `site` is at hand
   * @param beside hosts that are in no cluster
   */
  constructor(lab: string, hosts: string[], network: string, beside: string[] = []) {
    this.#lab = lab;
    const [controlPlane, ...workers] = hosts;
    this.stack = new Stack({
      name: lab,
      labs: [lab],
      program: `
import * as pulumi from "@pulumi/pulumi";
import { KubernetesCluster, Registry, Site } from "spillway/lab";

const site = new Site("${lab}", { hosts: ${JSON.stringify([...hosts, ...beside])} });
const registry = new Registry("registry", { site, host: "${controlPlane}" });
const cluster = new KubernetesCluster("c", {
  site, registry, version: "1.36",
  controlPlane: ["${controlPlane}"],
  pools: { general: { hosts: (process.env.WORKERS ?? "${workers}").split(",") } },
  network: ${network},
});
export const hello = registry.image("hello", cluster.image("hello")).reference;
`,
    });
  }

  async onHost(host: string, script: string): Promise<string> {
    const { code, stdout, stderr } = await exec(this.#lab, host, ["sh", "-euc", script]);
    expect(code, `${host}: ${script}\n${stderr}`).toBe(0);
    return stdout.trim();
  }

  kubectl(words: string): Promise<string> {
    return this.onHost("cp1", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl --request-timeout=30s ${words}`);
  }

  async apply(manifests: string): Promise<void> {
    await this.onHost("cp1", `cat >/root/manifests.yaml <<'EOF'\n${manifests}\nEOF`);
    await this.kubectl("apply -f /root/manifests.yaml");
  }

  /** A server and two that would like to talk to it, each on its host. */
  async start(places: { server: string; clients: string }): Promise<void> {
    const { hello } = await this.stack.outputs<{ hello: string }>();
    const pod = (name: string, host: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: ${name} } }
spec:
  nodeName: ${host}
  tolerations: [{ operator: Exists }]
  containers: [{ name: main, image: "${hello}" }]
`;
    const { server, clients } = places;
    await this.apply([pod("server", server), pod("friend", clients), pod("stranger", clients)].join("---"));
    // The first pod of a node waits until its agent has compiled what carries packets.
    await eventually(() =>
      this.kubectl("wait --for=condition=Ready pod/server pod/friend pod/stranger --timeout=20s"),
    );
  }

  addressOf(pod: string): Promise<string> {
    return this.kubectl(`get pod ${pod} -o 'jsonpath={.status.podIP}'`);
  }

  /** What the server answers to a pod that asks from its own network; nothing within some seconds is `silence`. */
  ask(pod: string, host: string, address: string): Promise<string> {
    return this.fromPod(pod, host, `${request(address)} || echo silence`);
  }

  /**
   * Runs shell text of the host in the network of a pod, and gives what it printed.
   *
   * @param background goes on while it runs
   */
  async fromPod(pod: string, host: string, script: string, { background = false } = {}): Promise<string> {
    const id = await this.kubectl(`get pod ${pod} -o 'jsonpath={.status.containerStatuses[0].containerID}'`);
    return this.onHost(
      host,
      `pid=$(ctr -n k8s.io task ls | awk -v id="${id.replace("containerd://", "")}" '$1 == id { print $2 }')
       # As a process of the host, whose control groups are where services are translated.
       systemd-run --quiet --collect ${background ? "" : "--wait --pipe"} nsenter --net --target "$pid" bash -c '${script.replaceAll("'", "'\\''")}'`,
    );
  }

  /** Policies reach the agents a moment after the API has taken them. */
  async comesToAnswer(pod: string, host: string, address: string, expected: RegExp): Promise<void> {
    await eventually(async () => {
      const answer = await this.ask(pod, host, address);
      if (!expected.test(answer)) throw new Error(`${pod} is answered: ${answer}`);
    });
  }
}

/** A shell command that asks an address for its page and shows the last line. */
export const request = (address: string): string =>
  `timeout 5 bash -c 'exec 3<>/dev/tcp/${address}/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'`;

/** Tries until it no longer throws; after three minutes what it threw. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + 180_000; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(1000);
    }
  }
}

/** Nobody reaches a pod of the namespace, but `friend` the server. */
export const denial = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: default }
spec: { podSelector: {}, policyTypes: [Ingress] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: friend, namespace: default }
spec:
  podSelector: { matchLabels: { app: server } }
  policyTypes: [Ingress]
  ingress: [{ from: [{ podSelector: { matchLabels: { app: friend } } }], ports: [{ port: 8080 }] }]
`;
