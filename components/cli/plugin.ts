import { PLUGIN_LINES } from "../provider/plugin-lines.ts";
import { type Command, noMore } from "./usage.ts";

/** Shows the lines that the user's project file needs. */
export const plugin: Command = {
  usage: `  plugin
      The lines of Pulumi.yaml by which Pulumi finds Spillway's plugin.
`,
  options: {},
  run(_values, words) {
    noMore(words);
    return PLUGIN_LINES;
  },
};
