import type { Unit } from "./measure.ts";

/** Debian packages that a host needs for what follows. */
export const toolPackages = ["iperf3", "sockperf", "apache2-utils", "lighttpd"];

/** Where a program listens, or what it binds. */
export interface Endpoint {
  address: string;
  /** The first of three that its servers listen at. */
  port: number;
}

/** One way of measuring a path: a server at its end, a client at its start, and what the client says. */
export interface Tool {
  name: string;
  what: string;
  unit: Unit;
  better: "more" | "less";
  port(end: Endpoint): number;
  server(end: Endpoint): string[];
  /** It binds the address of its start: a pod with two of them takes the path of the one it binds. */
  client(start: Endpoint, end: Endpoint): string[];
  /** The one figure of what the client said. */
  read(said: string): number;
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

export const iperf3: Tool = {
  name: "iperf3",
  what: "throughput",
  unit: "Gb/s",
  better: "more",
  port: ({ port }) => port,
  server: ({ address, port }) => words(`iperf3 --server --bind ${address} --port ${port}`),
  client: (start, end) =>
    words(
      `iperf3 --client ${end.address} --port ${end.port} --bind ${start.address} --time 3 --omit 1 --json`,
    ),
  read(said) {
    const { error, end } = JSON.parse(said) as {
      error?: string;
      end?: { sum_received?: { bits_per_second: number } };
    };
    if (error) throw new Error(`iperf3: ${error}`);
    return positive("iperf3", (end?.sum_received?.bits_per_second ?? 0) / 1e9, said);
  },
};

export const sockperf: Tool = {
  name: "sockperf",
  what: "latency",
  unit: "µs",
  better: "less",
  port: ({ port }) => port + 1,
  server: ({ address, port }) => words(`sockperf server --tcp --ip ${address} --port ${port + 1}`),
  client: (start, end) =>
    words(`sockperf ping-pong --tcp --ip ${end.address} --port ${end.port + 1} --client_ip ${start.address}
      --time 2 --full-rtt`),
  // The mean follows the few messages that waited for a processor.
  read: (said) => positive("sockperf", Number(/percentile 50\.000 =\s*([\d.]+)/.exec(said)?.[1]), said),
};

/** Connections are what is counted: each carries one request for an empty file and its answer. */
export const ab: Tool = {
  name: "ab",
  what: "connections",
  unit: "/s",
  better: "more",
  port: ({ port }) => port + 2,
  server: ({ port }) => words(`lighttpd -D -f ${lighttpdFile(port)}`),
  client: (start, end) =>
    words(`ab -q -n 8000 -c 8 -B ${start.address} http://${end.address}:${end.port + 2}/empty`),
  read(said) {
    const failed = Number(/^Failed requests:\s+(\d+)/m.exec(said)?.[1]);
    if (failed !== 0 || /^Non-2xx responses/m.test(said)) throw new Error(`ab: requests failed\n${said}`);
    return positive("ab", Number(/^Requests per second:\s+([\d.]+)/m.exec(said)?.[1]), said);
  },
};

export const tools: readonly Tool[] = [iperf3, sockperf, ab];

const lighttpdFile = (port: number) => `/run/bench-${port}.conf`;

/** Shell text that puts what the HTTP server of an endpoint reads. */
export const lighttpdFiles = ({ address, port }: Endpoint): string => `
mkdir -p /srv/bench
: >/srv/bench/empty
cat >${lighttpdFile(port)} <<'END'
server.bind = "${address}"
server.port = ${port + 2}
server.document-root = "/srv/bench"
END
`;

function positive(name: string, value: number, said: string): number {
  if (!(value > 0)) throw new Error(`${name} gave no figure:\n${said.slice(-2000)}`);
  return value;
}
