import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { cacheFolder } from "../../components/artifacts/cache.ts";

/** What the tests say to the API server beside the stand-in. */
export type Call = (
  method: string,
  path: string,
  body?: object,
  type?: string,
) => Promise<{ code: number; body: unknown }>;

export interface ControlPlane {
  kubeconfig: string;
  folder: string;
  call: Call;
  /** Keeps pods from becoming ready. */
  holdPods(hold: boolean): void;
  stop(): Promise<void>;
}

/** Where a program of Kubernetes is: `$SPILLWAY_TEST_BIN`, or the artifacts that were built. */
function binary(name: string): string {
  const given = process.env.SPILLWAY_TEST_BIN;
  if (given) return join(given, name);
  const cache = cacheFolder();
  const found = existsSync(cache)
    ? execFileSync("find", [cache, "-type", "f", "-name", name, "-perm", "-u+x"], { encoding: "utf8" }).split(
        "\n",
      )[0]
    : "";
  if (!found)
    throw new Error(`${name} is not among the artifacts in ${cache}; build them, or set SPILLWAY_TEST_BIN`);
  return found;
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** A real API server with its etcd and controllers on loopback; a loop plays the kubelet. */
export async function startControlPlane(): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), "stand-in-"));
  const children: ChildProcess[] = [];
  const run = (name: string, args: string[]) => {
    const log = createWriteStream(join(folder, `${name}.log`));
    const child = spawn(binary(name), args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    children.push(child);
  };
  const stop = async () => {
    const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(
      running.map((child) => {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        return ended;
      }),
    );
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [etcd, peer, port] = [await freePort(), await freePort(), await freePort()];
    const token = randomBytes(16).toString("hex");
    writeFileSync(join(folder, "tokens.csv"), `${token},admin,1,system:masters\n`, { mode: 0o600 });
    execFileSync("openssl", ["genrsa", "-out", join(folder, "sa.key"), "2048"], { stdio: "ignore" });
    run("etcd", [
      `--data-dir=${join(folder, "etcd")}`,
      "--unsafe-no-fsync",
      `--listen-client-urls=http://127.0.0.1:${etcd}`,
      `--advertise-client-urls=http://127.0.0.1:${etcd}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
    ]);
    run("kube-apiserver", [
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      `--secure-port=${port}`,
      `--cert-dir=${join(folder, "certificates")}`,
      `--token-auth-file=${join(folder, "tokens.csv")}`,
      "--authorization-mode=RBAC",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${join(folder, "sa.key")}`,
      `--service-account-signing-key-file=${join(folder, "sa.key")}`,
      "--endpoint-reconciler-type=none",
    ]);
    const certificate = join(folder, "certificates", "apiserver.crt");
    await until("the API server's certificate", () => existsSync(certificate));
    const kubeconfig = JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "test",
      clusters: [
        {
          name: "test",
          cluster: {
            server: `https://127.0.0.1:${port}`,
            "certificate-authority-data": readFileSync(certificate).toString("base64"),
          },
        },
      ],
      users: [{ name: "admin", user: { token } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    });
    writeFileSync(join(folder, "kubeconfig"), kubeconfig, { mode: 0o600 });
    const call = caller(kubeconfig);
    await until("the API server", async () => (await call("GET", "/readyz")).code === 200);
    run("kube-controller-manager", [
      `--kubeconfig=${join(folder, "kubeconfig")}`,
      "--leader-elect=false",
      "--secure-port=0",
      "--use-service-account-credentials=false",
      `--service-account-private-key-file=${join(folder, "sa.key")}`,
      "--controllers=*,-node-lifecycle-controller",
    ]);
    await call("POST", "/api/v1/nodes", { metadata: { name: "pretended" } });
    const kubelet = pretendKubelet(call);
    return {
      kubeconfig,
      folder,
      call,
      holdPods: kubelet.hold,
      stop: async () => {
        await kubelet.stop();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  seconds = 60,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    if (await Promise.resolve(holds()).catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await sleep(200);
  }
}

function caller(kubeconfig: string): Call {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  return async (method, path, body, type = "application/json") => {
    const content = Buffer.from(body ? JSON.stringify(body) : "");
    const options: { method: string; headers?: Record<string, string | number> } = { method };
    await config.applyToHTTPSOptions(options);
    options.headers = { ...options.headers, "content-type": type, "content-length": content.length };
    return new Promise((resolve, reject) => {
      const sent = request(config.getCurrentCluster()!.server + path, options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        // An answer that breaks off has no end.
        response.on("error", reject);
        response.on("end", () => {
          const isJson = response.headers["content-type"]?.includes("json");
          resolve({ code: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : {} });
        });
      });
      sent.on("error", reject);
      sent.setTimeout(20_000, () => sent.destroy(new Error(`${method} ${path}: no answer in 20 s`)));
      sent.end(content);
    });
  };
}

interface Pod {
  metadata: { name: string; namespace: string; resourceVersion: string; deletionTimestamp?: string };
  spec: { nodeName?: string; containers: { name: string; image: string }[] };
  status: { phase?: string; conditions?: { type: string; status: string }[] };
}

/** Binds every pod to the pretended node, says that it is ready, and lets deleted ones go. */
function pretendKubelet(call: Call) {
  let [held, ended] = [false, false];
  const turn = async () => {
    const { items = [] } = (await call("GET", "/api/v1/pods")).body as { items?: Pod[] };
    for (const { metadata, spec, status } of items) {
      const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;
      if (metadata.deletionTimestamp) await call("DELETE", path, { gracePeriodSeconds: 0 });
      else if (status.phase === "Failed" || status.phase === "Succeeded") continue;
      else if (!spec.nodeName) {
        await call("POST", `${path}/binding`, {
          metadata: { name: metadata.name },
          target: { kind: "Node", name: "pretended" },
        });
      } else {
        const ready = status.conditions?.find(({ type }) => type === "Ready")?.status;
        const wanted = held ? undefined : "True";
        if (ready !== wanted || (held && !ready)) {
          // A version: a test may have ended the pod since it was listed.
          const { resourceVersion } = metadata;
          const patch = {
            metadata: { resourceVersion },
            status: held ? pulling(spec.containers) : running(),
          };
          await call("PATCH", `${path}/status`, patch, "application/merge-patch+json");
        }
      }
    }
  };
  const loop = (async () => {
    while (!ended) {
      await turn().catch(() => {});
      await sleep(200);
    }
  })();
  return {
    hold: (hold: boolean) => {
      held = hold;
    },
    stop: async () => {
      ended = true;
      await loop;
    },
  };
}

let lastAddress = 1;

function running() {
  lastAddress += 1;
  const podIP = `10.244.${lastAddress >> 8}.${lastAddress & 255}`;
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
    type,
    status: "True",
  }));
  return { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions, containerStatuses: [] };
}

function pulling(containers: { name: string; image: string }[]) {
  const waiting = { reason: "ImagePullBackOff", message: "Back-off pulling image" };
  const containerStatuses = containers.map(({ name, image }) => ({
    name,
    image,
    imageID: "",
    ready: false,
    restartCount: 0,
    state: { waiting },
  }));
  return { phase: "Pending", conditions: [{ type: "PodScheduled", status: "True" }], containerStatuses };
}
