export type { Connection, Endpoint } from "../model/connection.ts";
export type {
  DirectoryState,
  FileState,
  HostStateArgs,
  MountState,
  UnitState,
  UploadState,
} from "./host-state.ts";
export type { PreflightArgs } from "./preflight.ts";
export { HostState, Preflight } from "./resources.ts";
