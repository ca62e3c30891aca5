import * as grpc from "@grpc/grpc-js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { whenOrphaned } from "../local/orphan.ts";
import { EngineLog } from "./engine-log.ts";
import { failure } from "./responses.ts";

/** A message class's instance. */
export type Message<Type extends abstract new (...args: never) => unknown> = InstanceType<Type>;

/** What answers the calls of the protocol, by their name. */
export type Methods = Record<string, (request: never) => unknown>;

/** A plugin's side of Pulumi's resource provider protocol, without what it provides. */
export abstract class ProviderProtocol {
  protected readonly version: string;
  protected log: EngineLog | undefined;
  readonly #name: string;
  readonly #abort = new AbortController();
  #running = 0;

  constructor(name: string, version: string, engineAddress: string | undefined) {
    this.#name = name;
    this.version = version;
    if (engineAddress) this.log = new EngineLog(engineAddress);
  }

  /** The calls that this plugin answers, besides those that all do alike. */
  protected abstract methods(): Methods;

  /** What running operations are told to stop by. */
  protected get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Starts to listen on loopback and resolves with the port. */
  async listen(): Promise<number> {
    const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
    const server = new grpc.Server(unlimited);
    // The typings leave the service's definition out.
    const { ResourceProviderService } = service as unknown as Record<string, grpc.ServiceDefinition>;
    const methods = Object.entries({ ...this.#common(), ...this.methods() });
    const handlers = methods.map(([name, handle]) => [name, this.#unary(handle)]);
    server.addService(ResourceProviderService!, Object.fromEntries(handlers));
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

  #common(): Methods {
    return {
      attach: (request: Message<typeof plugin.PluginAttach>) => {
        this.log = new EngineLog(request.getAddress());
        return new empty.Empty();
      },
      getPluginInfo: () => {
        const info = new plugin.PluginInfo();
        info.setVersion(this.version);
        return info;
      },
      getSchema: () => {
        const response = new messages.GetSchemaResponse();
        response.setSchema(JSON.stringify({ name: this.#name, version: this.version }));
        return response;
      },
      cancel: () => {
        this.interrupt();
        return new empty.Empty();
      },
    };
  }

  #unary(handle: Methods[string]) {
    return (call: grpc.ServerUnaryCall<never, unknown>, callback: grpc.sendUnaryData<unknown>) => {
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
}

/** Runs a plugin's process: listens, tells the engine the port, and ends when the engine wants it or is gone. */
export async function serve(server: ProviderProtocol): Promise<void> {
  const end = () => {
    if (server.interrupt()) process.exit(0);
  };
  // A terminal's Ctrl-C reaches the plugin as well as the engine: what runs comes to a safe point first,
  // so that the engine learns how far it came. The engine ends an idle plugin by the same signal.
  process.on("SIGINT", end);
  process.on("SIGTERM", () => process.exit(0));
  whenOrphaned(end);
  console.log(await server.listen());
}

/** The engine's address, as it is told to a plugin. */
export const engineAddress = (): string | undefined =>
  process.argv.slice(2).find((argument) => !argument.startsWith("-"));
