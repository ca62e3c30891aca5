import * as grpc from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { describe } from "../model/problem.ts";
import { differenceOf, firstName } from "./difference.ts";
import type { Context, Difference, Existing, ResourceType } from "./resource.ts";
import { fromStruct, toStruct, UNKNOWN, unknownNames } from "./wire.ts";

type Type = ResourceType<object, object>;
type Call<Request> = grpc.ServerUnaryCall<Request, unknown>;
type Handler<Request, Response> = (request: Request) => Promise<Response> | Response;

/** Marks a resource whose create did not come to its end: the next update resumes it, a delete clears it. */
const UNFINISHED = "unfinished";

/** A create that stopped half-way, told to the engine with what it needs to go on or to take it back. */
class Unfinished extends Error {
  readonly id: string;
  readonly properties: Struct;

  constructor(cause: unknown, id: string, properties: Struct) {
    super(messageOf(cause));
    this.id = id;
    this.properties = properties;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The plugin's side of Pulumi's resource provider protocol, for the types given. */
export class PluginServer {
  readonly #types: ReadonlyMap<string, Type>;
  readonly #version: string;
  readonly #abort = new AbortController();
  #engine: InstanceType<typeof engineService.EngineClient> | undefined;
  #running = 0;

  constructor(types: readonly Type[], version: string, engineAddress: string | undefined) {
    this.#types = new Map(types.map((type) => [type.token, type]));
    this.#version = version;
    if (engineAddress) this.#connect(engineAddress);
  }

  /** Starts to listen on loopback and resolves with the port. */
  async listen(): Promise<number> {
    const server = new grpc.Server({
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
    });
    // The typings leave the service's definition out.
    const { ResourceProviderService } = service as unknown as Record<string, grpc.ServiceDefinition>;
    server.addService(ResourceProviderService!, this.#implementation());
    return new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  }

  /** Asks running operations to stop at their next safe point; true when none is running. */
  interrupt(): boolean {
    this.#abort.abort(new Error("interrupted"));
    return this.#running === 0;
  }

  #implementation(): grpc.UntypedServiceImplementation {
    return {
      handshake: this.#unary((request: InstanceType<typeof messages.ProviderHandshakeRequest>) =>
        this.#handshake(request),
      ),
      attach: this.#unary((request: InstanceType<typeof plugin.PluginAttach>) => {
        this.#connect(request.getAddress());
        return new empty.Empty();
      }),
      getPluginInfo: this.#unary(() => {
        const info = new plugin.PluginInfo();
        info.setVersion(this.#version);
        return info;
      }),
      getSchema: this.#unary(() => {
        const response = new messages.GetSchemaResponse();
        response.setSchema(JSON.stringify({ name: "spillway", version: this.#version }));
        return response;
      }),
      checkConfig: this.#unary((request: InstanceType<typeof messages.CheckRequest>) => {
        const response = new messages.CheckResponse();
        response.setInputs(request.getNews());
        return response;
      }),
      diffConfig: this.#unary(() => new messages.DiffResponse()),
      configure: this.#unary(() => {
        const response = new messages.ConfigureResponse();
        response.setSupportspreview(true);
        // Secrets arrive unwrapped; the engine marks the outputs of the same name again.
        response.setAcceptsecrets(false);
        return response;
      }),
      check: this.#unary((request: InstanceType<typeof messages.CheckRequest>) => this.#check(request)),
      diff: this.#unary((request: InstanceType<typeof messages.DiffRequest>) => this.#diff(request)),
      create: this.#unary((request: InstanceType<typeof messages.CreateRequest>) => this.#create(request)),
      read: this.#unary((request: InstanceType<typeof messages.ReadRequest>) => this.#read(request)),
      update: this.#unary((request: InstanceType<typeof messages.UpdateRequest>) => this.#update(request)),
      delete: this.#unary((request: InstanceType<typeof messages.DeleteRequest>) => this.#delete(request)),
      cancel: this.#unary(() => {
        this.interrupt();
        return new empty.Empty();
      }),
    };
  }

  #unary<Request, Response>(handle: Handler<Request, Response>) {
    return (call: Call<Request>, callback: grpc.sendUnaryData<Response>) => {
      this.#running++;
      Promise.resolve()
        .then(() => handle(call.request))
        .finally(() => this.#running--)
        .then(
          (response) => callback(null, response),
          (error: unknown) => callback(serviceError(error)),
        );
    };
  }

  #connect(address: string): void {
    this.#engine = new engineService.EngineClient(address, grpc.credentials.createInsecure());
  }

  #handshake(_request: InstanceType<typeof messages.ProviderHandshakeRequest>) {
    const response = new messages.ProviderHandshakeResponse();
    response.setAcceptSecrets(false);
    return response;
  }

  #type(urn: string): Type {
    const token = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const type = this.#types.get(token);
    if (!type) throw new Error(`the plugin spillway ${this.#version} has no resource type "${token}"`);
    return type;
  }

  #context(urn: string, preview: boolean, timeoutSeconds = 0): Context {
    return {
      urn,
      preview,
      timeoutSeconds,
      signal: this.#abort.signal,
      progress: (message) => this.#log(urn, message, { ephemeral: true }),
      warn: (message) => this.#log(urn, message, { warning: true }),
    };
  }

  #log(urn: string, message: string, options: { ephemeral?: boolean; warning?: boolean }): void {
    const request = new engineMessages.LogRequest();
    const { INFO, WARNING } = engineMessages.LogSeverity;
    request.setSeverity(options.warning ? WARNING : INFO);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(options.ephemeral ?? false);
    // A lost progress line is no reason to fail.
    this.#engine?.log(request, () => {});
  }

  #check(request: InstanceType<typeof messages.CheckRequest>) {
    const response = new messages.CheckResponse();
    const type = this.#type(request.getUrn());
    const inputs = fromStruct(request.getNews(), { unknown: "drop" });
    const problems = type.check?.(inputs, unknownNames(request.getNews())) ?? [];
    response.setInputs(request.getNews());
    response.setFailuresList(
      problems.map((problem) => {
        const failure = new messages.CheckFailure();
        failure.setProperty(firstName(problem.path));
        failure.setReason(describe(problem));
        return failure;
      }),
    );
    return response;
  }

  #diff(request: InstanceType<typeof messages.DiffRequest>) {
    const type = this.#type(request.getUrn());
    const old = existing(request.getId(), request.getOldInputs(), request.getOlds());
    const inputs = fromStruct(request.getNews(), { unknown: "keep" });
    const difference =
      type.diff?.(old, inputs) ?? differenceOf(old.inputs, inputs, { replaceOn: type.replaceOn });
    if (!type.update) difference.replace = difference.paths;
    return diffResponse(difference);
  }

  async #create(request: InstanceType<typeof messages.CreateRequest>) {
    const type = this.#type(request.getUrn());
    const response = new messages.CreateResponse();
    const context = this.#context(request.getUrn(), request.getPreview(), request.getTimeout());
    if (request.getPreview()) {
      response.setProperties(await this.#previewCreate(type, context, request.getProperties()));
      return response;
    }
    const inputs = fromStruct(request.getProperties(), { unknown: "drop" });
    const { id, outputs } = await this.#finish(type, context, inputs);
    response.setId(id);
    response.setProperties(toStruct({ ...inputs, ...outputs }, type.secret));
    return response;
  }

  async #previewCreate(type: Type, context: Context, properties: Struct | undefined): Promise<Struct> {
    if (unknownNames(properties).size === 0) {
      await type.preview?.(context, fromStruct(properties, { unknown: "drop" }));
    }
    const outputs = Object.fromEntries(type.computed.map((name) => [name, UNKNOWN]));
    return toStruct({ ...fromStruct(properties, { unknown: "keep" }), ...outputs });
  }

  /** Creates, or goes on with a create that was cut; a failure leaves a way on in the state. */
  async #finish(type: Type, context: Context, inputs: object): Promise<{ id: string; outputs: object }> {
    try {
      return await type.create(context, inputs);
    } catch (error) {
      const id = type.unfinishedId?.(inputs);
      if (id === undefined) throw error;
      throw new Unfinished(error, id, toStruct({ ...inputs, [UNFINISHED]: true }, type.secret));
    }
  }

  async #read(request: InstanceType<typeof messages.ReadRequest>) {
    const type = this.#type(request.getUrn());
    const old = existing(request.getId(), request.getInputs(), request.getProperties());
    const response = new messages.ReadResponse();
    const resumable = isUnfinished(old);
    const found =
      resumable || !type.read ? old : await type.read(this.#context(request.getUrn(), false), old);
    if (!found) return response;
    response.setId(request.getId());
    response.setInputs(toStruct(found.inputs));
    const marker = resumable ? { [UNFINISHED]: true } : {};
    response.setProperties(toStruct({ ...found.inputs, ...found.outputs, ...marker }, type.secret));
    return response;
  }

  async #update(request: InstanceType<typeof messages.UpdateRequest>) {
    const type = this.#type(request.getUrn());
    const response = new messages.UpdateResponse();
    const old = existing(request.getId(), request.getOldInputs(), request.getOlds());
    if (request.getPreview()) {
      response.setProperties(
        toStruct({ ...fromStruct(request.getNews(), { unknown: "keep" }), ...old.outputs }, type.secret),
      );
      return response;
    }
    const inputs = fromStruct(request.getNews(), { unknown: "drop" });
    const context = this.#context(request.getUrn(), false, request.getTimeout());
    const outputs = isUnfinished(old)
      ? (await this.#finish(type, context, inputs)).outputs
      : await type.update!(context, old, inputs);
    response.setProperties(toStruct({ ...inputs, ...outputs }, type.secret));
    return response;
  }

  async #delete(request: InstanceType<typeof messages.DeleteRequest>) {
    const type = this.#type(request.getUrn());
    const old = existing(request.getId(), request.getOldInputs(), request.getProperties());
    await type.delete(this.#context(request.getUrn(), false, request.getTimeout()), old);
    return new empty.Empty();
  }
}

const isUnfinished = (old: Existing<object, object>): boolean => UNFINISHED in old.outputs;

function existing(
  id: string,
  inputs: Struct | undefined,
  properties: Struct | undefined,
): Existing<object, object> {
  const plainInputs = fromStruct(inputs, { unknown: "keep" });
  const outputs = Object.entries(fromStruct(properties, { unknown: "keep" }));
  return {
    id,
    inputs: plainInputs,
    outputs: Object.fromEntries(outputs.filter(([name]) => !(name in plainInputs))),
  };
}

function diffResponse(difference: Difference) {
  const response = new messages.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
  const replaces = difference.replace ?? [];
  response.setChanges(difference.paths.length > 0 ? DIFF_SOME : DIFF_NONE);
  response.setDiffsList([...new Set(difference.paths.map(firstName))]);
  response.setReplacesList([...new Set(replaces.map(firstName))]);
  response.setDeletebeforereplace(replaces.length > 0 && (difference.deleteBeforeReplace ?? true));
  response.setHasdetaileddiff(true);
  for (const path of difference.paths) {
    const detail = new messages.PropertyDiff();
    const { UPDATE, UPDATE_REPLACE } = messages.PropertyDiff.Kind;
    detail.setKind(replaces.includes(path) ? UPDATE_REPLACE : UPDATE);
    detail.setInputdiff(true);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

function serviceError(error: unknown): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  if (error instanceof Unfinished) {
    const detail = new messages.ErrorResourceInitFailed();
    detail.setId(error.id);
    detail.setProperties(error.properties);
    detail.setReasonsList([error.message]);
    const packed = new any.Any();
    packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const details = new status.Status();
    details.setCode(grpc.status.UNKNOWN);
    details.setMessage(error.message);
    details.addDetails(packed);
    metadata.add("grpc-status-details-bin", Buffer.from(details.serializeBinary()));
  }
  return { code: grpc.status.UNKNOWN, details: messageOf(error), metadata };
}
