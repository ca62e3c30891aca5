export type { Connection, Endpoint } from "../model/connection.ts";
export type {
  DirectoryState,
  FileState,
  HostStateArgs,
  MountState,
  UnitState,
  UploadState,
} from "./host-state.ts";
export type { Fixed, Mark, OneStays, PacketRequirements, PreflightArgs, Requirements } from "./preflight.ts";
export { HostState, Preflight } from "./resources.ts";
