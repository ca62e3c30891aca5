/** What went wrong on a host: names the host and the step. */
export class HostError extends Error {
  /** Name of the host. */
  readonly host: string;
  /** What was being done there. */
  readonly step: string;
  /** What was found. */
  readonly reason: string;
  /** Exit code of the script, `undefined` when it never gave one. */
  readonly exitCode: number | undefined;
  /** End of what the script wrote to stderr. */
  readonly stderr: string;

  constructor(host: string, step: string, reason: string, exitCode?: number, stderr = "") {
    super(`host ${host}, ${step}: ${reason}`);
    this.name = "HostError";
    this.host = host;
    this.step = step;
    this.reason = reason;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** No answer came: the host, the network or sshd went away before or during the work. */
export class ConnectionError extends HostError {
  /** True when another try may succeed. */
  readonly transient: boolean;

  constructor(host: string, step: string, reason: string, transient: boolean) {
    super(host, step, reason);
    this.name = "ConnectionError";
    this.transient = transient;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
