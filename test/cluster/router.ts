import { expect } from "vitest";
import { eventually, type PolicyLab, request } from "./policies.ts";

/** A machine of the site that takes routes by BGP and forwards nothing else: what a site's router knows of pods. */
export class Router {
  readonly #lab: PolicyLab;
  readonly #host: string;

  constructor(lab: PolicyLab, host: string) {
    this.#lab = lab;
    this.#host = host;
  }

  run(script: string): Promise<string> {
    return this.#lab.onHost(this.#host, script);
  }

  /** Starts BIRD for sessions with nodes. @param nodes their addresses */
  async start(nodes: string[], { own, theirs, password }: Systems): Promise<void> {
    const sessions = nodes.map(
      (address, i) => `
protocol bgp node${i} {
  local as ${own};
  neighbor ${address} as ${theirs};
  direct;
  passive;
${password ? `  password "${password}";` : ""}
  ipv4 { import all; export all; };
}`,
    );
    const config = `log stderr all;
router id from "host0";
# Nodes are told of it and do not listen.
protocol static offered { ipv4; route 198.51.100.0/24 unreachable; }
protocol device {}
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
${sessions.join("")}
`;
    await this.run(`cat >/root/bird.conf <<'EOF'\n${config}\nEOF
systemd-run --quiet --unit=router bird -f -c /root/bird.conf -s /run/router.ctl`);
  }

  /** Routes to pods that it has, `RANGE via NODE`. */
  async routes(): Promise<string[]> {
    const known = await this.run("ip route show proto bird | sed 's/ dev.*//' | sort");
    return known.split("\n").filter((line) => line !== "");
  }

  async comesToKnow(routes: string[]): Promise<void> {
    await eventually(async () => expect(await this.routes()).toEqual(routes));
  }

  /** What a pod answers to it; nothing within some seconds is `silence`. */
  ask(address: string): Promise<string> {
    return this.run(`${request(address)} || echo silence`);
  }

  async comesToBeAnswered(address: string, expected: RegExp): Promise<void> {
    await eventually(async () => expect(await this.ask(address)).toMatch(expected));
  }
}

/** Who speaks to whom. */
export interface Systems {
  own: number;
  theirs: number;
  password?: string;
}
