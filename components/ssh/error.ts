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

/**
 * Why there is no connection: the host did not answer (`unreachable`), answered but may not be
 * talked to, as with a wrong host key (`refused`), or was there and went away (`lost`).
 */
export type ConnectionFailure = "unreachable" | "refused" | "lost";

/** No answer came: the host, the network or sshd went away before or during the work. */
export class ConnectionError extends HostError {
  readonly failure: ConnectionFailure;

  constructor(host: string, step: string, reason: string, failure: ConnectionFailure) {
    super(host, step, reason);
    this.name = "ConnectionError";
    this.failure = failure;
    if (this.transient) this.message += "; bring the host back and run again";
  }

  /** True when another try may succeed without any change. */
  get transient(): boolean {
    return this.failure !== "refused";
  }
}

/** What to do when sudo, not the work, failed; nothing otherwise. */
export function sudoAdvice(stderr: string): string | undefined {
  if (/sudo:.*password is required|not in the sudoers/.test(stderr)) {
    return "sudo wants a password; let the account run sudo without one";
  }
  if (/sudo: (not found|command not found)|sudo: No such file/.test(stderr)) {
    return "sudo is not installed; install it, or log in as root";
  }
  return undefined;
}
