import * as grpc from "@grpc/grpc-js";
import messages from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { messageOf } from "../model/problem.ts";
import { firstName } from "./difference.ts";

/** A resource that is there but not as it should be: the engine keeps it and comes back to it. */
export class Kept extends Error {
  readonly id: string;
  readonly properties: Struct;
  readonly inputs: Struct | undefined;

  constructor(message: string, id: string, properties: Struct, inputs?: Struct) {
    super(message);
    this.id = id;
    this.properties = properties;
    this.inputs = inputs;
  }
}

/** Inputs as they were checked, and what is wrong with which of them. */
export function checked(
  inputs: Struct | undefined,
  problems: readonly (readonly [property: string, reason: string])[] = [],
) {
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

/** Which paths changed, and which of them replace the resource. */
export function differs(change: { paths: string[]; replace: string[]; deleteBeforeReplace: boolean }) {
  const response = new messages.DiffResponse();
  const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
  const { UPDATE, UPDATE_REPLACE } = messages.PropertyDiff.Kind;
  response.setChanges(change.paths.length > 0 ? DIFF_SOME : DIFF_NONE);
  response.setDiffsList([...new Set(change.paths.map(firstName))]);
  response.setReplacesList([...new Set(change.replace.map(firstName))]);
  response.setDeletebeforereplace(change.replace.length > 0 && change.deleteBeforeReplace);
  response.setHasdetaileddiff(true);
  for (const path of change.paths) {
    const detail = new messages.PropertyDiff();
    detail.setKind(change.replace.includes(path) ? UPDATE_REPLACE : UPDATE);
    detail.setInputdiff(true);
    response.getDetaileddiffMap().set(path, detail);
  }
  return response;
}

/** Previews are taken part in. Secrets arrive unwrapped; the engine marks outputs of the same name again. */
export function configured() {
  const response = new messages.ConfigureResponse();
  response.setSupportspreview(true);
  response.setAcceptsecrets(false);
  return response;
}

/** An error as gRPC tells it; what is kept travels along. */
export function failure(error: unknown): Partial<grpc.StatusObject> {
  const metadata = new grpc.Metadata();
  const message = messageOf(error);
  if (error instanceof Kept) {
    const detail = new messages.ErrorResourceInitFailed();
    detail.setId(error.id);
    detail.setProperties(error.properties);
    detail.setReasonsList([message]);
    if (error.inputs) detail.setInputs(error.inputs);
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
