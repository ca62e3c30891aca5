/** How a host is reached by SSH. */
export interface Endpoint {
  /** IP address or DNS name. */
  address: string;
  /** TCP port of sshd. @default 22 */
  port?: number;
  /** Account to log in as. @default root */
  user?: string;
  /** Private key in OpenSSH or PEM form; a secret. */
  privateKey: string;
  /** Public host key as in known_hosts, `ssh-ed25519 AAAA...`; anything else that answers is refused. */
  hostKey: string;
}

/** A host as the plugin's resources reach it. */
export interface Connection extends Endpoint {
  /** The host's name in its site; messages call it so. */
  host: string;
  /** A host to go through, its key pinned as well. @default none */
  bastion?: Endpoint;
  /** Run as root by `sudo -n`. @default true unless the user is root */
  sudo?: boolean;
  /** Seconds to wait for a connection. @default 10 */
  dialTimeout?: number;
  /** Seconds one step may take. @default 600 */
  stepTimeout?: number;
}
