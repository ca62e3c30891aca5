export type { Connection, Endpoint } from "./model/connection.ts";
export { describe, type Problem, Refusal } from "./model/problem.ts";
export { PLUGIN_LINES } from "./provider/plugin-lines.ts";
