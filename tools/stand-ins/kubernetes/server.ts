import messages from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { type Message, type Methods, ProviderProtocol } from "../../../components/provider/protocol.ts";
import { checked, configured, differs, Kept } from "../../../components/provider/responses.ts";
import { fromStruct, toStruct } from "../../../components/provider/wire.ts";
import { inputProblems, unsupported } from "./check.ts";
import { NotReady, Objects, type Run } from "./crud.ts";
import { named } from "./naming.ts";
import { at, kindOf, type Plain, tokenOf } from "./objects.ts";
import { changeOf } from "./replacement.ts";
import { secretFields } from "./secrets.ts";
import { clusterOf, type Settings, settingsChange, settingsOf, settingsProblems } from "./settings.ts";
import { decodeYaml } from "./yaml.ts";

type Inputs = Parameters<typeof fromStruct>[0];

const known = (struct: Inputs): Plain => fromStruct(struct, { unknown: "drop" });
const withUnknown = (struct: Inputs): Plain => fromStruct(struct, { unknown: "keep" });

/** The stand-in's side of Pulumi's resource provider protocol. */
export class StandIn extends ProviderProtocol {
  /** URNs that this run replaces: in a preview their old object is still in the cluster. */
  readonly #replacing = new Set<string>();
  #settings: Settings = {};
  #objects: Objects | undefined;

  constructor(version: string, engineAddress: string | undefined) {
    super("kubernetes", version, engineAddress);
  }

  protected override methods(): Methods {
    return {
      checkConfig: (request: Message<typeof messages.CheckRequest>) =>
        checked(request.getNews(), Object.entries(settingsProblems(withUnknown(request.getNews())))),
      diffConfig: (request: Message<typeof messages.DiffRequest>) => {
        const old = withUnknown(request.getOldInputs() ?? request.getOlds());
        return differs({
          ...settingsChange(old, withUnknown(request.getNews())),
          deleteBeforeReplace: false,
        });
      },
      configure: (request: Message<typeof messages.ConfigureRequest>) => this.#configure(request),
      check: (request: Message<typeof messages.CheckRequest>) => this.#check(request),
      diff: (request: Message<typeof messages.DiffRequest>) => this.#diff(request),
      create: (request: Message<typeof messages.CreateRequest>) => keeping(this.#create(request)),
      read: (request: Message<typeof messages.ReadRequest>) => this.#read(request),
      update: (request: Message<typeof messages.UpdateRequest>) => keeping(this.#update(request)),
      delete: (request: Message<typeof messages.DeleteRequest>) => this.#delete(request),
      invoke: (request: Message<typeof messages.InvokeRequest>) => this.#invoke(request),
      call: (request: Message<typeof messages.CallRequest>) => refuse(request.getTok()),
      construct: (request: Message<typeof messages.ConstructRequest>) => refuse(request.getType()),
    };
  }

  #run(urn: string, timeoutSeconds: number): Run {
    return {
      timeoutSeconds,
      signal: this.signal,
      progress: (message) => this.log?.progress(urn, message),
      warn: (message) => this.log?.warn(urn, message),
    };
  }

  #ready(): Objects {
    if (!this.#objects) throw new Error("the Kubernetes provider is not configured yet");
    return this.#objects;
  }

  #configure(request: Message<typeof messages.ConfigureRequest>) {
    this.#settings = settingsOf(known(request.getArgs()));
    this.#objects = new Objects(clusterOf(this.#settings), this.#settings);
    this.log?.info(
      `a stand-in of Spillway's tools serves as the Kubernetes plugin ${this.version}, which could not be downloaded; it talks to the real API server`,
    );
    const response = configured();
    response.setSupportsAutonamingConfiguration(true);
    return response;
  }

  async #check(request: Message<typeof messages.CheckRequest>) {
    const given = withUnknown(request.getNews());
    const problems = inputProblems(tokenOf(request.getUrn()), given);
    if (problems.length > 0) return checked(request.getNews(), problems);
    const autonaming = request.getAutonaming();
    const { DISABLE } = messages.CheckRequest.AutonamingOptions.Mode;
    const inputs = named(
      given,
      withUnknown(request.getOlds()),
      request.getName() || request.getUrn().split("::").at(-1)!,
      request.getRandomseed_asU8(),
      { proposed: autonaming?.getProposedName() || undefined, disabled: autonaming?.getMode() === DISABLE },
    );
    if (at(inputs, "metadata", "name") === undefined && typeof inputs.metadata !== "string") {
      return checked(request.getNews(), [
        ["metadata", "metadata.name: none given and autonaming is disabled; give one"],
      ]);
    }
    return checked(toStruct(await this.#ready().located(inputs)), []);
  }

  #diff(request: Message<typeof messages.DiffRequest>) {
    const change = changeOf(
      withUnknown(request.getOldInputs()),
      withUnknown(request.getNews()),
      this.#settings,
    );
    if (change.replace.length > 0) this.#replacing.add(request.getUrn());
    return differs(change);
  }

  async #create(request: Message<typeof messages.CreateRequest>) {
    const run = this.#run(request.getUrn(), request.getTimeout());
    const response = new messages.CreateResponse();
    const inputs = withUnknown(request.getProperties());
    if (request.getPreview()) {
      const replacing = this.#replacing.has(request.getUrn());
      response.setProperties(sealed(await this.#ready().foretellCreate(run, inputs, replacing)));
      return response;
    }
    const { id, outputs } = await this.#ready().create(run, inputs);
    response.setId(id);
    response.setProperties(sealed(outputs));
    return response;
  }

  async #read(request: Message<typeof messages.ReadRequest>) {
    const kind = this.#kind(request.getUrn());
    const response = new messages.ReadResponse();
    const found = await this.#ready().read(request.getId(), kind, known(request.getInputs()));
    if (!found) return response;
    if (found.unready) throw kept(found.unready, found.inputs);
    response.setId(request.getId());
    response.setInputs(sealed(found.inputs));
    response.setProperties(sealed(found.outputs));
    return response;
  }

  async #update(request: Message<typeof messages.UpdateRequest>) {
    const inputs = withUnknown(request.getNews());
    const response = new messages.UpdateResponse();
    const outputs = request.getPreview()
      ? await this.#ready().foretellUpdate(inputs, withUnknown(request.getOlds()))
      : await this.#ready().update(this.#run(request.getUrn(), request.getTimeout()), inputs);
    response.setProperties(sealed(outputs));
    return response;
  }

  async #delete(request: Message<typeof messages.DeleteRequest>) {
    const run = this.#run(request.getUrn(), request.getTimeout());
    const inputs = known(request.getOldInputs() ?? request.getProperties());
    await this.#ready().delete(run, request.getId(), this.#kind(request.getUrn()), inputs);
    return new empty.Empty();
  }

  #kind(urn: string) {
    const reason = unsupported(tokenOf(urn));
    if (reason) throw new Error(reason);
    return kindOf(tokenOf(urn));
  }

  #invoke(request: Message<typeof messages.InvokeRequest>) {
    if (request.getTok() !== "kubernetes:yaml:decode") return refuse(request.getTok());
    const { text } = known(request.getArgs());
    const response = new messages.InvokeResponse();
    response.setReturn(toStruct({ result: decodeYaml(String(text ?? "")) }));
    return response;
  }
}

const sealed = (values: Plain) => toStruct(values, secretFields(values));

function refuse(what: string): never {
  throw new Error(
    `${what} is not supported by the stand-in for the Kubernetes plugin; use the official plugin`,
  );
}

/** What the engine keeps of an object that is not ready. */
function kept({ message, id, outputs }: NotReady, inputs?: Plain): Kept {
  return new Kept(message, id, sealed(outputs), inputs && sealed(inputs));
}

async function keeping<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof NotReady ? kept(error) : error;
  }
}
