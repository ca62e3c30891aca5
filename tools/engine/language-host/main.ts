/**
 * Language host for Node programs, for engines built from the Go module: the official host is no
 * part of it. Speaks the same protocol (pulumirpc.LanguageRuntime), prints its port, runs until
 * the engine ends it. Started as `main.ts [flags] ENGINE_ADDRESS`.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb.js";
import { whenOrphaned } from "../../../components/local/orphan.ts";
import { languageRuntime } from "./service.ts";

// The engine waits five seconds for a plugin that is slow to leave.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
whenOrphaned(() => process.exit(0));

const engineAddress = process.argv.at(-1) ?? "";
const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(LanguageRuntimeService, languageRuntime(engineAddress));
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
