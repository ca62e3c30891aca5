import * as pulumi from "@pulumi/pulumi";
import { registryPackages } from "../artifacts/list.ts";
import { Image as ImageResource } from "../artifacts/resources.ts";
import type { Image } from "../artifacts/source.ts";
import { hostNameProblems, nameProblems, portProblems } from "../model/names.ts";
import type { Problem } from "../model/problem.ts";
import { argumentProblems, given, named, number, text, wellShaped } from "../model/shape.ts";
import { REGISTRY_FOLDER, registryConfig, registryDropIn } from "../render/registry.ts";
import { Certificate, Password } from "../secrets/resources.ts";
import { HostState, Preflight } from "../ssh/resources.ts";
import { hold, refusalFor, unlessHeld, unsaid } from "./held.ts";
import type { Site } from "./site.ts";

/** Arguments of a registry on a host. */
export interface RegistryArgs {
  /** Where its host is. */
  site: Site;
  /** Name of the host that serves it and keeps its blobs. */
  host: string;
  /** TCP port. @default 5000 */
  port?: number;
  /** Folder on the host; the blobs lie in a folder of their own below it, which goes with the registry. @default /var/lib/spillway-registry */
  storage?: string;
}

/**
 * Private OCI registry on a host of the site: TLS from the site's own authority, a password for
 * pulling as well as pushing, blobs on the host's disk. A host serves one registry. Images are pushed by skopeo, which the
 * computer that runs Pulumi needs. What is wrong with its arguments is told with that of its site and cluster.
 *
 * @example
 * const registry = new Registry("registry", { site, host: "cp1" });
 * const shop = registry.image("shop", {
 *   repository: "shop",
 *   tag: "1.0",
 *   digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
 *   source: { reference: "ghcr.io/acme/shop@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
 * });
 */
export class Registry extends pulumi.ComponentResource {
  /** Site it is at. */
  readonly siteName: string;
  /** `host:port` as hosts and the computer that runs `up` reach it. */
  readonly address: string;
  /** Account that pulls and pushes. */
  readonly username: string;
  /** Secret. */
  readonly password: pulumi.Output<string>;
  /** PEM of the authority that signed its certificate. */
  readonly caCertificate: pulumi.Output<string>;
  /** End of its certificate, RFC 3339. */
  readonly certificateExpiry: pulumi.Output<string>;

  constructor(name: string, args: RegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    const refusal = refusalFor(`Registry "${name}"`, registryProblems(name, args), args?.site);
    if (refusal && !args?.site) throw refusal;
    super("spillway:onprem:Registry", name || "registry", {}, unlessHeld(refusal, opts));
    hold(this, refusal);
    const shaped = wellShaped(REGISTRY_SHAPE, args);
    const { site, host, port = 5000, storage = "/var/lib/spillway-registry" } = shaped;
    registriesOf(site).set(host, name);
    const hostAddress = site.hosts[host]?.address ?? "";
    const connection = refusal ? unsaid(refusal) : site.connection(host);
    const preflight = new Preflight(
      `${name}-preflight`,
      {
        hosts: [connection],
        fixed: {
          of: `Registry "${name}"`,
          facts: { host, port: String(port), storage },
          mark: { file: `${REGISTRY_FOLDER}/config.yml`, begins: "" },
        },
        require: { diskGiB: 5, freePorts: { [host]: [port] }, owner: `registry ${name}` },
      },
      { parent: this },
    );
    const password = new Password(`${name}-password`, { bytes: 24, encoding: "base64url" }, { parent: this });
    const certificate = new Certificate(
      `${name}-certificate`,
      {
        authority: site.authority,
        commonName: `${name}.${site.siteName}`,
        dnsNames: [`${name}.${site.siteName}`],
        ipAddresses: [hostAddress],
        usages: ["server"],
      },
      { parent: this },
    );
    this.siteName = site.siteName;
    this.address = `${hostAddress}:${port}`;
    this.username = "spillway";
    this.password = password.value;
    this.caCertificate = site.authority.certificate;
    this.certificateExpiry = certificate.notAfter;
    this.#serve(name, { connection, storage, port, password, certificate }, preflight);
    this.registerOutputs({ address: this.address });
  }

  /**
   * Brings an image into the registry, addressed by digest.
   *
   * @param name name of the resource
   */
  image(name: string, image: pulumi.Input<Image>, opts?: pulumi.CustomResourceOptions): ImageResource {
    const { repository, tag, digest, source } = pulumi.output(image);
    const { address: registry, username, password, caCertificate } = this;
    const inputs = { registry, username, password, caCertificate, repository, tag, digest, source };
    return new ImageResource(name, inputs, { dependsOn: this, ...opts });
  }

  #serve(name: string, served: Served, preflight: Preflight): void {
    const { connection, port, password, certificate } = served;
    // The folder itself may be there before, as a mounted disk is: only what is below is ours to remove.
    const storage = `${served.storage.replace(/\/$/, "")}/blobs`;
    new HostState(
      `${name}-state`,
      {
        connection,
        name: "registry",
        packages: [...registryPackages],
        directories: {
          [storage]: { mode: "0750", owner: "docker-registry:docker-registry", removeContents: true },
        },
        files: {
          [`${REGISTRY_FOLDER}/config.yml`]: { content: registryConfig({ listen: `:${port}`, storage }) },
          [`${REGISTRY_FOLDER}/tls.crt`]: { content: certificate.certificate },
          [`${REGISTRY_FOLDER}/tls.key`]: secretFile(certificate.privateKey),
          [`${REGISTRY_FOLDER}/htpasswd`]: secretFile(
            pulumi.interpolate`${this.username}:${password.bcrypt}\n`,
          ),
        },
        units: { "docker-registry.service": { dropIn: registryDropIn, enabled: true, running: true } },
      },
      { parent: this, dependsOn: preflight },
    );
  }
}

interface Served {
  connection: ReturnType<Site["connection"]>;
  storage: string;
  port: number;
  password: Password;
  certificate: Certificate;
}

const secretFile = (content: pulumi.Input<string>) => ({
  content: pulumi.secret(content),
  mode: "0640",
  owner: "root:docker-registry",
});

const registries = new WeakMap<Site, Map<string, string>>();

/** Registries of a site by the host that serves them. */
function registriesOf(site: Site): Map<string, string> {
  const known = registries.get(site) ?? new Map<string, string>();
  registries.set(site, known);
  return known;
}

const REGISTRY_SHAPE = named({ site: given, host: text, port: number, storage: text });

/** What is wrong with a registry's arguments. */
export function registryProblems(name: string, args: RegistryArgs): Problem[] {
  return argumentProblems(REGISTRY_SHAPE, args, (args) => {
    const { site, host, port = 5000, storage = "/" } = args;
    const hosts = Object.keys(site.hosts);
    const other = registriesOf(site).get(host);
    return [
      ...nameProblems("name", name),
      ...hostNameProblems("host", host, hosts),
      ...(other === undefined
        ? []
        : [
            {
              path: "host",
              found: `${host} serves the registry ${other} already`,
              remedy: "name another host",
            },
          ]),
      ...portProblems("port", port),
      ...(/^(\/[A-Za-z0-9._-]+)*\/?$/.test(storage) && !storage.includes("/..")
        ? []
        : [
            {
              path: "storage",
              found: `${JSON.stringify(storage)} is no plain absolute path`,
              remedy: "give one such as /var/lib/registry",
            },
          ]),
    ];
  });
}
