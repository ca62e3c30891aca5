import type { Context } from "../../components/provider/resource.ts";

/** What a provider function is told when no engine calls it. */
export function context(urn = "urn:pulumi:bench::bench::bench::bench"): Context {
  const signal = new AbortController().signal;
  return {
    urn,
    preview: false,
    progress: () => {},
    info: () => {},
    warn: () => {},
    signal,
    timeoutSeconds: 0,
  };
}
