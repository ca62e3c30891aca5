/** The three lines of `Pulumi.yaml` by which the engine finds the plugin. */
export const PLUGIN_LINES = `plugins:
  providers:
    - { name: spillway, path: node_modules/spillway/bin }`;
