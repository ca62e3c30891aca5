import * as grpc from "@grpc/grpc-js";
import service from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/engine_pb.js";

/** The engine's log: what the user sees while a run goes on. */
export class EngineLog {
  readonly #client: InstanceType<typeof service.EngineClient>;

  constructor(address: string) {
    this.#client = new service.EngineClient(address, grpc.credentials.createInsecure());
  }

  /** A lasting line for the whole run, or on one resource. */
  info(message: string, urn = ""): void {
    this.#send(message, messages.LogSeverity.INFO, urn, false);
  }

  /** A lasting warning on one resource. */
  warn(urn: string, message: string): void {
    this.#send(message, messages.LogSeverity.WARNING, urn, false);
  }

  /** A short-lived line next to one resource. */
  progress(urn: string, message: string): void {
    this.#send(message, messages.LogSeverity.INFO, urn, true);
  }

  #send(message: string, severity: 0 | 1 | 2 | 3, urn: string, ephemeral: boolean): void {
    const request = new messages.LogRequest();
    request.setMessage(message);
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setEphemeral(ephemeral);
    // A lost line is no reason to fail.
    this.#client.log(request, () => {});
  }
}
