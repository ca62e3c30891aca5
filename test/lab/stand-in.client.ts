import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { fromStruct, toStruct } from "../../components/provider/wire.ts";

type Values = Record<string, unknown>;

/** An error of the plugin, with what came beside the message when an object is there but not ready. */
export interface PluginError extends Error {
  details: string;
  unready?: { id: string; outputs: Values; reasons: string[] };
}

/** Plays the engine for one plugin process. */
export class PluginClient {
  /** Lines the plugin wrote to the engine's log. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #engine: grpc.Server;
  readonly #client: InstanceType<typeof service.ResourceProviderClient>;

  private constructor(child: ChildProcess, engine: grpc.Server, port: string, lines: string[]) {
    this.#child = child;
    this.#engine = engine;
    this.lines = lines;
    this.#client = new service.ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  static async start(): Promise<PluginClient> {
    const lines: string[] = [];
    const engine = new grpc.Server();
    const { EngineService } = engineService as unknown as { EngineService: grpc.ServiceDefinition };
    engine.addService(EngineService, {
      log: (
        call: grpc.ServerUnaryCall<InstanceType<typeof engineMessages.LogRequest>, empty.Empty>,
        callback: grpc.sendUnaryData<empty.Empty>,
      ) => {
        lines.push(call.request.getMessage());
        callback(null, new empty.Empty());
      },
    });
    const address = await new Promise<number>((resolve, reject) => {
      engine.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    const child = spawn(process.execPath, ["tools/stand-ins/kubernetes/main.ts", `127.0.0.1:${address}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const port = await new Promise<Buffer>((resolve, reject) => {
      child.stdout.once("data", resolve);
      child.once("exit", (code) => reject(new Error(`the plugin ended with ${code} before it listened`)));
    });
    return new PluginClient(child, engine, port.toString().trim(), lines);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends Ctrl-C and resolves when the process is gone, within a minute. */
  async interrupt(): Promise<void> {
    const gone = once(this.#child, "exit", { signal: AbortSignal.timeout(60_000) });
    this.signal("SIGINT");
    await gone;
  }

  async stop(): Promise<void> {
    this.#client.close();
    this.#engine.forceShutdown();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async configure(args: Values) {
    const request = new messages.ConfigureRequest();
    request.setArgs(toStruct(args));
    return (await this.#call("configure", request)) as InstanceType<typeof messages.ConfigureResponse>;
  }

  async checkConfig(news: Values): Promise<string[]> {
    const request = new messages.CheckRequest();
    request.setNews(toStruct(news));
    const response = (await this.#call("checkConfig", request)) as InstanceType<
      typeof messages.CheckResponse
    >;
    return response.getFailuresList().map((failure) => failure.getReason());
  }

  async diffConfig(old: Values, news: Values) {
    const request = new messages.DiffRequest();
    request.setOldInputs(toStruct(old));
    request.setNews(toStruct(news));
    return diffOf((await this.#call("diffConfig", request)) as InstanceType<typeof messages.DiffResponse>);
  }

  async check(urn: string, news: Values, old: Values = {}, seed = "seed") {
    const request = new messages.CheckRequest();
    request.setUrn(urn);
    request.setNews(toStruct(news));
    request.setOlds(toStruct(old));
    request.setRandomseed(Buffer.from(seed));
    const response = (await this.#call("check", request)) as InstanceType<typeof messages.CheckResponse>;
    return {
      inputs: fromStruct(response.getInputs(), { unknown: "keep" }),
      failures: response.getFailuresList().map((failure) => failure.getReason()),
    };
  }

  async diff(urn: string, old: Values, news: Values) {
    const request = new messages.DiffRequest();
    request.setUrn(urn);
    request.setOldInputs(toStruct(old));
    request.setNews(toStruct(news));
    return diffOf((await this.#call("diff", request)) as InstanceType<typeof messages.DiffResponse>);
  }

  async create(urn: string, inputs: Values, options: { preview?: boolean; timeout?: number } = {}) {
    const request = new messages.CreateRequest();
    request.setUrn(urn);
    request.setProperties(toStruct(inputs));
    request.setPreview(options.preview ?? false);
    request.setTimeout(options.timeout ?? 60);
    const response = (await this.#call("create", request)) as InstanceType<typeof messages.CreateResponse>;
    const raw = response.getProperties()!.toJavaScript() as Values;
    return { id: response.getId(), outputs: fromStruct(response.getProperties(), { unknown: "keep" }), raw };
  }

  async update(urn: string, id: string, old: Values, news: Values, options: { preview?: boolean } = {}) {
    const request = new messages.UpdateRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setOlds(toStruct(old));
    request.setOldInputs(toStruct(old));
    request.setNews(toStruct(news));
    request.setPreview(options.preview ?? false);
    request.setTimeout(60);
    const response = (await this.#call("update", request)) as InstanceType<typeof messages.UpdateResponse>;
    return fromStruct(response.getProperties(), { unknown: "keep" });
  }

  async read(urn: string, id: string, inputs: Values = {}) {
    const request = new messages.ReadRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setInputs(toStruct(inputs));
    const response = (await this.#call("read", request)) as InstanceType<typeof messages.ReadResponse>;
    return {
      id: response.getId(),
      inputs: fromStruct(response.getInputs(), { unknown: "keep" }),
      outputs: fromStruct(response.getProperties(), { unknown: "keep" }),
    };
  }

  async delete(urn: string, id: string, inputs: Values, timeout = 60): Promise<void> {
    const request = new messages.DeleteRequest();
    request.setUrn(urn);
    request.setId(id);
    request.setOldInputs(toStruct(inputs));
    request.setTimeout(timeout);
    await this.#call("delete", request);
  }

  async invoke(token: string, args: Values) {
    const request = new messages.InvokeRequest();
    request.setTok(token);
    request.setArgs(toStruct(args));
    const response = (await this.#call("invoke", request)) as InstanceType<typeof messages.InvokeResponse>;
    return fromStruct(response.getReturn(), { unknown: "keep" });
  }

  #call(method: string, request: object): Promise<unknown> {
    const client = this.#client as unknown as Record<
      string,
      (request: object, callback: (error: grpc.ServiceError | null, response: unknown) => void) => void
    >;
    return new Promise((resolve, reject) => {
      client[method]!.call(this.#client, request, (error, response) =>
        error ? reject(withDetails(error)) : resolve(response),
      );
    });
  }
}

function diffOf(response: InstanceType<typeof messages.DiffResponse>) {
  return {
    changed: response.getChanges() === messages.DiffResponse.DiffChanges.DIFF_SOME,
    paths: [...response.getDetaileddiffMap().keys()] as string[],
    replaces: response.getReplacesList(),
    deleteBeforeReplace: response.getDeletebeforereplace(),
  };
}

function withDetails(error: grpc.ServiceError): PluginError {
  const [packed] = error.metadata.get("grpc-status-details-bin");
  const plugin: PluginError = Object.assign(new Error(error.details), { details: error.details });
  if (!(packed instanceof Buffer)) return plugin;
  const [detail] = status.Status.deserializeBinary(packed).getDetailsList();
  const unready = messages.ErrorResourceInitFailed.deserializeBinary(detail!.getValue_asU8());
  plugin.unready = {
    id: unready.getId(),
    outputs: fromStruct(unready.getProperties(), { unknown: "keep" }),
    reasons: unready.getReasonsList(),
  };
  return plugin;
}
