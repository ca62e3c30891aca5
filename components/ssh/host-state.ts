import type { Connection } from "../model/connection.ts";

/** Attributes of a directory. */
export interface DirectoryState {
  /** Octal mode, such as `0750`. @default 0755 when it is made here, else left as it is */
  mode?: string;
  /** `user:group`; a lone user means the group of the same name. @default root:root when it is made here, else left as it is */
  owner?: string;
  /**
   * On delete all that is in it goes too: for data that can be made anew. Refused on a directory that
   * was there before; fails as long as something is mounted below it. @default false: what is in it stays, and so it does
   */
  removeContents?: boolean;
}

/** A file with its content in the program. */
export interface FileState {
  /** Exact content, as UTF-8. */
  content: string;
  /** Octal mode. @default 0644 */
  mode?: string;
  /** `user:group`; a lone user means the group of the same name. @default root:root */
  owner?: string;
  /** Replace a file that somebody else put there; it comes back on delete. @default false: refused */
  overwrite?: boolean;
}

/** A file of this computer, such as a program; owner root. */
export interface UploadState {
  /** Path on this computer. Moving it there changes nothing; only the digest counts. */
  source: string;
  /** SHA-256 of its content in hexadecimal. */
  sha256: string;
  /** Octal mode. @default 0755 */
  mode?: string;
}

/** A mount, kept as a systemd mount unit; the directory is made when missing. */
export interface MountState {
  /** Device, image file or remote. */
  what: string;
  /** Type of file system, such as `ext4`. */
  type: string;
  /** As in fstab's fourth column. @default none */
  options?: string;
}

/** A systemd unit. What is not said is left as it is. */
export interface UnitState {
  /** The unit file, put into /etc/systemd/system. @default the unit is there already */
  content?: string;
  /** A drop-in for the unit. @default none */
  dropIn?: string;
  /** Started at boot. */
  enabled?: boolean;
  /** Running now; a oneshot needs `RemainAfterExit=yes` for it. */
  running?: boolean;
  /** Paths of this state whose change restarts the unit; its own file and drop-in always do. @default all files and uploads */
  restartOn?: string[];
  /** Changes are brought in by `systemctl reload`, where a restart would interrupt. @default false */
  reloads?: boolean;
}

/** What shall be on a host. Delete takes back what was put, and only that. */
export interface HostStateArgs {
  /** How to reach the host. */
  connection: Connection;
  /** Unique on the host: 1 to 64 of a-z, 0-9 and `-`. */
  name: string;
  /** Names of apt or dnf packages, installed without recommended ones. @default none */
  packages?: string[];
  /** Kernel modules, loaded now and at boot. @default none */
  modules?: string[];
  /** Kernel settings by name, such as `net.ipv4.ip_forward`; set now and at boot. @default none */
  sysctls?: Record<string, string>;
  /** Addresses of names, as lines of /etc/hosts; other lines are left alone. @default none */
  hosts?: Record<string, string[]>;
  /** By absolute path; parents are made. On delete they go when empty. @default none */
  directories?: Record<string, DirectoryState>;
  /** By absolute path. @default none */
  files?: Record<string, FileState>;
  /** By absolute path on the host. @default none */
  uploads?: Record<string, UploadState>;
  /** By absolute mount point. @default none */
  mounts?: Record<string, MountState>;
  /** By full name, such as `containerd.service`. @default none */
  units?: Record<string, UnitState>;
}

/** Nothing besides the inputs. */
export type HostStateOutputs = Record<never, never>;
