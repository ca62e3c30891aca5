import type { Addition, Control, SetControl } from "../control.ts";
import { clouds } from "./clouds/index.ts";
import { commands, secretInArguments } from "./commands.ts";
import { secretInConfigMap } from "./config-maps.ts";
import { docker } from "./docker.ts";
import { exposure, routeTls, volumeOnHost } from "./exposure.ts";
import { images } from "./images.ts";
import { sets } from "./namespaces.ts";
import { platform, platformAdditions } from "./platform.ts";
import { podSecurity } from "./pod-security.ts";
import { provenance, provenanceSets } from "./provenance.ts";
import { secretInPod, secrets } from "./secrets.ts";
import { accountToken, workloads } from "./workloads.ts";

/** Every control of the pack. */
export const controls: readonly Control[] = withAdditions(
  [
    ...podSecurity,
    ...images,
    ...workloads,
    ...secrets,
    ...exposure,
    ...commands,
    ...platform,
    ...provenance,
    ...clouds,
  ],
  [
    ...docker,
    ...platformAdditions,
    volumeOnHost,
    accountToken,
    secretInConfigMap,
    secretInArguments,
    secretInPod,
    routeTls,
  ],
);

/** Every control over all resources together. */
export const setControls: readonly SetControl[] = [...sets, ...provenanceSets];

/** The same controls, each with what it finds in resources of further types. */
function withAdditions(plain: readonly Control[], additions: readonly Addition[]): Control[] {
  return plain.map((control) => {
    const more = additions.filter((addition) => addition.control === control.id);
    return {
      ...control,
      types: [...control.types, ...more.flatMap(({ types }) => types)],
      *find(resource, settings) {
        yield* control.find(resource, settings);
        for (const addition of more) yield* addition.find(resource, settings);
      },
    };
  });
}
