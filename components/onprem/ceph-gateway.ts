import * as pulumi from "@pulumi/pulumi";
import { Client, ObjectStore, ObjectUser } from "../ceph/resources.ts";
import { hostNameProblems, nameProblems, portProblems } from "../model/names.ts";
import { type Problem, refuse } from "../model/problem.ts";
import { argumentProblems, flag, list, named, number, text } from "../model/shape.ts";
import { CAPS, cephGatewayConfig, cephGatewayUnit, cephKeyring } from "../render/ceph.ts";
import { Certificate } from "../secrets/resources.ts";
import { HostState, Preflight } from "../ssh/resources.ts";
import type { CephStore } from "./ceph-store.ts";
import type { Site } from "./site.ts";

/** Arguments of a store's object gateways. */
export interface CephObjectGatewayArgs {
  /** Hosts that serve S3, any of the site. Several answer alike. */
  hosts: string[];
  /** TCP port, TLS. @default 7443 */
  port?: number;
  /** The object store may go with the buckets in it. @default the store's */
  allowDataLoss?: boolean;
}

/** Keys of a user of an object gateway. */
export interface CephObjectUser {
  /** Secret. */
  accessKey: pulumi.Output<string>;
  /** Secret. */
  secretKey: pulumi.Output<string>;
}

/**
 * S3 in a Ceph store (RGW), TLS from the site's own authority.
 *
 * @example
 * import { CephStore } from "spillway/onprem";
 *
 * declare const ceph: CephStore;
 * const s3 = ceph.objectGateway({ hosts: ["s1"] });
 * const { accessKey, secretKey } = s3.user("backups");
 * const to = { s3: { endpoint: s3.endpoints.s1!, bucket: "backups", accessKey, secretKey, caCertificate: s3.caCertificate } };
 */
export class CephObjectGateway extends pulumi.ComponentResource {
  /** `https://ADDRESS:PORT` by host. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** PEM of the authority that signed their certificates. */
  readonly caCertificate: pulumi.Output<string>;
  readonly #store: CephStore;
  readonly #label: string;
  readonly #allowDataLoss: boolean;

  /** Made by `CephStore.objectGateway`. */
  constructor(
    store: CephStore,
    args: Required<CephObjectGatewayArgs> & { replicas: number },
    opts?: pulumi.ComponentResourceOptions,
  ) {
    const label = `${store.storeName}-gateway`;
    super("spillway:onprem:CephObjectGateway", label, {}, { parent: store, ...opts });
    const { site } = store;
    const { hosts, port, replicas, allowDataLoss } = args;
    this.#store = store;
    this.#label = label;
    this.#allowDataLoss = allowDataLoss;
    this.caCertificate = site.authority.certificate;
    const address = (host: string) => site.hosts[host]!.address;
    this.endpoints = Object.fromEntries(hosts.map((host) => [host, `https://${address(host)}:${port}`]));
    const preflight = this.#preflight(hosts, port);
    const pools = new ObjectStore(
      `${label}-pools`,
      { ...store.cluster(), replicas, allowDataLoss },
      { parent: this, dependsOn: [store.ready, preflight] },
    );
    for (const host of hosts) this.#serve(host, port, pools);
    this.registerOutputs({ endpoints: this.endpoints });
  }

  /** A user, and its keys. It stays as long as it has buckets, unless their data may go. */
  user(name: string): CephObjectUser {
    refuse(`${this.#label}, user "${name}"`, nameProblems("name", name));
    const { accessKey, secretKey } = new ObjectUser(
      `${this.#label}-${name}-user`,
      { ...this.#store.cluster(), name, allowDataLoss: this.#allowDataLoss },
      { parent: this.#store, dependsOn: this },
    );
    return { accessKey, secretKey };
  }

  #preflight(hosts: string[], port: number): Preflight {
    const { site } = this.#store;
    return new Preflight(
      `${this.#label}-preflight`,
      {
        hosts: hosts.map((host) => site.connection(host)),
        require: {
          freePorts: Object.fromEntries(hosts.map((host) => [host, [port]])),
          owner: `gateway ${this.#label}`,
        },
      },
      { parent: this },
    );
  }

  #serve(host: string, port: number, pools: ObjectStore): void {
    const name = `client.${this.#store.storeName}.gateway.${host}`;
    const key = this.#store.key(`gateway.${host}`, this);
    const client = new Client(
      `${this.#label}-${host}-client`,
      { ...this.#store.cluster(), name, key, caps: CAPS.gateway },
      { parent: this, dependsOn: pools },
    );
    const { site } = this.#store;
    const files = this.#files(site, { host, port, name, key });
    new HostState(
      `${this.#label}-${host}-state`,
      { connection: site.connection(host), name: this.#label, packages: ["radosgw"], ...files },
      { parent: this, dependsOn: client },
    );
  }

  #files(site: Site, served: { host: string; port: number; name: string; key: pulumi.Output<string> }) {
    const { host, port, name, key } = served;
    const { address } = site.hosts[host]!;
    const base = `/etc/spillway/ceph/${this.#label}`;
    const tls = new Certificate(
      `${this.#label}-${host}-certificate`,
      {
        authority: site.authority,
        commonName: `${this.#label}.${site.siteName}`,
        dnsNames: [],
        ipAddresses: [address],
        usages: ["server"],
      },
      { parent: this },
    );
    const gateway = { name, keyring: `${base}.keyring`, address, port, certificate: `${base}.pem` };
    const { fsid, monitorAddresses: monitors } = this.#store;
    const config = fsid.apply((id) => cephGatewayConfig({ fsid: id, monitors }, gateway));
    const secretFile = (content: pulumi.Output<string>) => ({
      content: pulumi.secret(content),
      mode: "0600",
      owner: "ceph:ceph",
    });
    return {
      files: {
        [`${base}.conf`]: { content: config },
        [gateway.keyring]: secretFile(key.apply((value) => cephKeyring([{ name, key: value }]))),
        [gateway.certificate]: secretFile(pulumi.concat(tls.certificate, "\n", tls.privateKey)),
      },
      units: {
        [`spillway-${this.#label}.service`]: {
          content: cephGatewayUnit(name, `${base}.conf`),
          enabled: true,
          running: true,
        },
      },
    };
  }
}

const GATEWAY_SHAPE = named({ hosts: list(text), port: number, allowDataLoss: flag });

/** What is wrong with the arguments of object gateways. */
export function gatewayProblems(site: Site, args: CephObjectGatewayArgs): Problem[] {
  return argumentProblems(GATEWAY_SHAPE, args, (args) => {
    const { hosts, port } = args;
    const known = Object.keys(site.hosts);
    return [
      ...(hosts.length > 0 ? [] : [{ path: "hosts", found: "no hosts", remedy: "name one that serves" }]),
      ...hosts.flatMap((host, i) => hostNameProblems(`hosts[${i}]`, host, known)),
      ...(new Set(hosts).size === hosts.length
        ? []
        : [{ path: "hosts", found: "a host stands twice", remedy: "name each once" }]),
      ...(port === undefined ? [] : portProblems("port", port)),
    ];
  });
}
