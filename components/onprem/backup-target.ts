import * as pulumi from "@pulumi/pulumi";
import { quote } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import { anything, named, optional, text } from "../model/shape.ts";
import { plainPathProblems } from "../model/store.ts";
import { labelOf, placeOf } from "./operation.ts";
import type { Volume } from "./store.ts";

/** A bucket of an S3 server. */
export interface S3Args {
  /** `https://HOST[:PORT]`, or `http://`, which hides nothing but what restic encrypts. */
  endpoint: string;
  /** Made when missing, where the key may do that. */
  bucket: string;
  /** Becomes a secret. */
  accessKey: pulumi.Input<string>;
  /** Becomes a secret. */
  secretKey: pulumi.Input<string>;
  /** @default what the server takes without one */
  region?: string;
  /** PEM of the authority that signed the server's certificate. @default those that the host trusts */
  caCertificate?: pulumi.Input<string>;
}

/** Where a restic repository lies: a directory of the host that makes the backup, a volume, or S3. */
export type BackupTarget =
  | {
      /** Absolute path on the host; made when missing. */
      directory: string;
      volume?: never;
      s3?: never;
    }
  | {
      /** One that the host reaches, other than what is backed up. */
      volume: Volume;
      /** Directory below the volume's top. @default restic */
      path?: string;
      directory?: never;
      s3?: never;
    }
  | {
      /** A bucket of an S3 server that the host reaches. */
      s3: S3Args;
      directory?: never;
      volume?: never;
    };

export const TARGET_SHAPE = named({
  directory: text,
  volume: anything,
  path: text,
  s3: optional(
    named({
      endpoint: text,
      bucket: text,
      accessKey: anything,
      secretKey: anything,
      region: text,
      caCertificate: anything,
    }),
  ),
});

/** The volumes that a target needs. */
export const volumesOf = ({ volume }: BackupTarget): Volume[] => (volume ? [volume] : []);

/** The target as the plugin takes it. */
export function repositoryOf(to: BackupTarget, password: pulumi.Input<string>, host: string) {
  const secret = pulumi.secret(password);
  if (to.directory !== undefined) return { directory: to.directory, password: secret };
  if (to.volume !== undefined)
    return { volume: { ...placeOf(to.volume, host), path: to.path ?? "restic" }, password: secret };
  const { accessKey, secretKey } = to.s3;
  const keys = { accessKey: pulumi.secret(accessKey), secretKey: pulumi.secret(secretKey) };
  return { s3: { ...to.s3, ...keys }, password: secret };
}

/**
 * What is wrong with a target.
 *
 * @param of volume that is backed up there
 */
export function targetProblems(argument: string, to: BackupTarget, of: Volume, host: string): Problem[] {
  const chosen = [to.directory, to.volume, to.s3].filter((one) => one !== undefined);
  if (chosen.length !== 1) {
    const found = chosen.length === 0 ? "no target" : "more than one target";
    return [{ path: argument, found, remedy: "give one of directory, volume and s3" }];
  }
  if (to.directory !== undefined) return directoryProblems(`${argument}.directory`, to.directory, of, host);
  if (to.volume !== undefined) return volumeProblems(argument, to.volume, to.path ?? "restic", of);
  return s3Problems(`${argument}.s3`, to.s3);
}

function directoryProblems(path: string, directory: string, of: Volume, host: string): Problem[] {
  const problems = plainPathProblems(path, directory, "/srv/backups");
  const inside = of.access(host).directory;
  if (inside === undefined || !`${directory}/`.startsWith(`${inside}/`)) return problems;
  const found = `${quote(directory)} lies in the volume itself`;
  return [...problems, { path, found, remedy: "choose a place outside of it" }];
}

function volumeProblems(argument: string, volume: Volume, path: string, of: Volume): Problem[] {
  const plain = plainPathProblems(`${argument}.path`, `/${path}`, "/restic").map((problem) => ({
    ...problem,
    found: `${quote(path)} is no plain relative path`,
    remedy: "give one such as restic",
  }));
  if (volume !== of) return plain;
  const found = `${quote(labelOf(of))} is the volume that is backed up`;
  return [...plain, { path: `${argument}.volume`, found, remedy: "name another volume" }];
}

function s3Problems(path: string, s3: S3Args): Problem[] {
  const { endpoint = "", bucket = "", region } = s3;
  const secrets = { accessKey: s3.accessKey, secretKey: s3.secretKey };
  return [
    ...(/^https?:\/\/[A-Za-z0-9.:[\]-]+$/.test(endpoint)
      ? []
      : [
          {
            path: `${path}.endpoint`,
            found: `${quote(endpoint)} is no endpoint`,
            remedy: "give one such as https://s3.example.com:9000",
          },
        ]),
    ...(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)
      ? []
      : [
          {
            path: `${path}.bucket`,
            found: `${quote(bucket)} is no bucket's name`,
            remedy: "use 3 to 63 lower-case letters, digits, dots and dashes",
          },
        ]),
    ...(region === undefined || /^[a-z0-9-]{1,40}$/.test(region)
      ? []
      : [
          {
            path: `${path}.region`,
            found: `${quote(region)} is no region`,
            remedy: "give one such as eu-west-1",
          },
        ]),
    ...Object.entries(secrets).flatMap(([name, value]) => secretProblems(`${path}.${name}`, value)),
  ];
}

/** What is wrong with a secret of one line, in words that do not quote it. */
export function secretProblems(path: string, value: pulumi.Input<string> | undefined): Problem[] {
  if (value === undefined || value === "")
    return [{ path, found: "nothing is given", remedy: "give it by config.requireSecret" }];
  if (typeof value !== "string" || /^\S+$/.test(value)) return [];
  return [{ path, found: "it has spaces or several lines", remedy: "give it on one line, without spaces" }];
}
