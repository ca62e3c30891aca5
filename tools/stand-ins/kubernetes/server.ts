import * as grpc from "@grpc/grpc-js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { firstName } from "../../../components/provider/difference.ts";
import { fromStruct, toStruct } from "../../../components/provider/wire.ts";
import { inputProblems, unsupported } from "./check.ts";
import { NotReady, Objects, type Run } from "./crud.ts";
import { EngineLog } from "./engine-log.ts";
import { named } from "./naming.ts";
import { at, kindOf, type Plain, tokenOf } from "./objects.ts";
import { changeOf } from "./replacement.ts";
import { secretFields } from "./secrets.ts";
import { clusterOf, type Settings, settingsChange, settingsOf, settingsProblems } from "./settings.ts";
import { decodeYaml } from "./yaml.ts";

type Message<Type extends abstract new (...args: never) => unknown> = InstanceType<Type>;
type Inputs = Parameters<typeof fromStruct>[0];

const known = (struct: Inputs): Plain => fromStruct(struct, { unknown: "drop" });
const withUnknown = (struct: Inputs): Plain => fromStruct(struct, { unknown: "keep" });

/** The stand-in's side of Pulumi's resource provider protocol. */
export class StandIn {
  readonly #version: string;
  readonly #abort = new AbortController();
  /** URNs that this run replaces: in a preview their old object is still in the cluster. */
  readonly #replacing = new Set<string>();
  #log: EngineLog | undefined;
  #settings: Settings = {};
  #objects: Objects | undefined;
  #running = 0;

  constructor(version: string, engineAddress: string | undefined) {
    this.#version = version;
    if (engineAddress) this.#log = new EngineLog(engineAddress);
  }

  /** Starts to listen on loopback and resolves with the port. */
  async listen(): Promise<number> {
    const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
    const server = new grpc.Server(unlimited);
    // The typings leave the service's definition out.
    const { ResourceProviderService } = service as unknown as {
      ResourceProviderService: grpc.ServiceDefinition;
    };
    server.addService(ResourceProviderService, this.#implementation());
    return new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  }

  /** Ends what waits; true when nothing runs. */
  interrupt(): boolean {
    this.#abort.abort();
    return this.#running === 0;
  }

  #implementation(): grpc.UntypedServiceImplementation {
    return {
      attach: this.#unary((request: Message<typeof plugin.PluginAttach>) => {
        this.#log = new EngineLog(request.getAddress());
        return new empty.Empty();
      }),
      getPluginInfo: this.#unary(() => {
        const info = new plugin.PluginInfo();
        info.setVersion(this.#version);
        return info;
      }),
      getSchema: this.#unary(() => {
        const response = new messages.GetSchemaResponse();
        response.setSchema(JSON.stringify({ name: "kubernetes", version: this.#version }));
        return response;
      }),
      checkConfig: this.#unary((request: Message<typeof messages.CheckRequest>) => {
        const problems = Object.entries(settingsProblems(withUnknown(request.getNews())));
        return checked(request.getNews(), problems);
      }),
      diffConfig: this.#unary((request: Message<typeof messages.DiffRequest>) => {
        const old = withUnknown(request.getOldInputs() ?? request.getOlds());
        return differs({
          ...settingsChange(old, withUnknown(request.getNews())),
          deleteBeforeReplace: false,
        });
      }),
      configure: this.#unary((request: Message<typeof messages.ConfigureRequest>) =>
        this.#configure(request),
      ),
      check: this.#unary((request: Message<typeof messages.CheckRequest>) => this.#check(request)),
      diff: this.#unary((request: Message<typeof messages.DiffRequest>) => this.#diff(request)),
      create: this.#unary((request: Message<typeof messages.CreateRequest>) => this.#create(request)),
      read: this.#unary((request: Message<typeof messages.ReadRequest>) => this.#read(request)),
      update: this.#unary((request: Message<typeof messages.UpdateRequest>) => this.#update(request)),
      delete: this.#unary((request: Message<typeof messages.DeleteRequest>) => this.#delete(request)),
      invoke: this.#unary((request: Message<typeof messages.InvokeRequest>) => this.#invoke(request)),
      call: this.#unary((request: Message<typeof messages.CallRequest>) => refuse(request.getTok())),
      construct: this.#unary((request: Message<typeof messages.ConstructRequest>) =>
        refuse(request.getType()),
      ),
      cancel: this.#unary(() => {
        this.interrupt();
        return new empty.Empty();
      }),
    };
  }

  #unary<Request, Response>(handle: (request: Request) => Promise<Response> | Response) {
    return (call: grpc.ServerUnaryCall<Request, Response>, callback: grpc.sendUnaryData<Response>) => {
      this.#running++;
      Promise.resolve(call.request)
        .then(handle)
        .finally(() => this.#running--)
        .then(
          (response) => callback(null, response),
          (error: unknown) => callback(failure(error)),
        );
    };
  }

  #run(urn: string, timeoutSeconds: number): Run {
    return {
      timeoutSeconds,
      signal: this.#abort.signal,
      progress: (message) => this.#log?.progress(urn, message),
      warn: (message) => this.#log?.warn(urn, message),
    };
  }

  #ready(): Objects {
    if (!this.#objects) throw new Error("the Kubernetes provider is not configured yet");
    return this.#objects;
  }

  #configure(request: Message<typeof messages.ConfigureRequest>) {
    this.#settings = settingsOf(known(request.getArgs()));
    this.#objects = new Objects(clusterOf(this.#settings), this.#settings);
    this.#log?.info(
      `a stand-in of Spillway's tools serves as the Kubernetes plugin ${this.#version}, which could not be downloaded; it talks to the real API server`,
    );
    const response = new messages.ConfigureResponse();
    response.setSupportspreview(true);
    // Secrets arrive unwrapped; the engine marks outputs of the same name again.
    response.setAcceptsecrets(false);
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
    if (found.unready) throw new Unready(found.unready, found.inputs);
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

/** A read of an object that is there but not ready: the engine keeps what was found. */
class Unready extends Error {
  readonly notReady: NotReady;
  readonly inputs: Plain;

  constructor(notReady: NotReady, inputs: Plain) {
    super(notReady.message);
    this.notReady = notReady;
    this.inputs = inputs;
  }
}

const sealed = (values: Plain) => toStruct(values, secretFields(values));

function refuse(what: string): never {
  throw new Error(
    `${what} is not supported by the stand-in for the Kubernetes plugin; use the official plugin`,
  );
}

function checked(inputs: Inputs, problems: [property: string, reason: string][]) {
  const response = new messages.CheckResponse();
  response.setInputs(inputs);
  response.setFailuresList(
    problems.map(([property, reason]) => {
      const failed = new messages.CheckFailure();
      failed.setProperty(property);
      failed.setReason(reason);
      return failed;
    }),
  );
  return response;
}

function differs(change: { paths: string[]; replace: string[]; deleteBeforeReplace: boolean }) {
  const response = new messages.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
  const { UPDATE, UPDATE_REPLACE } = messages.PropertyDiff.Kind;
  response.setChanges(change.paths.length > 0 ? DIFF_SOME : DIFF_NONE);
  response.setDiffsList([...new Set(change.paths.map(firstName))]);
  response.setReplacesList([...new Set(change.replace.map(firstName))]);
  response.setDeletebeforereplace(change.deleteBeforeReplace);
  response.setHasdetaileddiff(true);
  for (const path of change.paths) {
    const detail = new messages.PropertyDiff();
    detail.setKind(change.replace.includes(path) ? UPDATE_REPLACE : UPDATE);
    detail.setInputdiff(true);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

function failure(error: unknown): Partial<grpc.StatusObject> {
  const message = error instanceof Error ? error.message : String(error);
  const metadata = new grpc.Metadata();
  const notReady = error instanceof Unready ? error.notReady : error;
  if (notReady instanceof NotReady) {
    const detail = new messages.ErrorResourceInitFailed();
    detail.setId(notReady.id);
    detail.setProperties(sealed(notReady.outputs));
    detail.setReasonsList([message]);
    if (error instanceof Unready) detail.setInputs(sealed(error.inputs));
    const packed = new any.Any();
    packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const details = new status.Status();
    details.setCode(grpc.status.UNKNOWN);
    details.setMessage(message);
    details.addDetails(packed);
    metadata.add("grpc-status-details-bin", Buffer.from(details.serializeBinary()));
  }
  return { code: grpc.status.UNKNOWN, details: message, metadata };
}
