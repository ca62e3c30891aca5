import { afterAll, beforeAll, expect, test } from "vitest";
import { traces } from "../lab/traces.ts";
import { denial, eventually, PolicyLab } from "./policies.ts";
import { Router, type Systems } from "./router.ts";

const hosts = ["cp1", "w1", "w2"];
const both = { WORKERS: "w1,w2" };
const one = { WORKERS: "w1" };

/** Tests of a cluster whose nodes tell a machine of the site, which is in no cluster, the way to their pods. */
export function announcedPods(name: string, policies: "enforced" | "unenforced", systems: Systems): void {
  const { own, theirs, password } = systems;
  const secret = password ? `, password: pulumi.secret("${password}")` : "";
  const routers = `[{ address: site.hosts.r!.address${own === theirs ? "" : `, as: ${own}`}${secret} }]`;
  const network = `{ mode: "underlay", policies: "${policies}", underlay: { bgp: { as: ${theirs}, routers: ${routers} } } }`;
  const lab = new PolicyLab(name, hosts, network, ["r"]);
  const router = new Router(lab, "r");
  const addresses: Record<string, string> = {};
  const route = (host: string) => `10.244.${addresses[host]!.split(".")[3]}.0/24 via ${addresses[host]}`;
  let before: Awaited<ReturnType<typeof traces>>;
  let server: string;

  beforeAll(async () => {
    before = await traces([name]);
    const up = await lab.stack.up(both);
    expect(up.code, up.text).toBe(0);
    for (const host of [...hosts, "r"]) {
      const own = "ip -o -4 address show dev host0 | sed 's/.*inet \\([^/]*\\).*/\\1/' | head -n 1";
      addresses[host] = await lab.onHost(host, own);
    }
    await lab.start({ server: "w2", clients: "w1" });
    server = await lab.addressOf("server");
  });
  afterAll(() => lab.stack.remove());

  test("a router that begins later learns of every node's pods, and of nothing else", async () => {
    expect(await router.ask(server)).toBe("silence");
    await router.start(
      hosts.map((host) => addresses[host]!),
      systems,
    );
    await router.comesToKnow(hosts.map(route).sort());
  });

  test("a node takes no route and gives its kernel none", async () => {
    for (const host of hosts) {
      const known = await lab.onHost(host, "birdc -s /run/spillway-bgp/bird.ctl show route; ip route");
      expect(known).toContain("unreachable");
      expect(known).not.toContain("198.51.100.");
      expect(await lab.onHost(host, "ip route show proto bird")).toBe("");
    }
  });

  test("a node does not send back what is for none of its pods", async () => {
    for (const host of hosts) {
      const last = await lab.onHost(host, "ip route show type unreachable");
      expect(last).toContain(`unreachable ${route(host).split(" ")[0]} `);
    }
  });

  test("machines of the site call pods at their only address, and see who calls from there", async () => {
    await router.comesToBeAnswered(server, /^Hello from server$/);
    const client = await lab.addressOf("stranger");
    const { r } = addresses;
    const peers = async () => {
      await lab.fromPod("stranger", "w1", `exec 3<>/dev/tcp/${r}/22; sleep 6`, { background: true });
      return router.run("ss -tnH state established '( sport = :22 )' | awk '{ print $4 }'");
    };
    await eventually(async () => expect(await peers()).toContain(`${client}:`));
  });

  test("pods reach each other across hosts as ever, and the API at its service", async () => {
    expect(await lab.ask("friend", "w1", server)).toBe("Hello from server");
    await lab.fromPod("friend", "w1", 'timeout 5 bash -c "exec 3<>/dev/tcp/10.96.0.1/443"');
  });

  if (password) {
    test("the shared secret is in no plain state", async () => {
      const exported = (...words: string[]) => lab.stack.run(["stack", "export", ...words]);
      expect((await exported("--show-secrets")).stdout).toContain(password);
      expect((await exported()).stdout).not.toContain(password);
    });
  }

  if (policies === "enforced") {
    test("policies see what comes from the site", async () => {
      await lab.apply(denial);
      await router.comesToBeAnswered(server, /^silence$/);
      await lab.apply(allowed(addresses.r!));
      await router.comesToBeAnswered(server, /^Hello from server$/);
      await lab.kubectl("delete networkpolicy deny friend site");
    });
  }

  test("a second run changes nothing, nor does a refresh", async () => {
    const refresh = await lab.stack.refresh(both);
    expect(refresh.code, refresh.text).toBe(0);
    const preview = await lab.stack.previewNothing(both);
    expect(preview.code, preview.text).toBe(0);
  });

  test("a node whose BGP ends is routed to no more, and again when drift is repaired", async () => {
    await lab.onHost("w2", "systemctl stop spillway-bgp");
    await router.comesToKnow(["cp1", "w1"].map(route).sort());
    const refresh = await lab.stack.refresh(both);
    expect(refresh.code, refresh.text).toBe(0);
    const up = await lab.stack.up(both);
    expect(up.code, up.text).toBe(0);
    await router.comesToKnow(hosts.map(route).sort());
  });

  test("a worker that leaves is announced no more and keeps nothing of it", async () => {
    await lab.kubectl("delete pod server --wait");
    const less = await lab.stack.up(one);
    expect(less.code, less.text).toBe(0);
    await router.comesToKnow(["cp1", "w1"].map(route).sort());
    const left =
      "ls -d /etc/spillway/bgp /run/spillway-bgp /etc/systemd/system/spillway-bgp.service 2>/dev/null || :";
    expect(await lab.onHost("w2", left)).toBe("");
    expect(await lab.onHost("w2", "ip route | grep '10[.]244[.]' || :")).toBe("");
  });

  test("destroy leaves nothing on this computer", async () => {
    const destroy = await lab.stack.destroy(one);
    expect(destroy.code, destroy.text).toBe(0);
    await eventually(async () => expect(await traces([name])).toEqual(before));
  });
}

const allowed = (address: string) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: site, namespace: default }
spec:
  podSelector: { matchLabels: { app: server } }
  policyTypes: [Ingress]
  ingress: [{ from: [{ ipBlock: { cidr: ${address}/32 } }], ports: [{ port: 8080 }] }]
`;
